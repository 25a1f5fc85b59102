"""Building and checking tidy frames."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from domain import COLUMNS, FrameError, Series, assemble, check_frame, empty_frame, epoch_s

REQUESTS = Series("cloudwatch", "baseline", "photo-ec2", "requests", "sum", "count")
P95 = Series("cloudwatch", "canary", "photo-ecs", "latency", "p95", "s")
ALB = Series("cloudwatch", "load_balancer", "", "alb_5xx", "sum", "count")


def three_row_frame() -> pd.DataFrame:
    return assemble(
        [REQUESTS, P95, ALB], np.array([0, 1, 0]), np.array([60, 60, 120]), np.array([812.0, 0.284, 799.0]), 60
    )


def test_rows_have_the_labels_of_their_series() -> None:
    frame = check_frame(three_row_frame())
    assert tuple(frame.columns) == COLUMNS
    assert frame.astype({"ts": str}).to_dict("records")[1] == {
        "ts": "1970-01-01 00:01:00+00:00",
        "fleet": "canary",
        "target_group": "photo-ecs",
        "metric": "latency",
        "stat": "p95",
        "value": 0.284,
        "unit": "s",
        "period_s": 60,
        "source": "cloudwatch",
    }
    assert list(epoch_s(frame)) == [60, 60, 120]


def test_periods_may_differ() -> None:
    frame = assemble([REQUESTS], np.array([0, 0]), np.array([300, 600]), np.array([1.0, 2.0]), np.array([300, 60]))
    assert list(check_frame(frame)["period_s"]) == [300, 60]


def test_an_empty_frame_is_tidy() -> None:
    assert check_frame(empty_frame()).empty
    assert epoch_s(empty_frame()).tolist() == []


def test_the_same_series_may_have_two_periods() -> None:
    frame = assemble([REQUESTS], np.array([0, 0]), np.array([3600, 3600]), np.array([1.0, 2.0]), np.array([60, 300]))
    assert len(check_frame(frame)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="unit"), "A tidy frame has the columns ts, fleet, "),
        (lambda frame: frame[list(reversed(COLUMNS))], "A tidy frame has the columns ts, fleet, "),
        (lambda frame: frame.assign(ts=frame["ts"].dt.tz_convert("Asia/Tokyo")), "`ts` is in UTC, but this one is "),
        (lambda frame: frame.assign(ts=frame["ts"].dt.tz_localize(None)), "`ts` is in UTC, but this one is "),
        (
            lambda frame: frame.assign(value=np.nan),
            "Every `value` is a finite float: a missing minute is an absent row",
        ),
        (
            lambda frame: frame.assign(value=np.inf),
            "Every `value` is a finite float: a missing minute is an absent row",
        ),
        (lambda frame: frame.assign(value=1), "Every `value` is a finite float: a missing minute is an absent row"),
        (lambda frame: frame.assign(fleet="blue"), "`fleet` is one of baseline, canary, load_balancer, not blue."),
        (lambda frame: frame.assign(period_s=300), "Every `ts` is the start of its period: a multiple of `period_s`"),
        (lambda frame: pd.concat([frame, frame]), "The same statistic of the same group and period stands twice."),
    ],
)
def test_frames_that_are_not_tidy(change: Callable[[pd.DataFrame], pd.DataFrame], message: str) -> None:
    with pytest.raises(FrameError) as caught:
        check_frame(change(three_row_frame()))
    assert str(caught.value).startswith(message)


def test_rows_with_a_different_label_are_different() -> None:
    series = [
        REQUESTS,
        Series("mackerel", "baseline", "photo-ec2", "requests", "sum", "count"),
        Series("cloudwatch", "canary", "photo-ec2", "requests", "sum", "count"),
        Series("cloudwatch", "baseline", "photo-ec3", "requests", "sum", "count"),
        Series("cloudwatch", "baseline", "photo-ec2", "target_2xx", "sum", "count"),
        Series("cloudwatch", "baseline", "photo-ec2", "requests", "average", "count"),
        Series("cloudwatch", "baseline", "photo-ec2", "requests", "sum", "s"),
    ]
    frame = assemble(series, np.arange(7), np.full(7, 60), np.ones(7), 60)
    assert len(check_frame(frame)) == 7
