"""Sentences on requests that are not counted."""

import pytest

from analysis.series.fleet_requests import FleetRequests
from domain import FleetName
from messages import fleet_requests

LABELS: dict[FleetName, str] = {"baseline": "EC2", "canary": "ECS"}
COUNTED = FleetRequests("baseline", "counted", 7, "cloudwatch")


def canary(state: str, source: str = "cloudwatch", **fields: object) -> FleetRequests:
    return FleetRequests("canary", state, source=source, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        (
            canary("unknown"),
            "The requests of ECS could not be read from CloudWatch, so their number is unknown.",
        ),
        (
            canary("not_asked"),
            "CloudWatch was not asked for the requests of ECS in this window, so their number is not known.",
        ),
        (canary("not_asked", "csv"), "The CSV has no line with requests of ECS in this window."),
        (canary("not_yet"), "No minute of ECS is final yet: the newest minutes may still change."),
        (canary("none"), "CloudWatch counted no requests of ECS in this window."),
        (canary("none", ""), "ECS had no requests in this window."),
        (canary("none", zero_share=True), "ECS has a configured share of 0%, so no requests are expected."),
        (
            canary("never_reported", groups=("photo-ecs",)),
            "CloudWatch has never reported a request of ECS (target group photo-ecs).",
        ),
    ],
)
def test_one_fleet(requests: FleetRequests, expected: str) -> None:
    assert fleet_requests.missing((COUNTED, requests), LABELS) == expected


def test_both_fleets_in_the_same_state_share_a_sentence() -> None:
    both = (FleetRequests("baseline", "unknown", source="mackerel"), canary("unknown", "mackerel"))
    assert fleet_requests.missing(both, LABELS) == (
        "The requests of EC2 and ECS could not be read from Mackerel, so their number is unknown."
    )


def test_fleets_in_different_states_have_a_sentence_each() -> None:
    baseline = FleetRequests("baseline", "none", 0, "cloudwatch")
    assert fleet_requests.missing((baseline, canary("unknown")), LABELS) == (
        "The requests of ECS could not be read from CloudWatch, so their number is unknown. "
        "CloudWatch counted no requests of EC2 in this window."
    )
    assert fleet_requests.missing((COUNTED,), LABELS) == ""


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (
            "cloudwatch",
            "Check the account, the region, `load_balancer`, and the name and the end of the target group's ARN.",
        ),
        ("mackerel", "Check the organization of the API key, `mackerel.alb_host` and the target group's name."),
    ],
)
def test_what_to_check_if_a_group_has_never_reported(source: str, settings: str) -> None:
    explained = fleet_requests.missing_explained((canary("never_reported", source, groups=("photo-ecs",)),), LABELS)
    assert explained.endswith(
        f"(target group photo-ecs). {settings} If they are right, no request has reached ECS yet: check its weight and its targets."
    )
    assert fleet_requests.missing_explained((canary("none"),), LABELS) == fleet_requests.missing(
        (canary("none"),), LABELS
    )
