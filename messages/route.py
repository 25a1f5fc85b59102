"""Messages of the page of a route."""

from collections.abc import Mapping, Sequence

from analysis import CriterionVerdict
from domain import FleetName
from messages import numbers, times, verdicts
from messages.i18n import _, full_stop, lazy

PERCENTILES_TITLE = lazy("Latency percentiles")
PERCENTILES_EXPLAINED = lazy(
    "Difference of each percentile of the whole window, with its 95% CI; grey: the margin of a criterion. The CI assumes that requests are "
    "independent, and is too narrow if slow ones cluster. The verdict compares both fleets minute by minute instead, so it can differ."
)
NO_ANSWERS = lazy("No responses in this window.")
HEATMAP_TITLE = lazy("Latency over time")
HEATMAP_EXPLAINED = lazy(
    "Colour: the share of each latency in the responses of a block, the same scale for both fleets, so that a slow minority is seen. Lines: p50 "
    "(solid) and p95 (dotted). A block of fewer than 20 responses is coloured as if it had 20, and has no lines."
)
CODES_TITLE = lazy("Error codes")
COPY = lazy("Copy")
CODES_NOTE = lazy("With fewer than ~3 expected, absence is not evidence.")
TIMELINE_TITLE = lazy("Over time")
SLOWEST_TITLE = lazy("Slowest requests")
FAILED_TITLE = lazy("Latest failed requests")
LINES_HEAD = (lazy("time"), lazy("fleet"), lazy("target"), lazy("request"), lazy("code"), lazy("duration"))
LINES_NOTE = lazy("A sample of lines, without query strings.")
NO_LINES = lazy("None in this window.")


def timeline_panels() -> tuple[str, str, str]:
    return _("requests per minute"), _("error rate"), "p95"


def percentiles_note(baseline: str, canary: str) -> str:
    return _("{canary} − {baseline}, in % of {baseline}, 95% CI").format(baseline=baseline, canary=canary)


def percentiles_head(baseline: str, canary: str) -> tuple[str, ...]:
    return _("latency"), baseline, canary, _("difference")


def percentile_ci(lower: float | None, upper: float | None) -> str:
    """The note below a difference: "95% CI −1.0 … +4.0%", as fractions."""
    if lower is None or upper is None:
        return _("too few responses for a CI")
    return _("95% CI {interval}").format(interval=numbers.interval(numbers.relative(lower), numbers.relative(upper)))


def percentiles_alternative(differences: Sequence[tuple[str, str, str]]) -> str:
    """The text alternative of the differences; of each its name, estimate and CI in words."""
    return full_stop("; ".join(f"{name} {estimate} ({ci})" for name, estimate, ci in differences))


def heatmap_note(block_s: int) -> str:
    return _("share of the responses in blocks of {length}").format(length=times.duration(block_s))


def heatmap_alternative(fleets: Sequence[tuple[str, tuple[float, float], tuple[float, float]]]) -> str:
    """The text alternative of the heatmap: of each fleet the lowest and the highest p50 and p95 of a block, in seconds."""
    texts = (
        _("{fleet}: p50 {p50}, p95 {p95}").format(fleet=fleet, p50=_range(*p50), p95=_range(*p95))
        for fleet, p50, p95 in fleets
    )
    return full_stop("; ".join(texts))


def _range(lowest: float, highest: float) -> str:
    return numbers.interval(numbers.milliseconds(lowest), numbers.milliseconds(highest))


def codes_only(fleet: str) -> str:
    return _("{fleet} only").format(fleet=fleet)


def code(status: int, target_status: int | None) -> str:
    """ "500", "502 by the load balancer", "504 where the target said 200"."""
    if status == target_status:
        return f"{status}"
    text = _("{status} (ALB)") if target_status is None else _("{status} (target: {target})")
    return text.format(status=status, target=target_status)


def codes_head(labels: Mapping[FleetName, str]) -> tuple[str, ...]:
    baseline, canary = labels["baseline"], labels["canary"]
    expected = _("{canary} expected at {baseline}'s rate").format(canary=canary, baseline=baseline)
    return (_("code"), baseline, canary, expected)


def expected(number: float) -> str:
    """How many requests with a code are expected: whether a count of 0 means anything."""
    return "< 0.1" if number < 0.05 else f"{number:.1f}" if number < 10 else numbers.count(number)


def criterion(result: CriterionVerdict) -> str:
    """ "error rate +2.18 pp … +2.97 pp"."""
    return f"{verdicts.metric(result.criterion)} {verdicts.interval(result)}"


def timeline_bucket(bucket_s: int) -> str:
    return _("{length} buckets").format(length=times.duration(bucket_s))


def timeline_alternative(route: str, span: str) -> str:
    return _("Requests, error rate and p95 of both fleets on {route}, {span}.").format(route=route, span=span)
