"""One record of CloudTrail as a change of a rule: what it says now, who changed it and how. Pure.

The spelling of ELBv2's parameters in CloudTrail is documented for none of these calls, so that names are read whatever their case, the reply before
the request, and what cannot be understood is a change of which only the author and the time are known.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from domain import ChangeTool, FleetName, WeightChange
from sources.aws.load_balancer import parse_rule

SOURCE = "cloudtrail"
OPERATIONS = ("ModifyRule", "ModifyListener", "CreateRule", "DeleteRule", "SetRulePriorities")

# As boto3 spells them, by how they are written in small letters.
_BOTO3_NAMES = {
    name.lower(): name
    for name in (
        *("RuleArn", "ListenerArn", "Rules", "Listeners", "RulePriorities", "Priority", "Actions", "DefaultActions"),
        *("Type", "Order", "TargetGroupArn", "ForwardConfig", "TargetGroups", "Weight", "TargetGroupStickinessConfig"),
        *("Enabled", "DurationSeconds", "Conditions", "Field", "Values", "RegexValues", "HttpHeaderConfig"),
        *("HttpHeaderName", "HostHeaderConfig", "PathPatternConfig", "QueryStringConfig", "SourceIpConfig"),
        *("HttpRequestMethodConfig", "Key", "Value", "Protocol", "Port"),
    )
}
_NUMERIC_FIELDS = {"Weight", "Order", "DurationSeconds", "Port"}
# A session that a program named: its role says more.
_GENERATED_SESSION_NAME = re.compile(r"(aws-go-sdk|botocore-session|aws-sdk|i-[0-9a-f]{8,})[\w-]*|\d+|[0-9a-f-]{32,}")
_ROLE = re.compile(r":assumed-role/([^/]+)/(.+)$")
# What a user agent, a service or an address tells of how it was done; the first that fits.
_TOOL_PATTERNS: tuple[tuple[ChangeTool, re.Pattern[str]], ...] = (
    ("deployment", re.compile(r"\b(codedeploy|ecs|ecs-tasks)\.amazonaws\.com\b")),
    ("cloudformation", re.compile(r"\bcloudformation\.amazonaws\.com\b|\baws-cdk\b")),
    ("terraform", re.compile(r"\bterraform\b|\bopentofu\b")),
    ("cli", re.compile(r"\baws-cli/")),
    ("program", re.compile(r"\b(boto3|botocore|aws-sdk-)|\becspresso\b")),
    ("console", re.compile(r"\b(console|signin)\.amazonaws\.com\b|^mozilla/|\baws internal\b")),
)


def parse_weight_changes(text: str, *, load_balancer: str, fleet_of: Mapping[str, FleetName]) -> Iterator[WeightChange]:
    """The changes that a record (the JSON text `CloudTrailEvent`) tells of rules of the load balancer `home` ("app/photo/50dc6c495c0c9188").

    None where the call failed, or is about another load balancer. Raises ValueError where it is no record at all.
    """
    record = _as_dict(json.loads(text))
    operation = next(
        (one for one in OPERATIONS if one.lower() == str(_get_ignoring_case(record, "eventName")).lower()), ""
    )
    if not operation or _get_ignoring_case(record, "errorCode"):
        return
    at = int(datetime.fromisoformat(str(_get_ignoring_case(record, "eventTime"))).timestamp())
    identity = _as_dict(_get_ignoring_case(record, "userIdentity"))
    for place, told in enumerate(_rule_payloads(operation, record)):
        arn = str(told.get("RuleArn") or told.get("ListenerArn") or "")
        if not re.search(rf":listener(-rule)?/{re.escape(load_balancer)}/", arn):
            continue
        try:
            after, about = _parse_share(told, fleet_of)
        except (TypeError, ValueError, AttributeError, LookupError):  # in words that were never seen
            after, about = "unsaid", ""
        yield WeightChange(
            ts=at,
            since=at,
            before=None,
            after=None if after == "unsaid" else after,
            rule=arn,
            operation=operation,
            author=_actor(identity),
            tool=_tool(record, identity),
            sources=(SOURCE,),
            key=f"{_get_ignoring_case(record, 'eventID')}:{place}",
            affects_weights=after != "unsaid" or operation == "DeleteRule",
            about=about,
            raw=text,
        )


def _rule_payloads(operation: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the record says of each rule, as boto3 would: the reply, and of what that leaves out the request."""
    request, reply = (
        _normalize(_as_dict(_get_ignoring_case(record, name))) for name in ("requestParameters", "responseElements")
    )
    if operation == "SetRulePriorities":
        return _as_dicts(request.get("RulePriorities"))
    answered = _as_dicts(reply.get("Listeners" if operation == "ModifyListener" else "Rules"))
    if operation == "ModifyListener":
        told = {name: request[name] for name in ("ListenerArn", "DefaultActions") if name in request}
        told |= {name: answered[0][name] for name in told.keys() | {"ListenerArn"} if answered and name in answered[0]}
        # One that only changes a certificate or a policy says nothing of actions in its request; then its reply only repeats them.
        return [{"ListenerArn": told.get("ListenerArn"), "Actions": told.get("DefaultActions"), "IsDefault": True}]
    told = request | {name: what for name, what in (answered[0] if answered else {}).items() if what}
    if operation == "ModifyRule" and "Actions" not in request:
        told.pop("Actions", None)
    return [{name: what for name, what in told.items() if name != "ListenerArn"}]


def _parse_share(
    told: Mapping[str, Any], fleet_of: Mapping[str, FleetName]
) -> tuple[float | Literal["unsaid"] | None, str]:
    """The canary's share (None: the rule sends nothing to either fleet), and the rule in one line, as in "X-Canary: ecs → photo-ecs-green 1"."""
    if not told.get("Actions"):
        return "unsaid", f"priority {told['Priority']}" if told.get("Priority") else ""
    rule = parse_rule(told, {}, fleet_of)
    ours = any(share.fleet for share in rule.shares) and rule.configured_shares
    conditions = ", ".join(f"{one.name or one.field}: {' | '.join(one.patterns)}" for one in rule.conditions)
    groups = ", ".join(f"{share.target_group} {share.weight}" for share in rule.shares) or rule.action
    return float(
        rule.configured_shares["canary"]
    ) if ours else None, f"{conditions} → {groups}" if conditions else groups


def _actor(identity: Mapping[str, Any]) -> str:
    """A user's name, a session's, "root", or the service that did it; "" where nobody is named."""
    kind, arn = str(_get_ignoring_case(identity, "type") or ""), str(_get_ignoring_case(identity, "arn") or "")
    if kind == "Root":
        return "root"
    if found := _ROLE.search(arn):
        role, session = found.groups()
        return role if _GENERATED_SESSION_NAME.fullmatch(session) else session
    named = _get_ignoring_case(identity, "userName") or _get_ignoring_case(identity, "invokedBy")
    return str(named or arn.rpartition("/")[2] or _get_ignoring_case(identity, "principalId") or "")


def _tool(record: Mapping[str, Any], identity: Mapping[str, Any]) -> ChangeTool:
    hints = [
        _get_ignoring_case(identity, "invokedBy"),
        _get_ignoring_case(record, "userAgent"),
        _get_ignoring_case(record, "sourceIPAddress"),
    ]
    for how, pattern in _TOOL_PATTERNS:
        if any(pattern.search(str(hint).lower()) for hint in hints if hint):
            return how
    return "console" if str(_get_ignoring_case(record, "sessionCredentialFromConsole")).lower() == "true" else "unknown"


def _get_ignoring_case(record: Mapping[str, Any], name: str) -> Any:
    """What stands under a name, whatever its case."""
    return next((record[key] for key in record if key.lower() == name.lower()), None)


def _as_dict(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _as_dicts(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _normalize(found: Any) -> Any:
    """The same with names as boto3 spells them, numbers that were written as text as numbers, and without what is null."""
    if isinstance(found, list):
        return [_normalize(one) for one in found]
    if not isinstance(found, dict):
        return found
    spelt = {_BOTO3_NAMES.get(key.lower(), key[:1].upper() + key[1:]): what for key, what in found.items()}
    return {
        key: _to_int(what) if key in _NUMERIC_FIELDS else _normalize(what)
        for key, what in spelt.items()
        if what is not None
    }


def _to_int(found: Any) -> Any:
    return int(found) if isinstance(found, str) and found.isdecimal() else found
