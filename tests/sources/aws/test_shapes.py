"""Responses whose values have other types than AWS documents: the good items are kept, the others named."""

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.parsers import ResponseParserError

from sources.aws.shapes import INVALID_ITEMS, drop_invalid_items

MODELS = {name: botocore.session.get_session().get_service_model(name) for name in ("codedeploy", "ecs", "cloudwatch")}
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def check(service: str, operation: str, response: dict[str, Any]) -> list[str]:
    """The descriptions of the items that were left out of `response`."""
    drop_invalid_items(response, MODELS[service].operation_model(operation).output_shape)
    return list(response.get("ResponseMetadata", {}).get(INVALID_ITEMS, ()))


@pytest.mark.parametrize(
    ("bad", "description"),
    [
        ({"status": 1}, "status: no string"),
        ({"status": None}, "status: no string"),
        ({"createTime": "yesterday"}, "createTime: no timestamp"),
        ({"revision": []}, "revision: no structure"),
        ({"revision": {"string": {"content": 5}}}, "revision.string.content: no string"),
        ({"deploymentOverview": {"Failed": 2**63}}, "deploymentOverview.Failed: no long"),
        ({"deploymentOverview": {"Failed": True}}, "deploymentOverview.Failed: no long"),
    ],
)
def test_the_good_items_of_a_list_are_kept_and_the_bad_one_is_named(bad: dict[str, Any], description: str) -> None:
    good = {"deploymentId": "d-1", "status": "Succeeded", "createTime": NOW}
    response = {"deploymentsInfo": [good, {**good, **bad}], "unknown": object()}
    assert check("codedeploy", "BatchGetDeployments", response) == [f"deploymentsInfo[1].{description}"]
    assert response["deploymentsInfo"] == [good]


def test_items_of_a_list_of_texts_are_checked_too() -> None:
    response = {"deployments": ["d-1", None], "nextToken": "x"}
    assert check("codedeploy", "ListDeployments", response) == ["deployments[1]: no string"]
    assert response["deployments"] == ["d-1"]


def test_anything_else_is_no_response() -> None:
    with pytest.raises(ResponseParserError, match="nextToken: no string"):
        check("codedeploy", "ListDeployments", {"deployments": [], "nextToken": 5})
    with pytest.raises(ResponseParserError, match="services: no list"):
        check("ecs", "DescribeServices", {"services": {}})


def test_data_points_are_left_to_their_reader() -> None:
    result = {"Id": "q0", "Timestamps": [None], "Values": ["x"]}
    assert check("cloudwatch", "GetMetricData", {"MetricDataResults": [result, {**result, "Values": 5}]}) == [
        "MetricDataResults[1].Values: no list"
    ]
