"""Criteria whose source is CloudWatch, with responses that botocore's Stubber checks against its service model."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from domain import Window
from sources.aws.cloudwatch_criteria import CloudWatchCriteria
from tests.factories.config import make_migration
from tests.factories.config_issues import COUNT, CPU, own_table

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window.last(3, now=NOW)
START = WINDOW.starts_at


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(boto3.client("cloudwatch", region_name="ap-northeast-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def source(stub: Stubber, **keys: Any) -> CloudWatchCriteria:
    migration = make_migration("criteria", [own_table(source="cloudwatch", **keys)])
    return CloudWatchCriteria(migration, clock=lambda: NOW, client=stub.client)


def result(query_id: str, *values: float | None) -> dict[str, Any]:
    """A value a minute; None is a minute without a datapoint."""
    points = [(START + timedelta(minutes=i), value) for i, value in enumerate(values) if value is not None]
    times, numbers = zip(*points, strict=True) if points else ((), ())
    return {"Id": query_id, "Timestamps": list(times), "Values": list(numbers), "StatusCode": "Complete"}


def expect(stub: Stubber, queries: Any, *results: dict[str, Any]) -> None:
    expected = {"MetricDataQueries": queries, "StartTime": ANY, "EndTime": ANY, "ScanBy": ANY}
    stub.add_response("get_metric_data", {"MetricDataResults": list(results)}, expected)


def rows(pull: Any) -> list[tuple[str, str, int, float]]:
    start = START.replace(tzinfo=UTC)
    return sorted(
        (row.fleet, row.stat, int((row.ts - start).total_seconds()) // 60, row.value) for row in pull.frame.itertuples()
    )


def stat(name: str, statistic: str = "Average") -> dict[str, Any]:
    metric = {"Namespace": "AWS/ECS", "MetricName": name, "Dimensions": [{"Name": "ClusterName", "Value": "photo"}]}
    return {"Metric": metric, "Period": 60, "Stat": statistic}


def test_a_metric_by_namespace_name_and_dimensions(stub: Stubber) -> None:
    expect(
        stub,
        [{"Id": "q0", "MetricStat": stat("CPUUtilization")}, {"Id": "q1", "MetricStat": stat("MemoryUtilization")}],
        result("q0", 40, None, 42),
        result("q1", 50),
    )
    pull = source(stub, baseline=CPU, canary=CPU | {"name": "MemoryUtilization"}).pull(WINDOW)
    assert rows(pull) == [("baseline", "value", 0, 40), ("baseline", "value", 2, 42), ("canary", "value", 0, 50)]
    assert pull.problems == () and len(pull.answered_ranges[0].series) == 2


def test_metric_math_is_calculated_by_cloudwatch(stub: Stubber) -> None:
    math = {"math": "MAX([used, 1]) - spare", "metrics": {"used": CPU, "spare": CPU | {"name": "MemoryUtilization"}}}
    expect(
        stub,
        [
            {"Id": "q0", "MetricStat": stat("CPUUtilization")},
            {"Id": "q1", "Expression": "MAX([q1_used, 1]) - q1_spare", "Period": 60},
            {"Id": "q1_used", "MetricStat": stat("CPUUtilization"), "ReturnData": False},
            {"Id": "q1_spare", "MetricStat": stat("MemoryUtilization"), "ReturnData": False},
        ],
        result("q0", 1),
        result("q1", 2, 3),
    )
    pull = source(stub, baseline=CPU, canary=math).pull(WINDOW)
    assert rows(pull) == [("baseline", "value", 0, 1), ("canary", "value", 0, 2), ("canary", "value", 1, 3)]


def test_a_rate_is_read_as_its_counts_and_events_that_did_not_occur_are_0(stub: Stubber) -> None:
    math = {"math": "100 * a / b", "metrics": {"a": COUNT | {"name": "Failed"}, "b": COUNT | {"name": "All"}}}
    names = ("Failed", "All", "Failed", "All")
    expect(
        stub,
        [{"Id": f"q{i}", "MetricStat": stat(name, "Sum")} for i, name in enumerate(names)],
        result("q0", 1, None, None),
        result("q1", 10, 20, None),
        result("q2"),
        result("q3", 5),
    )
    criteria = source(stub, baseline=math, canary=math, kind="rate", margin="1pp")
    pull = criteria.pull(WINDOW, [series for series in criteria.series() if series.stat == "total"])
    assert rows(pull) == [
        ("baseline", "events", 0, 1),
        ("baseline", "events", 1, 0),
        ("baseline", "total", 0, 10),
        ("baseline", "total", 1, 20),
        ("canary", "events", 0, 0),
        ("canary", "total", 0, 5),
    ]


def test_a_metric_without_datapoints_has_no_rows(stub: Stubber) -> None:
    expect(stub, ANY, result("q0"), result("q1"))
    assert source(stub, baseline=CPU, canary=CPU).pull(WINDOW).frame.empty
