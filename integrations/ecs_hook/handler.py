"""AWS Lambda function: a lifecycle hook of an ECS deployment, which asks the dashboard's gate whether the traffic may shift on.

docs/gate.md describes its setup. Standard library alone: the file is the deployment package. ECS rolls back when a hook fails, returns anything but
one of its three answers, or runs out of time; so whatever goes wrong here is IN_PROGRESS, and only the decision `roll_back` is FAILED.
"""

import json
import os
import threading
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

HOOK_STATUS = {
    "continue": "SUCCEEDED",
    "wait": "IN_PROGRESS",
    "hold": "IN_PROGRESS",  # until a person has looked, or ECS's own timeout
    "roll_back": "FAILED",
    "no_data": "IN_PROGRESS",
}
# Stages in which the new revision has no production traffic, so that there is nothing to judge. ECS may add others: they are judged.
BEFORE_PRODUCTION = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
)
SHIFTS = ("PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
MIN_DELAY_S, DEFAULT_DELAY_S, MAX_DELAY_S = 30, 60, 300  # a regression may be found before the forecast time
TIMEOUT_S = 10.0  # of the gate, in all
RESERVE_S = 1.0  # of the function's own time-out
MAX_REPLY_BYTES = 1_000_000
SCHEMA = 1


def handler(event: Mapping[str, Any], context: Any = None) -> dict[str, Any]:
    """The reply to ECS: `hookStatus`, with `callBackDelay` in seconds while it is IN_PROGRESS. Never raises."""
    try:
        status, about, minutes = judge(event, remaining_s(context))
    except Exception as error:  # ECS would roll back
        status, about, minutes = "IN_PROGRESS", f"{type(error).__name__}: {error}", None
    if os.environ.get("GATE_DRY_RUN") == "1":
        status, about = "SUCCEEDED", f"dry run, would be {status}: {about}"
    print(json.dumps({"hookStatus": status, "about": about}))  # in ASCII: a log that cannot encode it would raise
    return (
        {"hookStatus": status, "callBackDelay": delay_s(minutes)} if status == "IN_PROGRESS" else {"hookStatus": status}
    )


def judge(event: Mapping[str, Any], remaining_s: float) -> tuple[str, str, float | None]:
    """The hook's status, the reason for the log, and the forecast minutes until there is a decision (None if unknown)."""
    details = event.get("executionDetails", event)  # an earlier version of ECS's documentation has them at the top
    stage, weight = str(event.get("lifecycleStage", "")), green_weight(details)
    if stage in BEFORE_PRODUCTION:
        return "SUCCEEDED", f"{stage}: no production traffic yet", None
    if str(event.get("status", details.get("status", ""))).startswith("ROLLBACK"):
        return "SUCCEEDED", "rolling back", None
    if weight == 0:
        # Before the first step; or while rolling back, when ECS runs the hooks of PRODUCTION_TRAFFIC_SHIFT again: never in its way.
        return "SUCCEEDED", f"{stage}: the new revision has no production traffic", None
    matches_share = os.environ.get("GATE_MATCH_SHARE", "1") != "0"
    if matches_share and weight is None and stage in SHIFTS:
        return "IN_PROGRESS", f"{stage}: no weight of the new revision in the event", None
    migration = str((event.get("hookDetails") or {}).get("migration", os.environ.get("GATE_MIGRATION", "")))
    reply = ask(migration, weight if matches_share else None, min(TIMEOUT_S, remaining_s))
    decision = reply["decision"]
    return HOOK_STATUS[decision], str(reply.get("headline", decision)), minutes_to_decision(reply)


def green_weight(details: Mapping[str, Any]) -> float | None:
    """The production weight (0–100) of the revision that is being deployed; None if the event has none."""
    weights = details.get("productionTrafficWeights") or {}
    weight = weights.get(details.get("targetServiceRevisionArn"))
    return float(weight) if isinstance(weight, int | float) and not isinstance(weight, bool) else None


def minutes_to_decision(reply: Mapping[str, Any]) -> float | None:
    """Until the last criterion is decided; None unless that of each is known."""
    minutes = [reason.get("minutes") for reason in reply.get("reasons", ()) if reason.get("code") == "undecided"]
    known = [number for number in minutes if isinstance(number, int | float) and number >= 0]  # not NaN
    return max(known) if known and len(known) == len(minutes) else None


def delay_s(minutes: float | None) -> int:
    return DEFAULT_DELAY_S if minutes is None else int(min(max(60 * minutes, MIN_DELAY_S), MAX_DELAY_S))


def ask(migration: str, weight: float | None, timeout_s: float) -> Mapping[str, Any]:
    """The gate's decision. Raises an exception if there is none within `timeout_s`, whatever the gate does."""
    replies: list[Mapping[str, Any]] = []
    errors: list[Exception] = []

    def work() -> None:
        try:
            replies.append(_checked(_fetch(_request(migration, weight), timeout_s), migration))
        except Exception as error:
            errors.append(error)

    if timeout_s <= 0:
        raise TimeoutError("no time left")
    thread = threading.Thread(target=work, daemon=True)  # a name server, or one byte a second, has no time-out
    thread.start()
    thread.join(timeout_s)
    if replies:
        return replies[0]
    raise (
        errors[0]
        if errors
        else TimeoutError(f"no reply within {timeout_s:.0f} s: check GATE_URL, and in a VPC its route out")
    )


def _request(migration: str, weight: float | None) -> Request:
    url = urlsplit(os.environ.get("GATE_URL", ""))
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("GATE_URL must be the http(s) URL of the gate, ending in /api/v1/decision")
    query = {**dict(parse_qsl(url.query)), "gate": "argo"}  # 200 for every decision
    query |= {"migration": migration} if migration else {}
    query |= {} if weight is None else {"share": f"{weight:g}"}
    token = os.environ.get("GATE_TOKEN", "")
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return Request(url._replace(query=urlencode(query), fragment="").geturl(), headers=headers)


class _NoRedirects(HTTPRedirectHandler):
    """A sign-in page is no decision, and another host must not have the token."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def _fetch(request: Request, timeout_s: float) -> bytes:
    try:
        with build_opener(_NoRedirects).open(request, timeout=timeout_s) as response:
            body: bytes = response.read(MAX_REPLY_BYTES + 1)
    except HTTPError as error:
        with error:
            raise ValueError(f"HTTP {error.code}: {error.read(300).decode(errors='replace')}") from None
    except URLError as error:
        raise ConnectionError(
            f"no way to the gate ({error.reason}): check GATE_URL, and in a VPC its route out"
        ) from None
    if len(body) > MAX_REPLY_BYTES:
        raise ValueError(f"more than {MAX_REPLY_BYTES} bytes")
    return body


def _checked(body: bytes, migration: str) -> Mapping[str, Any]:
    """A reply that surely is the gate's. Raises ValueError."""
    reply = json.loads(body)
    if not isinstance(reply, dict) or reply.get("schema") != SCHEMA or str(reply.get("decision")) not in HOOK_STATUS:
        raise ValueError("not a decision of the gate")
    if migration and reply.get("migration") != migration:
        raise ValueError(f"a decision of {reply.get('migration')!r}, not of {migration!r}")
    return reply


def remaining_s(context: Any) -> float:
    """What is left of the function's own time, without RESERVE_S: at its end ECS would roll back."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining() / 1000 - RESERVE_S if remaining else TIMEOUT_S
