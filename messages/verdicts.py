"""How a judgement is said: a word and a sign for each verdict, a reason in a sentence, and the sentence that a product owner can read aloud."""

from analysis import CriterionVerdict, Judgement, Verdict
from domain import Criterion
from messages import numbers, times
from messages.i18n import _

# A sign beside the word, so that no colour has to be told apart.
SIGNS: dict[Verdict, str] = {
    "parity": "●",
    "regression": "▲",
    "improvement": "▼",
    "undecided": "◐",
    "not enough data": "○",
}


def label(verdict: Verdict) -> str:
    """A verdict in a word or three."""
    return {
        "parity": _("parity"),
        "regression": _("regression"),
        "improvement": _("improvement"),
        "undecided": _("undecided"),
        "not enough data": _("not enough data"),
    }[verdict]


def metric(criterion: Criterion) -> str:
    """A criterion's metric as a reader knows it: "error rate", "p95", "slow > 300 ms"."""
    if criterion.slow_threshold_s is not None:
        return _("slow > {threshold}").format(threshold=numbers.threshold(criterion.slow_threshold_s))
    return {
        "error_rate": _("error rate"),
        "unanswered_rate": _("unanswered"),
        "target_5xx_rate": _("target 5xx"),
    }.get(criterion.metric, criterion.metric.removeprefix("latency_"))


def is_latency(criterion: Criterion) -> bool:
    return criterion.metric.startswith("latency_")


def value(criterion: Criterion, number: float | None) -> str:
    """A rate in %, a latency in ms."""
    return numbers.milliseconds(number) if is_latency(criterion) else numbers.percent(number)


def difference(criterion: Criterion, number: float | None) -> str:
    """A difference of rates in percentage points, of latencies in ms."""
    return numbers.signed_milliseconds(number) if is_latency(criterion) else numbers.points(number)


def reason(result: CriterionVerdict) -> str:
    """Why a criterion has its verdict, in a sentence."""
    return {
        "inside_margin": _("The whole interval lies inside the margin."),
        "beyond_margin": _("The whole interval lies beyond the margin."),
        "recent_change": _("It broke lately: the newest minutes alone lie beyond the margin."),
        "significantly_worse": _("Surely worse, but perhaps still within the margin."),
        "significantly_better": _("Surely better, but perhaps still within the margin."),
        "inconclusive": _("The interval still reaches across the edge of the margin."),
        "not_measured": _("No source brought this metric for both fleets."),
        "one_side_empty": _("One fleet had no requests in this window."),
        "one_side_gone": _(
            "One fleet gave nothing to compare in the newest minutes, though the split did not change: see its targets."
        ),
        "unread": _("The newest counts could not be read: see Sources on the Live page."),
        "few_minutes": _("Too few minutes can be used yet."),
        "no_events": _("Not one error on either side: nothing was compared."),
    }[result.reason]


def would_change(result: CriterionVerdict) -> str:
    """What would have to happen for a criterion's verdict to become another."""
    criterion = result.criterion
    if result.lower is None or result.upper is None or result.margin is None or result.margin_lower is None:
        return _("Numbers: {reason}").format(reason=reason(result))
    room = min(result.margin - result.upper, result.lower - result.margin_lower)
    if result.verdict == "parity":
        return _("An interval that reaches the margin; it is {room} away.").format(room=_unsigned(criterion, room))
    if result.verdict in ("regression", "improvement"):
        return _("Minutes in which the two are alike again, until the interval comes back to the margin.")
    return _(
        "Parity needs an interval that ends {room} sooner; a regression one that lies wholly beyond the margin."
    ).format(room=_unsigned(criterion, -room))


def _unsigned(criterion: Criterion, number: float) -> str:
    """A difference without its sign."""
    return difference(criterion, abs(number)).lstrip("+−±")


def time_to_decision(minutes: int | None) -> str:
    """How much longer it takes, where that can be told."""
    if minutes is None:
        return _("no end in sight at this traffic")
    return _("decided") if minutes == 0 else _("about {duration} to go").format(duration=times.duration(minutes * 60))


def still_needed(result: CriterionVerdict) -> str:
    """How much longer it takes; "–" where so little is known that nobody could tell."""
    if result.verdict == "not enough data" and result.minutes_to_decision is None:
        return numbers.NONE
    return time_to_decision(result.minutes_to_decision)


def still_needed_even(result: CriterionVerdict) -> str:
    """How much longer it takes at 50:50, where that is less; else nothing."""
    now, even = result.minutes_to_decision, result.minutes_to_decision_even
    if not even or (now is not None and even >= now):
        return ""
    return _("at 50:50 about {duration}").format(duration=times.duration(even * 60))


def interval(result: CriterionVerdict) -> str:
    """Where the difference surely lies: "−0.004 pp … +0.011 pp"; "–" before there is an interval."""
    if result.lower is None or result.upper is None:
        return numbers.NONE
    return f"{difference(result.criterion, result.lower)} … {difference(result.criterion, result.upper)}"


def margin(result: CriterionVerdict) -> str:
    """The margin as it was fixed; a relative one also as what it comes to: "±0.05 pp", "10% (−22 ms … +24 ms)"."""
    fixed = result.criterion.margin
    if fixed.unit != "%" or result.margin is None or result.margin_lower is None:
        return f"±{fixed}"
    low, high = (difference(result.criterion, edge) for edge in (result.margin_lower, result.margin))
    return f"{fixed} ({low} … {high})"


def headline(judgement: Judgement) -> str:
    """The overall verdict, with the time to go where it is open: "Undecided, about 25 min to go"."""
    word = label(judgement.verdict)
    word = word[:1].upper() + word[1:]
    if judgement.verdict not in ("undecided", "not enough data"):
        return word
    waits = [one.minutes_to_decision for one in deciding_criteria(judgement) if one.minutes_to_decision != 0]
    known = [minutes for minutes in waits if minutes is not None]
    return f"{word}, {time_to_decision(max(known))}" if waits and len(known) == len(waits) else word


def deciding_criteria(judgement: Judgement) -> tuple[CriterionVerdict, ...]:
    """The criteria that the overall verdict hangs on: the critical ones, or all where none is."""
    return tuple(one for one in judgement.criteria if one.criterion.critical) or judgement.criteria


def excluded(reason: str, minutes: int) -> str:
    """Minutes that were not judged, by reason: "3 min still provisional"."""
    text = {
        "provisional": _("{duration} still provisional"),
        "other_period": _("{duration} kept in other periods than the rest, which cannot be compared with it"),
        "no_traffic": _("{duration} without requests"),
        "one_side_missing": _("{duration} with one fleet missing"),
        "mixed_groups": _("{duration} served by two target groups of one fleet"),
        "low_samples": _("{duration} with too few answers for this percentile"),
        "unread": _("{duration} whose counts could not be read"),
        "in_flight": _("{duration} at the start, when nobody can tell which requests are still on their way"),
    }[reason]
    return text.format(duration=times.duration(minutes * 60))


def sentence(result: CriterionVerdict, *, baseline: str, canary: str) -> str:
    """One criterion as a product owner reads it aloud.

    "ECS's error rate is between 0.004 pp lower and 0.011 pp higher than EC2's; the margin is ±0.05 pp."
    """
    if result.lower is None or result.upper is None:
        return _("Of {canary}'s {metric} nothing can be said yet: {reason}").format(
            canary=canary, metric=metric(result.criterion), reason=reason(result)
        )
    return _("{canary}'s {metric} is {between} {baseline}'s; the margin is ±{margin}.").format(
        canary=canary,
        metric=metric(result.criterion),
        between=_between(result),
        baseline=baseline,
        margin=result.criterion.margin,
    )


def _between(result: CriterionVerdict) -> str:
    low, high = (difference(result.criterion, bound) for bound in (result.lower, result.upper))
    assert result.lower is not None and result.upper is not None
    bare_low, bare_high = (bound.lstrip("+−±") for bound in (low, high))
    if result.lower >= 0:
        return _("between {low} and {high} higher than").format(low=bare_low, high=bare_high)
    if result.upper <= 0:
        return _("between {high} and {low} lower than").format(low=bare_low, high=bare_high)
    return _("between {low} lower and {high} higher than").format(low=bare_low, high=bare_high)
