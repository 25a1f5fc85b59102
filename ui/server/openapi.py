"""The gate's interface as OpenAPI, for clients and their authors. Tests hold real answers against it."""

from typing import Any, get_args

from analysis import Verdict
from domain.decision import EXIT_CODES, ReasonCode, RoutesState
from domain.version import version
from ui.server.gate import MAX_BODY_BYTES
from ui.server.paths import DECISION_PATH, ROLLBACK_PATH

_DECISION = {
    "type": "string",
    "enum": list(EXIT_CODES),
    "description": "May the migration go on? Only `continue` says so.",
}
_TIME = {"type": ["string", "null"], "format": "date-time"}
_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_EXIT_CODE = {"type": "integer", "enum": sorted(set(EXIT_CODES.values()))}
_SHARES = {
    "type": "object",
    "description": "0–1 by fleet; empty if unknown.",
    "properties": {fleet: {"type": "number", "minimum": 0, "maximum": 1} for fleet in ("baseline", "canary")},
    "additionalProperties": False,
}
_OPTIONAL_COUNT = {"type": ["integer", "null"]}


def _object(properties: dict[str, Any], *, closed: bool = False) -> dict[str, Any]:
    """All of `properties` are required. Unless `closed`, keys may be added within one schema number."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        **({"additionalProperties": False} if closed else {}),
    }


_VERDICT = {"type": ["string", "null"], "enum": [*get_args(Verdict), None], "description": "`null` without data."}
_REASON = _object(
    {
        "code": {"type": "string", "enum": list(get_args(ReasonCode))},
        "subject": _TEXT,
        "minutes": {**_OPTIONAL_COUNT, "description": "Forecast until a criterion is decided."},
        "sentence": _TEXT,
    },
    closed=True,
)
_CRITERION = _object(
    {
        "metric": _TEXT,
        "verdict": {"type": "string", "enum": list(get_args(Verdict))},
        "critical": _FLAG,
        "sentence": _TEXT,
        **{name: {"type": ["number", "null"]} for name in ("estimate", "lower", "upper", "margin")},
        "minutes_to_decision": _OPTIONAL_COUNT,
    }
)
_SIGN_OFF = _object(
    {
        "sequence": {"type": "integer"},
        "name": _TEXT,
        "verified": {**_FLAG, "description": "By a sign-in; else the name was typed."},
        "signed_at": _TIME,
        "decision": _DECISION,
        "sentence": _TEXT,
        "evidence_sha256": _TEXT,
        "hash": _TEXT,
        "problem": {"type": ["string", "null"]},
    }
)
_LEDGER = _object({"intact": _FLAG, "sign_offs": {"type": "integer"}, "problems": {"type": "array"}})
_PHASE = _object(
    {"number": _OPTIONAL_COUNT, "name": {"type": ["string", "null"]}, "canary_share": {"type": ["number", "null"]}}
)
SCHEMAS = {
    "Decision": _object(
        {
            "schema": {
                "const": 1,
                "description": "Within one schema number keys may be added, none is renamed or removed.",
            },
            "migration": _TEXT,
            "ok": _FLAG,
            "decision": _DECISION,
            "verdict": _VERDICT,
            "exit_code": {**_EXIT_CODE, "description": "That of `cli.py judge`."},
            "headline": {
                **_TEXT,
                "description": "In the language of the process that recorded it (MIGRATION_LANGUAGE).",
            },
            "reasons": {"type": "array", "items": {"$ref": "#/components/schemas/Reason"}},
            "incidents": {"type": "array", "items": _object({"id": _TEXT, "kind": _TEXT, "open": _FLAG})},
            "phase": {"oneOf": [_PHASE, {"type": "null"}]},
            "configured": _SHARES,
            "observed": _SHARES,
            "routes": _object(
                {
                    "state": {"type": "string", "enum": list(get_args(RoutesState))},
                    "regressed": {"type": ["array", "null"], "items": _TEXT},
                }
            ),
            "criteria": {"type": "array", "items": {"$ref": "#/components/schemas/Criterion"}},
            "sign_offs": {"type": "array", "items": _SIGN_OFF, "description": "The signatures under the phase."},
            "ledger": {"oneOf": [_LEDGER, {"type": "null"}], "description": "All sign-offs of the migration."},
            "data_until": {**_TIME, "description": "The end of the newest minute with requests."},
            "recorded_at": _TIME,
            "age_s": {**_OPTIONAL_COUNT, "minimum": 0, "description": "Since it was recorded."},
            "recorded": {
                "description": "As it was recorded: differs from `decision` if that is not of now any more.",
                "oneOf": [
                    _object(
                        {"decision": _DECISION, "verdict": _VERDICT, "exit_code": _EXIT_CODE, "headline": _TEXT},
                        closed=True,
                    ),
                    {"type": "null"},
                ],
            },
            "gate": {"type": ["string", "null"]},
            "dry_run": _FLAG,
        }
    ),
    "Short": _object(
        {
            "schema": {"const": 1},
            "decision": _DECISION,
            "exit_code": _EXIT_CODE,
            "headline": _TEXT,
            "migration": _TEXT,
            "recorded_at": _TIME,
            "age_s": _OPTIONAL_COUNT,
            "gate": {"type": ["string", "null"]},
            "dry_run": _FLAG,
            "sentences": {"type": "array", "items": _TEXT},
        },
        closed=True,
    ),
    "Reason": _REASON,
    "Criterion": _CRITERION,
}


def _parameter(name: str, schema: dict[str, Any], description: str, *, place: str = "query") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


_MIGRATION = _parameter("migration", _TEXT, "Its slug, as in the URL of its pages. Required if there are several.")
_DRY_RUN = _parameter("dry_run", {"enum": ["0", "1"]}, "Never refuses (of a rollback: never asks for one).")
_SHARE = _parameter("share", _TEXT, "The canary's configured share in percent: the decision must be of this one.")
_GATE = _parameter("gate", {"enum": ["argo", "flagger", "strict"]}, "Which statuses say what.")
_PHASE_PATH = _parameter("phase", _TEXT, "A number, a name (`2 · 10%`), or `current`.", place="path")
_ERRORS = {
    "400": "A parameter is unknown, repeated or invalid.",
    "401": "The token is missing or wrong.",
    "403": "No GATE_TOKEN is set, and the request is not from this machine. Or: a host that is not allowed, in text.",
    "404": "No such migration, or no decision of this phase.",
    "405": "POST without gate=flagger, or another method.",
    "413": f"A body of more than {MAX_BODY_BYTES} bytes.",
}
_REFUSALS = {
    "409": "wait or hold (gate=flagger: also roll_back)",
    "412": "roll_back (gate=strict)",
    "503": "no_data: too old, of other weights, none recorded, or the archive cannot be read",
}


def _responses(descriptions: dict[str, str], schema: str = "Decision") -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {status: {"description": description, "content": content} for status, description in descriptions.items()}


def _get(parameters: list[dict[str, Any]], operation: str) -> dict[str, Any]:
    headers = {"ETag": {"schema": _TEXT}, "Cache-Control": {"schema": {"const": "no-store"}}}
    responses = _responses({"200": "The decision", **_REFUSALS, **_ERRORS})
    # With gate=flagger the answer is short, because it becomes an event of Kubernetes.
    for status in ("200", "409", "503"):
        schema = responses[status]["content"]["application/json"]["schema"]
        responses[status]["content"] = {
            "application/json": {"schema": {"anyOf": [schema, {"$ref": "#/components/schemas/Short"}]}}
        }
    responses["200"]["headers"] = headers
    responses["304"] = {"description": "The same as the If-None-Match of the request."}
    return {
        "operationId": operation,
        "summary": "The last recorded decision",
        "parameters": [*parameters, _GATE, _SHARE, _DRY_RUN, _MIGRATION],
        "responses": responses,
    }


def _post(parameters: list[dict[str, Any]], operation: str, summary: str) -> dict[str, Any]:
    refused = {"409": "Not now", "503": "no_data"}
    return {
        "operationId": operation,
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"description": "Ignored.", "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {**_responses({"200": "Yes", **refused}, "Short"), **_responses(_ERRORS)},
    }


def _rollback(parameters: list[dict[str, Any]], operation: str) -> dict[str, Any]:
    parameters = [*parameters, _SHARE, _DRY_RUN, _MIGRATION]
    return _post(parameters, operation, "Flagger's hook `rollback`, inverted: 2xx only for roll_back")


def _decision(parameters: list[dict[str, Any]], suffix: str) -> dict[str, Any]:
    webhook = [*parameters, _GATE, _SHARE, _DRY_RUN, _MIGRATION]
    return {
        "get": _get(parameters, f"decision{suffix}"),
        "post": _post(webhook, f"webhook{suffix}", "Flagger's hooks (gate=flagger): 2xx only for continue"),
    }


OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Migration dashboard: gate",
        "version": version(),
        "description": "May the migration go on? The decision of the Live page, for pipelines.",
    },
    "paths": {
        DECISION_PATH: _decision([], ""),
        f"{DECISION_PATH}/{{phase}}": _decision([_PHASE_PATH], "OfPhase"),
        ROLLBACK_PATH: {"post": _rollback([], "rollback")},
        f"{ROLLBACK_PATH}/{{phase}}": {"post": _rollback([_PHASE_PATH], "rollbackOfPhase")},
    },
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer", "description": "GATE_TOKEN, where it is set"}
        },
    },
    "security": [{"token": []}, {}],
}
