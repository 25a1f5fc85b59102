"""Messages of the Retrospective page."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analysis.retrospective.before_after import BeforeAfter, MeasureChange
from analysis.retrospective.impact import ExcessErrors, Rollback
from analysis.retrospective.phase_rows import MergedSwap, PhaseP95
from domain import Window
from messages import before_after, retrospective

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MORNING = int(datetime(2026, 11, 8, 6, 34, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("lower", "upper", "estimate", "expected"),
    [
        (90, 340, 214, "214 excess errors vs. EC2 (95% CI 90 to 340) of 270 in total."),
        (-80, -20, -50, "50 fewer errors than at EC2's rate (95% CI −80 to −20) of 270 in total."),
        (-20, 60, 20, "270 errors: no significant excess vs. EC2 (20; 95% CI −20 to 60)."),
        (None, None, 3, "Too few requests on both fleets at once to estimate excess errors vs. EC2."),
    ],
)
def test_excess_errors(lower: float | None, upper: float | None, estimate: float, expected: str) -> None:
    assert (
        retrospective.impact_errors("ECS", "EC2", ExcessErrors(estimate, lower, upper, 270, 56, 100_000, 0)) == expected
    )


def test_rollbacks() -> None:
    whole = Rollback(MORNING, 0.25, 0.0, "Back to 0%", 60, 480)
    bare = Rollback(MORNING, 0.25, 0.1, "", None, None)
    assert retrospective.impact_rollbacks((whole, bare), TOKYO, now=NOW) == [
        "Rollback 25% → 0%, 8 Nov 15:34 JST, 8 min after the first alert, effective within 1 min. (Back to 0%)",
        "Rollback 25% → 10%, 8 Nov 15:34 JST, time to effect unknown.",
    ]
    assert retrospective.impact_rollbacks((), TOKYO, now=NOW) == ["No rollbacks."]


def test_merged_swaps() -> None:
    assert retrospective.merged_swap(MergedSwap(MORNING, 720, 0.0)) == "weights off for 12 min (blue/green swap)"
    assert retrospective.merged_swap(MergedSwap(MORNING, 720, 0.05)) == "5% for 12 min before"


def test_basis_of_a_p95() -> None:
    texts = {basis: retrospective.p95_basis(PhaseP95(0.2, basis)) for basis in ("window", "hours", "periods")}  # type: ignore[arg-type]
    assert texts == {"window": "all responses", "hours": "median of hours", "periods": "median of periods"}
    assert retrospective.p95_basis(None) == ""


def before_after_result(*, complete: bool, clocks: bool = False) -> BeforeAfter:
    start = int(datetime(2026, 9, 18, 1, tzinfo=UTC).timestamp())
    after = int(datetime(2026, 11, 24, 0, tzinfo=UTC).timestamp())
    days = 7 if complete else 1
    later = Window(after, after + days * 86_400)
    return BeforeAfter(Window(start, start + 7 * 86_400), later, days * 24, days, complete, clocks, ())


def test_compared_weeks() -> None:
    assert before_after.compared_weeks(before_after_result(complete=False), TOKYO, now=NOW) == (
        "Week before the first step (18 Sep 10:00 – 25 Sep 10:00 JST) vs. 1d since the last (24 Nov 09:00 – 25 Nov "
        "09:00 JST); complete after a week. 24 hours paired by weekday and hour, on 1 day. One day is one "
        "observation; a CI needs 5 paired days."
    )
    assert before_after.compared_weeks(before_after_result(complete=True, clocks=True), TOKYO, now=NOW).endswith(
        "Daylight saving time changed in between; hours are paired by local time."
    )


def test_differences_have_units() -> None:
    requests = MeasureChange("requests", 607_270, 621_539, 0.025, 0.01, 0.04, True, 7)
    errors = MeasureChange("error_rate", 0.0021, 0.0023, 0.0002, None, None, False, 4)
    p95 = MeasureChange("p95", 0.275, 0.279, 0.016, -0.01, 0.04, True, 7)
    texts = [
        (
            before_after.value(change, change.before),
            before_after.difference(change, change.difference),
            before_after.interval(change),
        )
        for change in (requests, errors, p95)
    ]
    assert texts == [
        ("607,270", "+2.5%", "+1.0 … +4.0%"),
        ("0.21%", "+0.02 pp", "–"),
        ("275 ms", "+1.6%", "−1.0 … +4.0%"),
    ]


def test_at_most_three_gaps_are_listed() -> None:
    day = timedelta(days=1)
    spans = [(NOW - days * day, NOW - days * day + timedelta(hours=1)) for days in range(5, 0, -1)]
    assert retrospective.gaps(spans, TOKYO, now=NOW) == (
        "No data: 19 Nov 15:00–16:00 JST; 20 Nov 15:00–16:00 JST; 21 Nov 15:00–16:00 JST, and 2 more (not "
        "interpolated)."
    )


def test_bucket_note() -> None:
    assert retrospective.bucket_note(3600).startswith(
        "Each point is 1h. Counts are exact sums. Percentiles cannot be merged"
    )
