"""The names of sources, and a label and an explanation for each state that a source or a target can be in."""

from messages.i18n import _
from sources.base import HealthState

# ELBv2's own words for a target: these, and whatever it may think of next.
TARGET_STATES = ("initial", "healthy", "unhealthy", "unhealthy.draining", "unused", "draining", "unavailable")


def source_name(name: str) -> str:
    """A source as a reader knows it."""
    return {
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
        "demo_starters": _("Demo rules"),
        "demo_lambda": _("Demo functions"),
        "demo_traffic": _("Demo weights"),
        "cloudtrail": "CloudTrail",
        "demo_events": _("Demo events"),
        "demo_trail": _("Demo log of changes"),
        "demo_deployments": _("Demo deployments"),
        "access_logs": _("Access logs"),
        "athena": _("Athena"),
        "demo_logs": _("Demo access logs"),
        "archive": _("Archive"),
    }.get(name, name)


def label(state: HealthState) -> str:
    """A source's state in a word."""
    return {
        "up": _("up"),
        "slow": _("slow"),
        "throttled": _("throttled"),
        "denied": _("denied"),
        "down": _("down"),
    }[state]


def explain(state: HealthState) -> str:
    """A source's state in a sentence."""
    return {
        "up": _("It answers, and in good time."),
        "slow": _("It answers, but takes more than five seconds; the numbers on this page are older than usual."),
        "throttled": _("It was asked more often than it allows; what is missing is asked for again by itself."),
        "denied": _("It refuses to answer: the credentials are missing, have run out, or do not allow this."),
        "down": _("It does not answer, or not with anything that can be read; what is shown is the last known data."),
    }[state]


def target_label(state: str) -> str:
    """A target's state as a reader knows it; a word of ELBv2 that is not known here stays as it is."""
    return {
        "initial": _("starting"),
        "healthy": _("healthy"),
        "unhealthy": _("unhealthy"),
        "unhealthy.draining": _("unhealthy, draining"),
        "unused": _("unused"),
        "draining": _("draining"),
        "unavailable": _("health unknown"),
    }.get(state, state)


def explain_target(state: str) -> str:
    """A target's state in a sentence."""
    return {
        "initial": _("It is being registered, or its first health checks are still running; it gets no requests yet."),
        "healthy": _("It passes its health checks and gets requests."),
        "unhealthy": _(
            "It fails its health checks. It gets no requests as long as any target of its group is healthy."
        ),
        "unhealthy.draining": _(
            "It fails its health checks and is being drained: requests under way may finish, new ones go elsewhere."
        ),
        "unused": _("Nothing sends requests to it: its group is in no rule, or its zone is not enabled."),
        "draining": _("It is being deregistered: requests under way may finish, new ones go elsewhere."),
        "unavailable": _("Its group has no health checks, so nobody knows."),
    }.get(state, _("Elastic Load Balancing calls it “{state}”.").format(state=state))
