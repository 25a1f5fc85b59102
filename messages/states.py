"""Names of sources and labels of their states."""

from messages.i18n import _
from sources.base import CheckState, HealthState

_SOURCE_NAMES = {
    "cloudwatch": "CloudWatch",
    "load_balancer": "Elastic Load Balancing",
    "codedeploy": "CodeDeploy",
    "ecs": "Amazon ECS",
    "mackerel": "Mackerel",
    "mackerel_events": _("Mackerel alerts and annotations"),
    "mackerel_batches": _("Mackerel batches"),
    "eventbridge": "EventBridge",
    "lambda": _("CloudWatch of Lambda"),
    "demo": _("Demo metrics"),
    "demo_batches": _("Demo batches"),
    "demo_triggers": _("Demo rules"),
    "demo_lambda": _("Demo functions"),
    "demo_traffic": _("Demo weights"),
    "cloudtrail": "CloudTrail",
    "demo_events": _("Demo events"),
    "demo_audit_log": _("Demo log of changes"),
    "demo_deployments": _("Demo deployments"),
    "access_logs": _("Access logs"),
    "athena": _("Athena"),
    "demo_logs": _("Demo access logs"),
    "archive": _("Archive"),
}
STATE_LABELS: dict[HealthState, str] = {
    "up": _("up"),
    "slow": _("slow"),
    "partial": _("partial"),
    "throttled": _("throttled"),
    "denied": _("denied"),
    "down": _("down"),
}
CHECK_LABELS: dict[CheckState, str] = {
    "up": _("ok"),
    "slow": _("slow"),
    "throttled": _("throttled"),
    "denied": _("denied"),
    "failed": _("failed"),
    "not_checked": _("not checked"),
    "never_reported": _("never reported"),
    "idle": _("never reported"),
    "stale": _("stale"),
}


def source_name(name: str) -> str:
    return _SOURCE_NAMES.get(name, name)
