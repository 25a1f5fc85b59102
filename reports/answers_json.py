"""What was answered, and what failed or slow requests have in common, as JSON. docs/cli.md documents the shapes."""

from typing import Any

from analysis.endpoints.answers import Finding, SizeRow
from analysis.endpoints.why import Common, Why
from domain import FLEETS
from reports.judgement_json import pick
from services.log_details import LogDetails


def answers_json(details: LogDetails) -> dict[str, Any]:
    answers = details.answers
    return {
        "compared": answers.compared,
        "excluded": list(answers.excluded),
        "findings": [_finding_json(finding) for finding in answers.findings],
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    row = finding.row
    result: dict[str, Any] = {"route": row.route, "kind": finding.kind}
    if isinstance(row, SizeRow):
        result |= pick(row, "method", "status")
        result |= {
            fleet: {"requests": row.requests[fleet], "mean_bytes": round(row.mean_bytes[fleet] or 0, 1)}
            for fleet in FLEETS
        }
    else:
        result |= {"value": row.value}
        result |= {fleet: {"requests": row.requests[fleet], "of": row.all_requests[fleet]} for fleet in FLEETS}
    return result | pick(finding.judged, "estimate", "lower", "upper")


def why_json(why: Why) -> dict[str, Any]:
    names = ("worse", "kind", "events", "requests", "looked_at")
    slow_from_ms = why.slow_from_ms if why.kind == "slow" else None
    common = [_common_json(item) for item in why.common]
    return {**pick(why, *names), "slow_from_ms": slow_from_ms, "common": common, "missing": list(why.missing)}


def _common_json(item: Common) -> dict[str, Any]:
    sides = {
        name: pick(side, "events", "all_events", "requests", "all_requests")
        for name, side in (("on_worse", item.worse), ("on_other", item.other))
    }
    return {**pick(item, "trait", "value", "divergence", "p_value", "is_against_other"), **sides}
