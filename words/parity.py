"""What the Parity page says."""

from words import numbers, times
from words.speech import _

PARITY_TITLE = _("Parity")


def default_criteria() -> str:
    return _("default margins: fix your own under [[criteria]]")


def table_head(baseline: str, canary: str) -> tuple[str, ...]:
    return (
        _("criterion"),
        baseline,
        canary,
        _("difference: where it surely lies, zero in the middle"),
        _("margin"),
        _("verdict"),
        _("still needed"),
    )


def critical() -> str:
    return _("critical")


def numerator(events: int, requests: int) -> str:
    return _("{events} of {requests}").format(events=numbers.count(events), requests=numbers.count(requests))


def at_even(needed: str) -> str:
    return _("at 50:50: {needed}").format(needed=needed)


def opening(share: float | None, length_s: int, baseline_requests: int, canary_requests: int) -> str:
    """How a judgement begins: "At 50:50 for 6 h 10 min, 1.2 M and 1.2 M requests:"."""
    held = times.duration(length_s)
    counted = _("{baseline} and {canary} requests").format(
        baseline=numbers.count(baseline_requests), canary=numbers.count(canary_requests)
    )
    if share is None:
        return _("In the last {held}, {counted}:").format(held=held, counted=counted)
    split = f"{100 - share * 100:g}:{share * 100:g}"
    return _("At {split} for {held}, {counted}:").format(split=split, held=held, counted=counted)


def phase(share: float | None, span: str) -> str:
    """A phase as a choice: "50.0 % since 22 Nov 16:20 JST"."""
    return f"{numbers.share(share)} · {span}" if share is not None else span


def phase_title() -> str:
    return _("Phase")


def criterion_title() -> str:
    return _("Criterion")


def ribbon_title(metric: str) -> str:
    return _("The interval over time: {metric}").format(metric=metric)


def ribbon_explained() -> str:
    return _("Where the difference surely lies, at every minute, narrowing as evidence comes in. Grey: the margin.")


def left_out_title() -> str:
    return _("Left out")


def nothing_left_out() -> str:
    return _("nothing")


def evidence_horizon() -> str:
    return _("Evidence is taken from the last 24 hours of a phase at most.")


def estimate() -> str:
    return _("difference")


def lower() -> str:
    return _("at least")


def upper() -> str:
    return _("at most")


def nothing_yet() -> str:
    return _("Nothing can be drawn yet: the judge needs minutes in which both fleets were asked.")
