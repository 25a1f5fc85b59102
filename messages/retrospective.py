"""What the Retrospective page and its report say: the course, what it cost, the phases, before and after, notes."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from analysis.retrospective.impact import Excess, StepBack
from analysis.retrospective.phase_rows import P95, Chapter, Fold
from messages import numbers, times
from messages.i18n import _, ngettext

RETROSPECTIVE_TITLE = _("Retrospective")
COST = _("What it cost")
PHASES = _("Phases")
REPORT_FILE = _("Report")
REPORT_EXPLAINED = _("One page that opens offline and prints: the chart, the sentences and the tables of this page.")
MADE = _("Made")
RETROSPECTIVE = _(
    """Tells the whole migration from the archive alone: what it cost, its phases with their verdicts, before and after. Asks nobody.

Writes one HTML page that opens offline and prints, and says where it is; with --json it prints the numbers (and writes the page only where --out
names it). Ends with 0 once it is told, with 3 if the archive holds nothing or cannot be read, or the page could not be written.

\b
  cli.py retrospective
  cli.py retrospective --out story.html
  cli.py retrospective --json | jq .cost
"""
)
OUT = _(
    "Where to write the page. Left out: here, named after the migration and its days. A file that is there is replaced."
)
JUDGING = _("being judged …")


def counting() -> str:
    return _("Counting …")


def no_numbers_here() -> str:
    return _("The archive holds no number of this time.")


# ---- the chart


def seen() -> str:
    return _("seen")


def told(canary: str) -> str:
    return _("{canary}, told").format(canary=canary)


def happened() -> str:
    return _("event")


def hover_told() -> str:
    return _("%{y:.3~g} %")


def hover_rate() -> str:
    return _("%{y:.3~g} % of %{customdata:,.3~s}")


def hover_p95() -> str:
    return _("%{y:,.0f} ms (%{customdata[0]:,.0f}–%{customdata[1]:,.0f} of %{customdata[2]} periods)")


def panel_weights() -> str:
    return _("canary's share: told by the weights (filled), seen (dotted)")


def panel_errors() -> str:
    return _("error rate: target 5xx + unanswered")


def panel_latency() -> str:
    return _("p95: median of the periods in each bucket, and their range")


def chart_alternative(sentence: str) -> str:
    return _("The whole migration on one time axis: weights, error rate and p95 of both fleets. {sentence}").format(
        sentence=sentence
    )


def drag() -> str:
    return _("Drag to zoom, double-click to go back.")


def buckets(bucket_s: int) -> str:
    return _(
        "Each point is {length}: counts are summed, exactly; a percentile cannot be merged, so the line is the median of the periods' p95 and the "
        "ribbon reaches from the smallest to the largest."
    ).format(length=times.duration(bucket_s))


# ---- the first sentence


def opening(
    first: datetime | None,
    end: datetime,
    zone: tzinfo,
    shares: Sequence[float],
    phases: int,
    back: int,
    *,
    now: datetime,
) -> str:
    """How far it has come: "From 12 Sep to 14 Nov, 63 days: 0.1 % → 50.0 % in 9 phases, with 2 steps back."."""
    if first is None or not shares:
        return _("The archive knows of no step yet: nothing has been told to change the split.")
    days = (end - first).total_seconds() / 86_400
    return _("From {first} to {end}, {days}: {start} → {now} in {phases}, {back}.").format(
        first=times.date(first, zone, now=now),
        end=times.date(end, zone, now=now),
        days=_days(days),
        start=numbers.share(shares[0]),
        now=numbers.share(shares[-1]),
        phases=ngettext("{count} phase", "{count} phases", phases).format(count=phases),
        back=_("never a step back")
        if not back
        else ngettext("with {count} step back", "with {count} steps back", back).format(count=back),
    )


# ---- what it cost


def cost_requests(canary: str, served: int) -> str:
    return _("{canary} served {requests} requests.").format(canary=canary, requests=numbers.count(served))


def cost_errors(canary: str, baseline: str, found: Excess) -> str:
    """The errors that its users would not have seen on the other side, with the interval."""
    if found.low is None or found.high is None:
        return _(
            "Too little was served side by side to tell how many errors beyond {baseline}'s rate users saw."
        ).format(baseline=baseline)
    low, high = round(found.low), round(found.high)
    between = _("{low} to {high}").format(low=numbers.count(low), high=numbers.count(high))
    seen = numbers.count(found.seen)
    if low > 0:
        text = _("{seen} of them failed: about {estimate} more than at {baseline}'s rate (95 %: {between}).")
    elif high < 0:
        text = _("{seen} of them failed: about {fewer} fewer than at {baseline}'s rate (95 %: {between}).")
    else:
        text = _(
            "{seen} of them failed: as many as at {baseline}'s rate, give or take chance ({estimate}; 95 %: {between})."
        )
    return text.format(
        canary=canary,
        seen=seen,
        estimate=numbers.count(round(found.estimate)),
        fewer=numbers.count(-round(found.estimate)),
        baseline=baseline,
        between=between,
    )


def cost_alone(canary: str, baseline: str, alone: int) -> str:
    return _("{requests} requests more had no {baseline} beside them to compare with.").format(
        requests=numbers.count(alone), canary=canary, baseline=baseline
    )


def cost_outside(minutes_errors: int, minutes_p95: int) -> str:
    if not minutes_errors and not minutes_p95:
        return _("Outside the margin: at no time, neither error rate nor p95.")
    errors, p95 = (
        _("for {length}").format(length=times.duration(minutes * 60)) if minutes else _("at no time")
        for minutes in (minutes_errors, minutes_p95)
    )
    return _("Outside the margin: error rate {errors}, p95 {p95}.").format(errors=errors, p95=p95)


def cost_errors_explained() -> str:
    return _(
        "Compared ten minutes by ten minutes, with what the other side did in the same ones, so that bursts from outside cancel; the interval is as "
        "wide as ordinary stretches scatter. Requests that the load balancer refused itself are in nobody's count."
    )


def cost_outside_explained() -> str:
    return _(
        "Counted in stretches of ten minutes, and only where chance does not explain it: an error rate three standard errors beyond the margin, "
        "a p95 beyond it by three times as much as the two sides' p95 scatter around each other in that phase."
    )


def cost_steps_back(found: Sequence[StepBack], zone: tzinfo, *, now: datetime) -> list[str]:
    """A sentence a step back."""
    if not found:
        return [_("No step was taken back.")]
    return [_step_back(one, zone, now=now) for one in found]


def _step_back(one: StepBack, zone: tzinfo, *, now: datetime) -> str:
    at = times.clock(_at(one.at), zone, now=now)
    what = _("Back from {before} to {after} on {at}").format(
        before=numbers.share(one.before), after=numbers.share(one.after), at=at
    )
    parts = [what]
    if one.alert_s is not None:
        parts.append(_("{length} after the first alert").format(length=times.duration(one.alert_s)))
    parts.append(
        _("it took effect within {length}").format(length=times.duration(one.effect_s))
        if one.effect_s is not None
        else _("how fast it took effect is not known")
    )
    return _("{told}.").format(told=", ".join(parts)) + (f" ({one.title})" if one.title else "")


def cost_days(first: datetime, last: datetime, zone: tzinfo, *, now: datetime) -> str:
    days = (last - first).total_seconds() / 86_400
    return _("From the first step ({first}) to the last ({last}): {days}.").format(
        first=times.date(first, zone, now=now), last=times.date(last, zone, now=now), days=_days(days)
    )


# ---- the phases


def phases_head(baseline: str, canary: str) -> tuple[str, ...]:
    return (
        _("phase"),
        _("held for"),
        _("requests {baseline} / {canary}").format(baseline=baseline, canary=canary),
        _("error rate {baseline} / {canary}").format(baseline=baseline, canary=canary),
        _("p95 {baseline} / {canary}").format(baseline=baseline, canary=canary),
        _("verdict"),
        _("what happened"),
    )


def split(canary_share: float | None) -> str:
    return _("share not known") if canary_share is None else numbers.share(canary_share)


def begun_by(kind: str) -> str:
    return {
        "weight": _("by a step"),
        "deployment": _("by a deployment"),
        "window": _("beginning not known"),
    }[kind]


def fold(one: Fold) -> str:
    """What was folded in before a phase: "weights off 12 min for a blue/green swap"."""
    length = times.duration(one.length_s)
    if one.share > 0:
        return _("before it {share} for {length}").format(share=numbers.share(one.share), length=length)
    if one.swap:
        return _("weights off {length} for a blue/green swap").format(length=length)
    return _("weights off {length}").format(length=length)


def one_side(baseline: str, canary: str, canary_share: float) -> str:
    """Instead of a verdict where only one side was told to serve."""
    return _("{fleet} alone: nothing to compare").format(fleet=canary if canary_share else baseline)


def p95_basis(told: P95 | None) -> str:
    if told is None:
        return ""
    return {"whole": _("of all answers"), "hours": _("median of hours"), "periods": _("median of periods")}[told.basis]


def p95_explained(told: P95 | None) -> str:
    if told is None or told.low is None or told.high is None:
        return ""
    return _("from {low} to {high}").format(low=numbers.milliseconds(told.low), high=numbers.milliseconds(told.high))


def phase_live() -> str:
    return _("Live")


def phase_parity() -> str:
    return _("Parity")


def more_incidents(count: int) -> str:
    return ngettext("and {count} more", "and {count} more", count).format(count=count)


def phases_note() -> str:
    return _(
        "The minute of a change and the next belong to no phase. An error rate is target 5xx and requests that were never answered. Steps of minutes "
        "around a swap are told in the phase that follows them."
    )


# ---- what is missing


def nothing() -> str:
    return _(
        "The archive holds nothing of this source yet. It fills while the program runs; `cli.py record --once` brings what is still kept."
    )


def filling(done: int, whole: int) -> str:
    share = done / whole if whole else 0.0
    return _("The archive is being filled: {share} so far. What is below grows with it.").format(
        share=numbers.share(share)
    )


def hours_only(until: datetime, zone: tzinfo, *, now: datetime) -> str:
    return _(
        "Before {until} only hours are kept: steps and minutes of that time cannot be told apart more finely."
    ).format(until=times.clock(until, zone, now=now))


def gaps(found: Sequence[tuple[datetime, datetime]], zone: tzinfo, *, now: datetime) -> str:
    """The times without any number, three at most and how many more."""
    spans = [times.span(start, end, zone, now=now) for start, end in found[:3]]
    more = len(found) - len(spans)
    text = "; ".join(spans) + (_(", and {count} more").format(count=more) if more else "")
    return _("Without any number: {spans}. Nothing is made up for these times.").format(spans=text)


def stale_archive(age_s: float) -> str:
    return _(
        "The archive's numbers end {age} before this: nobody has asked since, or the source does not answer."
    ).format(age=times.duration(age_s))


def chapter_title(chapter: Chapter, zone: tzinfo, *, now: datetime) -> str:
    return times.span(chapter.phase.window.starts_at, chapter.phase.window.ends_at, zone, now=now)


def _days(days: float) -> str:
    whole = max(1, round(days))
    return ngettext("{count} day", "{count} days", whole).format(count=whole)


def _at(ts: int) -> datetime:
    return datetime.fromtimestamp(ts, UTC)
