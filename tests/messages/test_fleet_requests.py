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
            "Requests of ECS are unknown: CloudWatch could not be read.",
        ),
        (
            canary("not_asked"),
            "Requests of ECS in this window are unknown: not yet requested from CloudWatch.",
        ),
        (canary("not_asked", "csv"), "The CSV has no requests of ECS in this window."),
        (canary("not_yet"), "No final minutes of ECS yet: recent minutes may still change."),
        (canary("none"), "CloudWatch: no requests of ECS in this window."),
        (canary("none", ""), "ECS had no requests in this window."),
        (canary("none", zero_share=True), "ECS is configured with 0%: no requests expected."),
        (
            canary("never_reported", groups=("photo-ecs",)),
            "CloudWatch has never reported requests of ECS (target group photo-ecs).",
        ),
    ],
)
def test_one_fleet(requests: FleetRequests, expected: str) -> None:
    assert fleet_requests.missing((COUNTED, requests), LABELS) == expected


def test_both_fleets_in_the_same_state_share_a_sentence() -> None:
    both = (FleetRequests("baseline", "unknown", source="mackerel"), canary("unknown", "mackerel"))
    assert fleet_requests.missing(both, LABELS) == ("Requests of EC2 and ECS are unknown: Mackerel could not be read.")


def test_fleets_in_different_states_have_a_sentence_each() -> None:
    baseline = FleetRequests("baseline", "none", 0, "cloudwatch")
    assert fleet_requests.missing((baseline, canary("unknown")), LABELS) == (
        "Requests of ECS are unknown: CloudWatch could not be read. CloudWatch: no requests of EC2 in this window."
    )
    assert fleet_requests.missing((COUNTED,), LABELS) == ""


@pytest.mark.parametrize(
    ("source", "settings"),
    [
        (
            "cloudwatch",
            "Check account, region, `load_balancer` and the target group's ARN.",
        ),
        ("mackerel", "Check the API key's organization, `mackerel.alb_host` and the target group's name."),
    ],
)
def test_what_to_check_if_a_group_has_never_reported(source: str, settings: str) -> None:
    explained = fleet_requests.missing_explained((canary("never_reported", source, groups=("photo-ecs",)),), LABELS)
    assert explained.endswith(
        f"(target group photo-ecs). {settings} If these are correct, ECS has had no requests yet: check its weight and targets."
    )
    assert fleet_requests.missing_explained((canary("none"),), LABELS) == fleet_requests.missing(
        (canary("none"),), LABELS
    )
