"""Criteria of one's own: values by paired minutes, rates by their counts, and what is excluded."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis import CriterionVerdict, is_needed
from domain import FLEETS, Criterion, assemble
from domain.frame import concat_frames
from tests.factories.config_issues import own_table
from tests.factories.frames import START, tidy_frame, window
from tests.factories.judgement import judge

Numbers = Sequence[float | None]
HOUR = 60


def own(**keys: Any) -> Criterion:
    return Criterion.model_validate(own_table(**keys))


def frame_of(
    criterion: Criterion, baseline: dict[str, Numbers], canary: dict[str, Numbers], *, minutes: int, step: int = 1
) -> pd.DataFrame:
    """The series of the criterion by statistic, a value every `step` minutes, beside requests of both fleets."""
    requests = tidy_frame(
        {
            (fleet, group, "requests", "sum"): [100] * minutes
            for fleet, group in zip(FLEETS, ("ec2", "ecs"), strict=True)
        }
    )
    series, rows = [], []
    for fleet, values in zip(FLEETS, (baseline, canary), strict=True):
        for stat, numbers in values.items():
            rows += [
                (len(series), START + 60 * step * i, value) for i, value in enumerate(numbers) if value is not None
            ]
            series.append(criterion.series(fleet)[stat])  # type: ignore[index]
    code, ts, value = (pd.Series(column).to_numpy() for column in zip(*rows, strict=True))
    return concat_frames([requests, assemble(series, code, ts, value.astype(float), 60)])


def verdict(criterion: Criterion, frame: pd.DataFrame) -> CriterionVerdict:
    return judge(frame, [criterion], window=window(int(frame["ts"].nunique()))).criteria[0]


def values(criterion: Criterion, baseline: Numbers, canary: Numbers) -> CriterionVerdict:
    n = len(baseline)
    return verdict(criterion, frame_of(criterion, {"value": baseline}, {"value": canary}, minutes=n))


def test_equal_values_are_at_parity_and_counted_in_minutes() -> None:
    result = values(own(margin=5), [50, 51, 49, 50] * HOUR, [50, 50, 51, 49] * HOUR)
    assert (result.verdict, result.baseline, result.minutes) == ("parity", 50, 240)
    assert result.baseline_requests is None and result.baseline_events is None


def test_better_decides_which_difference_is_worse() -> None:
    baseline, canary = [50, 51, 49, 50] * HOUR, [40, 41, 40, 39] * HOUR
    found = {
        better: values(own(margin=5, better=better), baseline, canary).verdict
        for better in ("lower", "higher", "equal")
    }
    assert found == {"lower": "improvement", "higher": "regression", "equal": "regression"}
    more = values(own(margin=5, better="equal"), canary, baseline)
    assert more.verdict == "regression" and more.is_significantly_worse


def test_a_relative_margin_needs_positive_values() -> None:
    result = values(own(margin="10%"), [0, 50, 51, 49] * HOUR, [50, 50, 51, 49] * HOUR)
    assert result.excluded and result.excluded["not_comparable"] == HOUR
    assert (result.verdict, result.minutes) == ("parity", 3 * HOUR)


def test_a_rate_is_judged_by_its_counts() -> None:
    criterion = own(kind="rate", margin="1pp")
    sides = {"events": [1, 2] * HOUR, "total": [100, 100] * HOUR}
    result = verdict(criterion, frame_of(criterion, sides, sides | {"events": [9, 8] * HOUR}, minutes=2 * HOUR))
    assert (result.verdict, result.baseline_events, result.canary_events, result.canary_requests) == (
        "regression",
        180,
        1020,
        12_000,
    )
    assert result.estimate is not None and abs(result.estimate - 0.07) < 1e-9


def test_a_share_above_100_percent_is_excluded() -> None:
    criterion = own(kind="rate", margin="1pp")
    sides = {"events": [1, 200] * HOUR, "total": [100, 100] * HOUR}
    result = verdict(criterion, frame_of(criterion, sides, sides, minutes=2 * HOUR))
    assert result.excluded and result.excluded["not_comparable"] == HOUR


def test_a_value_every_five_minutes_is_judged_beside_minutes_of_requests() -> None:
    criterion, sides = own(margin=5), {"value": [50.0, 51, 49, 50] * 15}
    result = verdict(criterion, frame_of(criterion, sides, sides, minutes=5 * HOUR, step=5))
    assert (result.verdict, result.minutes) == ("parity", 60)


def test_a_metric_that_is_gone_is_not_measured_and_no_outage() -> None:
    criterion = own(margin=5)
    frame = frame_of(criterion, {"value": [1.0] * HOUR}, {}, minutes=HOUR)
    result = verdict(criterion, frame)
    assert (result.verdict, result.reason, result.gone) == ("not enough data", "not_measured", ())


def test_a_metric_that_stops_is_unread_after_an_hour() -> None:
    sides = {"value": [50.0, 51] * HOUR + [None] * 90}
    criterion = own(margin=5)
    assert verdict(criterion, frame_of(criterion, sides, sides, minutes=210)).reason == "unread"
    sides = {"value": [50.0, 51] * HOUR + [None] * 30}
    assert verdict(criterion, frame_of(criterion, sides, sides, minutes=150)).verdict == "parity"


def test_the_built_in_criteria_do_not_notice() -> None:
    criterion, errors = own(margin=5), Criterion.model_validate({"metric": "target_5xx_rate", "margin": "1pp"})
    own_sides = {"value": [50.0, 51] * HOUR}
    frame = frame_of(criterion, own_sides, own_sides, minutes=2 * HOUR)
    alone = frame[frame["stat"] == "sum"]
    together, without = (judge(rows, [errors], window=window(120)).criteria[0] for rows in (frame, alone))
    assert together == without


def test_only_configured_series_are_needed() -> None:
    criterion, other = own(), own(canary="service(photo, other)")
    (series,) = criterion.series("canary").values()
    assert is_needed(series, [criterion]) and not is_needed(series, [other]) and not is_needed(series)
