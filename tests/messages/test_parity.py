"""Messages of the Parity page: counts beside rates, and the latency of a whole window."""

from dataclasses import replace

import pytest

from analysis import CriterionVerdict, Judgement
from domain import Criterion, Margin
from messages import parity
from services.phases import PhaseCounts

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)


@pytest.mark.parametrize(
    ("rate", "events", "requests", "expected"),
    [
        (133 / 720_549, 133, 720_549, "133 of 720,549"),
        (0.198, 39_413, 107_135, "weighted by minute; 39,413 of 107,135 are 36.8%"),
        (0.0, 0, 720_549, "0 of 720,549"),
        (None, 0, 0, ""),
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
            "Response not counted: EC2 7 of 10,000 · ECS 1,200 of 10,000 requests. No metric attributes these requests to a failed target; WebSocket upgrades "
            "(101) and client disconnects (460) look the same. Not counted as errors.",
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
        == "CloudWatch, for 22 Nov 16:40–22:00 JST (5h 20m)."
    )


def test_several_target_groups() -> None:
    assert parity.window_latency_groups("ECS", 2) == (
        "2 target groups of ECS served in this window. Percentiles cannot be merged, so each group is listed."
    )


def test_a_source_without_window_latency() -> None:
    assert parity.window_latency_unsupported("Mackerel") == (
        "Mackerel stores one value per minute and has no percentiles of a whole window. Choose CloudWatch, or add [aws] to the configuration."
    )


def test_text_alternative_of_the_cdf() -> None:
    assert parity.distribution_alternative((("EC2", 0.08, 0.25), ("ECS", 0.09, None))) == (
        "Cumulative share of responses by response time. EC2: median 80 ms, p95 250 ms; ECS: median 90 ms, p95 –."
    )


def test_the_counts_of_a_phase_are_beside_what_was_judged_of_it() -> None:
    labels = {"baseline": "EC2", "canary": "ECS"}
    counts = PhaseCounts({"baseline": 675_000, "canary": 225_000}, {"baseline": 135, "canary": 10_350})
    rate = CriterionVerdict(
        ERRORS, "undecided", "inconclusive", minutes=373,
        baseline_events=133, baseline_requests=660_000, canary_events=9855, canary_requests=220_000,
    )  # fmt: skip
    assert parity.phase_counts(counts, Judgement("undecided", (rate,)), 380, labels) == (
        "Failed in the whole phase: EC2 135 of 675,000, ECS 10,350 of 225,000. Judged: 6h 13m of 6h 20m, failed 133 of 660,000 and 9,855 of 220,000."
    )
    nothing = Judgement("undecided", (replace(rate, minutes=0),))
    assert parity.phase_counts(counts, nothing, 380, labels).endswith("10,350 of 225,000. Nothing judged.")
    unknown = PhaseCounts(dict.fromkeys(labels), dict.fromkeys(labels))
    assert parity.phase_counts(unknown, nothing, 380, labels) == "No data of this phase in the archive."


def test_what_is_over_at_unknown_weights_begins_with_its_time_span() -> None:
    judgement, labels = Judgement("parity", ()), {"baseline": "web:41", "canary": "web:42"}
    ended = "22 Nov 14:00–14:41 JST"
    assert parity.summary(judgement, None, 2460, labels, ended=ended).startswith(ended)
    assert parity.summary(judgement, None, 2460, labels).startswith("Last 41 min")
    assert parity.summary(judgement, 0.1, 2460, labels, ended=ended).startswith("90:10 for 41 min")
