"""Messages of the Retrospective page and its report: summary, timeline, impact, phases, missing data."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from analysis.parity.incidents import Incident
from analysis.retrospective.impact import ExcessErrors, Rollback
from analysis.retrospective.phase_rows import PhaseP95, PhaseRow
from analysis.series.phases import MergedSwap
from domain import FleetName
from domain.window import DAY_S, MINUTE_S
from messages import incidents, numbers, times
from messages.command_help import command_help
from messages.i18n import _, comma_list, full_stop, lazy, ngettext, plural

RETROSPECTIVE_TITLE = lazy("Retrospective")
IMPACT = lazy("Impact")
PHASES = lazy("Phases")
REPORT_FILE = lazy("Report")
REPORT_EXPLAINED = lazy("One page that opens offline and prints: the chart, the sentences and the tables of this page.")
MADE = lazy("Generated")
RETROSPECTIVE = command_help(
    lazy("Summarize the whole migration from the archive"),
    lazy(
        "Impact, phases with verdicts, before and after, as text and as one HTML page that works offline and prints. "
        "With --json the page is only written with --out."
    ),
    exit_codes={
        0: lazy("Success."),
        3: lazy("Invalid option or configuration, archive empty or unavailable, or page not writable."),
    },
    examples="""
        cli.py retrospective
        cli.py retrospective --out migration.html
        cli.py retrospective --json | jq .impact
    """,
)
OUT = lazy("Output file. Default: working directory, named after migration and days. Overwrites.")
JUDGING = lazy("judging …")
COUNTING = lazy("Counting …")
INCIDENTS = lazy("Incidents")
NO_INCIDENTS = lazy("No incidents.")
NO_INCIDENTS_SO_FAR = lazy("No incidents in what is archived so far.")
CSV_LABEL = "CSV"
CSV_EXPLAINED = lazy("The phases with their numbers, verdicts and outcomes as a CSV file.")
ADD_NOTE = lazy("+ Note")
NO_DATA = lazy("No data in the archive for this range.")

PANEL_WEIGHTS = lazy("canary share: configured (filled), observed (dotted)")
PANEL_ERRORS = lazy("error rate: target 5xx + no response")
PANEL_LATENCY = lazy("p95: median of the periods in each bucket, and their range")
DRAG_HINT = lazy("Drag to zoom, double-click to go back.")
IMPACT_ERRORS_EXPLAINED = lazy(
    "Both fleets are compared over the same 10 minutes, so shared bursts cancel; the CI follows from the scatter "
    "at other times. Requests that the load balancer rejected itself are attributed to neither fleet."
)
IMPACT_OUTSIDE_EXPLAINED = lazy(
    "Counted in 10-minute blocks, if statistically significant: error rate 3 standard errors beyond the margin; "
    "p95 beyond it by 3 times the scatter between the fleets' p95 in that phase."
)
LIVE_LINK = lazy("Live")
PARITY_LINK = lazy("Parity")
PHASES_NOTE = lazy(
    "The minute of a change belongs to the phase that it ends. Error rate: target 5xx + no response. Steps of "
    "minutes around a blue/green swap are listed in the next phase."
)
EMPTY = lazy(
    "No data of this source in the archive yet. It is recorded while the program runs; `cli.py record --once` "
    "backfills what the source retains."
)


def source_unavailable(source_label: str) -> str:
    """Instead of EMPTY."""
    return _("{source} is unavailable; no stored data. See Data sources on Live.").format(source=source_label)


def chart_alternative(sentence: str) -> str:
    return _("The whole migration on one time axis: weights, error rate and p95 of both fleets. {sentence}").format(
        sentence=sentence
    )


def bucket_note(bucket_s: int) -> str:
    return _(
        "Each point is {length}. Counts are exact sums. Percentiles cannot be merged: the line is the median of the "
        "periods' p95, the band their range."
    ).format(length=times.duration(bucket_s))


def opening(
    first: datetime | None,
    end: datetime,
    zone: tzinfo,
    shares: Sequence[float],
    *,
    n_phases: int,
    n_rollbacks: int,
    now: datetime,
) -> str:
    """ "12 Sep – 14 Nov (63 days) · 0.1% → 50% · 9 phases · 2 rollbacks"."""
    if first is None or not shares:
        return _(
            "No weight changes recorded: none were made, or no source reads the weights. Enter steps below, or with "
            "`cli.py step`."
        )
    rollbacks = plural("{n} rollback", "{n} rollbacks", n_rollbacks) if n_rollbacks else _("no rollbacks")
    return _("{first} – {end} ({days}) · {start} → {now} · {phases} · {rollbacks}").format(
        first=times.date(first, zone, now=now),
        end=times.date(end, zone, now=now),
        days=_days(first, end),
        start=numbers.configured_share(shares[0]),
        now=numbers.configured_share(shares[-1]),
        phases=plural("{n} phase", "{n} phases", n_phases),
        rollbacks=rollbacks,
    )


def impact_requests(canary: str, served: int | None) -> str:
    if served is None:
        return _("Requests served by {canary}: unknown.").format(canary=canary)
    return _("{canary} served {requests} requests.").format(canary=canary, requests=numbers.count(served))


def impact_errors(canary: str, baseline: str, excess: ExcessErrors) -> str:
    """The canary's errors, and how many more than at the baseline's rate, with the CI."""
    if excess.lower is None or excess.upper is None:
        text = _("Too few requests on both fleets at once to estimate excess errors vs. {baseline}.")
        return text.format(baseline=baseline)
    lower, upper = round(excess.lower), round(excess.upper)
    if lower > 0:
        text = _("{estimate} excess errors vs. {baseline} (95% CI {between}) of {observed} in total.")
    elif upper < 0:
        text = _("{fewer} fewer errors than at {baseline}'s rate (95% CI {between}) of {observed} in total.")
    else:
        text = _("{observed} errors: no significant excess vs. {baseline} ({estimate}; 95% CI {between}).")
    return text.format(
        observed=numbers.count(excess.observed),
        estimate=numbers.count(round(excess.estimate)),
        fewer=numbers.count(-round(excess.estimate)),
        baseline=baseline,
        between=_("{low} to {high}").format(low=numbers.count(lower), high=numbers.count(upper)),
    )


def impact_unpaired(canary: str, baseline: str, unpaired: int) -> str:
    return _("{requests} more requests had no {baseline} traffic at the same time to compare with.").format(
        requests=numbers.count(unpaired), canary=canary, baseline=baseline
    )


def impact_outside_margin(minutes_errors: int, minutes_p95: int) -> str:
    if not minutes_errors and not minutes_p95:
        return _("Time out of margin: none.")
    errors, p95 = (times.duration(minutes * 60) if minutes else _("none") for minutes in (minutes_errors, minutes_p95))
    return _("Time out of margin: error rate {errors}, p95 {p95}.").format(errors=errors, p95=p95)


def impact_rollbacks(rollbacks: Sequence[Rollback], zone: tzinfo, *, now: datetime) -> list[str]:
    """A sentence per rollback."""
    sentences = [_rollback(rollback, zone, now=now) for rollback in rollbacks]
    return sentences or [_("No rollbacks.")]


def _rollback(rollback: Rollback, zone: tzinfo, *, now: datetime) -> str:
    before, after = (numbers.configured_share(share) for share in (rollback.share_before, rollback.share_after))
    at = times.clock(datetime.fromtimestamp(rollback.ts, UTC), zone, now=now)
    parts = [_("Rollback {before} → {after}, {at}").format(before=before, after=after, at=at)]
    if rollback.alert_lead_s is not None:
        parts.append(_("{length} after the first alert").format(length=times.duration(rollback.alert_lead_s)))
    parts.append(
        _("effective within {length}").format(length=times.duration(rollback.effect_s))
        if rollback.effect_s is not None
        else _("time to effect unknown")
    )
    return full_stop(comma_list(parts)) + (f" ({rollback.title})" if rollback.title else "")


def impact_days(first: datetime, last: datetime, zone: tzinfo, *, now: datetime) -> str:
    return _("From the first step ({first}) to the last ({last}): {days}.").format(
        first=times.date(first, zone, now=now), last=times.date(last, zone, now=now), days=_days(first, last)
    )


def excess_tile(baseline: str, excess: ExcessErrors) -> tuple[str, str, str]:
    """Number, label and details: the canary's errors beyond those at the baseline's rate."""
    label = _("excess errors vs {baseline}").format(baseline=baseline)
    if excess.lower is None or excess.upper is None:
        return numbers.NONE, label, _("too few samples")
    details = _("95% CI {lower} to {upper} · of {total}").format(
        lower=numbers.count(round(excess.lower)),
        upper=numbers.count(round(excess.upper)),
        total=numbers.count(excess.observed),
    )
    return numbers.count(round(excess.estimate)), label, details


def requests_tile(canary: str, served: int | None) -> tuple[str, str, str]:
    return numbers.count(served), _("requests by {canary}").format(canary=canary), ""


def incidents_tile(n: int | None, minutes_errors: int, minutes_p95: int) -> tuple[str, str, str]:
    """`n`: None while the phases are being judged."""
    errors, p95 = (times.duration(minutes * MINUTE_S) for minutes in (minutes_errors, minutes_p95))
    details = _("out of margin: error rate {errors}, p95 {p95}").format(errors=errors, p95=p95)
    return numbers.count(n), ngettext("incident", "incidents", 2 if n is None else n), details


def rollbacks_tile(rollbacks: Sequence[Rollback]) -> tuple[str, str, str]:
    leads = [times.duration(item.alert_lead_s) for item in rollbacks if item.alert_lead_s is not None]
    details = _("{times} after the first alert").format(times=" / ".join(leads)) if leads else ""
    return numbers.count(len(rollbacks)), ngettext("rollback", "rollbacks", len(rollbacks)), details


def incident_times(detected_s: int | None, rolled_back_s: int | None) -> str:
    """ "detected after 6 min, rolled back after 14 min"."""
    detected = (
        _("no alert") if detected_s is None else _("detected after {length}").format(length=times.duration(detected_s))
    )
    if rolled_back_s is None:
        return detected
    return comma_list((detected, _("rolled back after {length}").format(length=times.duration(rolled_back_s))))


def circled(number: int) -> str:
    """ "①" to "⑳", then "(21)"."""
    return chr(ord("①") + number - 1) if number <= 20 else f"({number})"


def phases_head(baseline: str, canary: str) -> tuple[str, ...]:
    both = _("requests {baseline} / {canary}"), _("error rate {baseline} / {canary}"), _("p95 {baseline} / {canary}")
    metrics = (text.format(baseline=baseline, canary=canary) for text in both)
    return (_("phase"), _("duration"), *metrics, _("verdict"), _("outcome"), _("what happened"))


def merged_swap(swap: MergedSwap) -> str:
    """A short step merged into the following phase: "weights off 12 min for a blue/green swap"."""
    text = _("{share} for {length} before") if swap.share > 0 else _("weights off for {length} (blue/green swap)")
    return text.format(share=numbers.configured_share(swap.share), length=times.duration(swap.duration_s))


def single_fleet(baseline: str, canary: str, canary_share: float) -> str:
    """Instead of a verdict, if one fleet had all the weight."""
    return _("{fleet} only").format(fleet=canary if canary_share else baseline)


def p95_basis(p95: PhaseP95 | None) -> str:
    if p95 is None:
        return ""
    return {"window": _("all responses"), "hours": _("median of hours"), "periods": _("median of periods")}[p95.basis]


def p95_explained(p95: PhaseP95 | None) -> str:
    if p95 is None or p95.minimum is None or p95.maximum is None:
        return ""
    return _("from {low} to {high}").format(
        low=numbers.milliseconds(p95.minimum), high=numbers.milliseconds(p95.maximum)
    )


def more_events(count: int) -> str:
    return _("and {count} more").format(count=count)


def incident(item: Incident, labels: Mapping[FleetName, str], zone: tzinfo, *, phase_is_over: bool) -> str:
    sentence = incidents.sentence(item, labels, zone, phase_is_over=phase_is_over)
    return _("Incident {sentence}").format(sentence=sentence)


def judging(number: int, total: int) -> str:
    """`number`: of the phase that is being judged."""
    return _("Judging phase {number} of {total} …").format(number=number, total=total)


def filling(done: int, total: int) -> str:
    share = numbers.share(done / total if total else 0.0)
    return _("Backfilling archive: {share}. Figures below are incomplete.").format(share=share)


def hours_only(until: datetime, zone: tzinfo, *, now: datetime) -> str:
    return _("Before {until} only hourly data is retained: steps and durations are only that precise.").format(
        until=times.clock(until, zone, now=now)
    )


def gaps(windows: Sequence[tuple[datetime, datetime]], zone: tzinfo, *, now: datetime) -> str:
    """The first three windows without data, and the number of others."""
    spans = [times.span(start, end, zone, now=now) for start, end in windows[:3]]
    more = len(windows) - len(spans)
    text = "; ".join(spans) + (_(", and {count} more").format(count=more) if more else "")
    return _("No data: {spans} (not interpolated).").format(spans=text)


def stale_archive(age_s: float) -> str:
    return _("Archive data ends {age} earlier: not polled since, or the source is unavailable.").format(
        age=times.duration(age_s)
    )


def phase_title(row: PhaseRow, zone: tzinfo, *, now: datetime) -> str:
    return times.span(row.phase.window.starts_at, row.phase.window.ends_at, zone, now=now)


def _days(first: datetime, last: datetime) -> str:
    return plural("{n} day", "{n} days", max(1, round((last - first).total_seconds() / DAY_S)))
