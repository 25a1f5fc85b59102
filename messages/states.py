"""Names of sources and labels of their states."""

from messages.i18n import LazyText, lazy
from sources.base import CheckState, HealthState

_SOURCE_NAMES: dict[str, LazyText | str] = {
    "cloudwatch": "CloudWatch",
    "load_balancer": "Elastic Load Balancing",
    "codedeploy": "CodeDeploy",
    "ecs": "Amazon ECS",
    "mackerel": "Mackerel",
    "mackerel_events": lazy("Mackerel alerts and annotations"),
    "mackerel_batches": lazy("Mackerel batches"),
    "mackerel_criteria": lazy("Mackerel criteria"),
    "cloudwatch_criteria": lazy("CloudWatch criteria"),
    "eventbridge": "EventBridge",
    "lambda": lazy("CloudWatch (Lambda)"),
    "demo": lazy("Demo metrics"),
    "demo_batches": lazy("Demo batches"),
    "function_logs": lazy("Logs of batch runs"),
    "demo_triggers": lazy("Demo rules"),
    "demo_lambda": lazy("Demo functions"),
    "demo_traffic": lazy("Demo weights"),
    "cloudtrail": "CloudTrail",
    "demo_events": lazy("Demo events"),
    "demo_audit_log": lazy("Demo audit log"),
    "demo_deployments": lazy("Demo deployments"),
    "access_logs": lazy("Access logs"),
    "athena": lazy("Athena"),
    "demo_logs": lazy("Demo access logs"),
    "archive": lazy("Archive"),
    "tfstate": lazy("Terraform state"),
    "tfstate_s3": lazy("Terraform state in S3"),
    "cloudformation": "CloudFormation",
    "sign_in": lazy("Sign-in"),
    "slack": "Slack",
    "webhook": lazy("Webhook"),
    "sns": "Amazon SNS",
    "mackerel_annotations": lazy("Mackerel annotations"),
}
STATE_LABELS: dict[HealthState, LazyText] = {
    "up": lazy("OK"),
    "slow": lazy("slow"),
    "partial": lazy("partial"),
    "throttled": lazy("throttled"),
    "denied": lazy("access denied"),
    "down": lazy("unavailable"),
}
CHECK_LABELS: dict[CheckState, LazyText] = {
    "up": lazy("ok"),
    "slow": lazy("slow"),
    "throttled": lazy("throttled"),
    "denied": lazy("access denied"),
    "failed": lazy("failed"),
    "not_checked": lazy("not checked"),
    "never_reported": lazy("never reported"),
    "idle": lazy("never reported"),
    "stale": lazy("stale"),
}


def source_name(name: str) -> str:
    return str(_SOURCE_NAMES.get(name, name))
