"""Weights, weight changes, alerts, deployment states and triggers, as sources return them."""

from domain import Event, Rule, Share, Traffic, WeightChange
from domain.deployments import Deployment, EcsService, ServiceEvent, TaskSet, TrafficRoute
from domain.triggers import Trigger
from tests.fakes.metric_source import NOON

PRIMARY = TaskSet("ecs-svc/2", "PRIMARY", "web:42", "photo-ecs-green", 4, 4, 0, stability="STEADY_STATE")
SERVICE = EcsService(
    "canary", "photo/web", "ACTIVE", "CODE_DEPLOY", "codedeploy", 4, 4, 0, "web:42",
    task_sets=(PRIMARY,), events=(ServiceEvent(NOON - 60, "has reached a steady state."),),
)  # fmt: skip
DEPLOYMENT = Deployment(
    "ecs",
    "abc",
    "canary",
    "SUCCESSFUL",
    NOON - 3600,
    ended=NOON - 1800,
    task_definition="web:42",
    previous_task_definition="web:41",
    task_sets=(
        TaskSet("2", "target", "web:42", "photo-ecs-green", 4, 4, 0, 100.0, container_images=("registry/web:1a2b3c",)),
        TaskSet("1", "source", "web:41", "photo-ecs-blue", 4, 4, 0, 0.0),
    ),
)
ROUTE = TrafficRoute(("photo-ecs-blue", "photo-ecs-green"), listener_arn="arn:listener")
RULE = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:listener-rule/app/photo/50dc6c495c0c9188/0467ef3c8400ae65/f8f3c3e3f0a1b2c3"


def weighted_traffic(baseline: int, canary: int) -> Traffic:
    shares = (Share("arn:ec2", "photo-ec2", "baseline", baseline), Share("arn:ecs", "photo-ecs", "canary", canary))
    rule = Rule(RULE, "arn:listener", "HTTPS:443", "10", "forward", (), shares, None)
    return Traffic(0, (rule,), (), RULE)


TRAFFIC = weighted_traffic(90, 10)


def make_alert(key: str, first: int, end: int | None = None, *, open: bool = False) -> Event:
    until = None if end is None else NOON + end * 60
    return Event(NOON + first * 60, until, "alert", "5xx", "", "canary", "", "mackerel_events", key, open)


def logged_change(second: int, after: float | None, rule: str = RULE, operation: str = "ModifyRule") -> WeightChange:
    at = NOON + second
    return WeightChange(
        at, at, None, after, rule, operation, "naoko", "console", ("cloudtrail",), f"{second}{rule}", raw="{}"
    )


TRIGGER = Trigger("thumbnails", "rule", "photo-thumbnails", "rate(5 minutes)", "UTC", enabled=True)
