"""Messages of the Parity page: counts beside rates, and the latency of a whole window."""

import pytest

from analysis import CriterionVerdict, Judgement
from domain import Criterion, Margin
from messages import parity

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)


@pytest.mark.parametrize(
    ("rate", "events", "requests", "expected"),
    [
        (133 / 720_549, 133, 720_549, "133 of 720,549"),
        (0.198, 39_413, 107_135, "weighted by minute; 39,413 of 107,135 are 36.8 %"),
        (0.0, 0, 720_549, "0 of 720,549"),
        (None, 0, 0, "0 of 0"),
    ],
)
def test_a_rate_beside_its_counts_is_their_quotient_or_says_how_it_is_weighted(
    rate: float | None, events: int, requests: int, expected: str
) -> None:
    assert parity.numerator(rate, events, requests) == expected


@pytest.mark.parametrize(
    ("unexplained", "expected"),
    [
        ((0, 0), ""),
        ((7, 8), ""),  # fewer than one in a thousand
        (
            (7, 1200),
            "Response not counted: EC2 7 of 10,000 · ECS 1,200 of 10,000 requests. No metric shows that a target failed these requests: "
            "WebSocket upgrades (101) and clients that went away (460) look like this. They are not counted as errors.",
        ),
    ],
)
def test_requests_without_a_counted_response(unexplained: tuple[int, int], expected: str) -> None:
    counts = dict(zip(("baseline_unexplained", "canary_unexplained"), unexplained, strict=True))
    result = CriterionVerdict(
        ERRORS, "not enough data", "no_events", baseline_requests=10_000, canary_requests=10_000, **counts
    )
    labels = {"baseline": "EC2", "canary": "ECS"}
    assert parity.unexplained(Judgement("not enough data", (result,)), labels) == expected  # type: ignore[arg-type]


def test_span() -> None:
    assert (
        parity.window_latency_span("CloudWatch", "22 Nov 16:40–22:00 JST", 19_200)
        == "CloudWatch, for 22 Nov 16:40–22:00 JST (5 h 20 min)."
    )


def test_several_target_groups() -> None:
    assert parity.window_latency_groups("ECS", 2) == (
        "2 target groups of ECS served in this window. Percentiles of several groups cannot be merged, so each stands for itself."
    )


def test_a_source_without_window_latency() -> None:
    assert parity.window_latency_unsupported("Mackerel") == (
        "Mackerel keeps one value a minute and cannot tell percentiles of a whole window. Choose CloudWatch as the source, or add [aws] to "
        "the configuration."
    )


def test_text_alternative_of_the_cdf() -> None:
    assert parity.distribution_alternative((("EC2", 0.08, 0.25), ("ECS", 0.09, None))) == (
        "Share of the answers that took at most so long. EC2: half within 80 ms, 95 % within 250 ms; ECS: half within 90 ms, 95 % within –."
    )
