"""The HTTP gate: the last recorded decision for pipelines, in the dialect of each caller. docs/gate.md describes it.

Nothing is computed for a request: the decision was recorded (services/gate.py). Whatever is not surely the decision of now is "no_data".
"""

import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

from archive import Archive, ArchiveError
from archive.decisions import ASKED_INTERVAL_S, RecordedDecision
from domain import Clock, utc_now
from domain.decision import EXIT_CODES, ReasonCode
from messages import gate as text
from reports.judgement_json import SCHEMA, iso_time
from services.recorded_decision import GateState, parse_body, read_state, why_unusable
from ui.app_context import AppContexts
from ui.server.asgi import Receive, Scope, header_values
from ui.server.recent_read import RecentRead
from ui.server.token_guard import check_token

MAX_BODY_BYTES = 65_536
SHARE_TOLERANCE = 0.0005  # ALB weights are integers
MAX_LOGGED_REQUESTS = 64  # whose last answer is remembered

Dialect = Literal["", "argo", "flagger", "strict"]
# By the decision; of "flagger" and "strict" alone. The others answer 200 if there is any judgement.
STATUS_BY_DIALECT: dict[Dialect, dict[str, int]] = {
    "flagger": {"continue": 200, "wait": 409, "hold": 409, "roll_back": 409, "no_data": 503},
    "strict": {"continue": 200, "wait": 409, "hold": 409, "roll_back": 412, "no_data": 503},
}


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GateRequest:
    """What is asked. `phase`: a number or name, "" for the current one. `share`: that of the canary (0–1) that the caller has configured."""

    phase: str = ""
    dialect: Dialect = ""
    share: float | None = None
    dry_run: bool = False
    is_rollback: bool = False


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """`decision`: the one in the body."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    decision: str = "no_data"


class _RefusedError(Exception):
    """A request that is not answered with a decision: its status, and the sentence of the answer."""

    def __init__(self, status: int, sentence: object) -> None:
        super().__init__(str(sentence))
        self.status = status


@lru_cache(maxsize=64)
def parse_query(query: str, *, phase: str = "", is_rollback: bool = False) -> tuple[str, GateRequest]:
    """The migration ("" if none is named) and the request. An unknown or repeated parameter is refused: a misspelt gate would be none."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("migration", "gate", "share", "dry_run"):
            raise _RefusedError(400, text.invalid_parameter(name, ""))
        if name in values:
            raise _RefusedError(400, text.invalid_parameter(name, "× 1"))
        values[name] = value
    dialect = values.get("gate", "")
    dialects = tuple(name for name in get_args(Dialect) if name)
    if "gate" in values and dialect not in dialects:
        raise _RefusedError(400, text.invalid_parameter("gate", ", ".join(dialects)))
    if values.get("dry_run", "0") not in ("0", "1"):
        raise _RefusedError(400, text.invalid_parameter("dry_run", "0, 1"))
    return values.get("migration", ""), GateRequest(
        phase=phase,
        dialect=dialect,  # type: ignore[arg-type]
        share=_share(values["share"]) if "share" in values else None,
        dry_run=values.get("dry_run") == "1",
        is_rollback=is_rollback,
    )


def _share(percent: str) -> float:
    """ "10", "0.1" or "10%" as 0–1."""
    share = (
        float(percent.removesuffix("%")) / 100
        if re.fullmatch(r"\d{1,3}(\.\d{1,6})?%?", percent, re.ASCII)
        else math.nan
    )
    if not 0 <= share <= 1:
        raise _RefusedError(400, text.invalid_parameter("share", "0 – 100"))
    return share


def no_decision(code: ReasonCode, sentence: str, migration: str = "") -> dict[str, Any]:
    """The answer without a recorded decision: it has the keys that every answer has."""
    return {
        "schema": SCHEMA,
        "migration": migration,
        **_refusal(code, sentence),
        "incidents": [],
        "phase": None,
        "configured": {},
        "observed": {},
        "routes": {"state": "pending", "regressed": None},
        "criteria": [],
        "sign_offs": [],
        "ledger": None,
        "data_until": None,
        "recorded_at": None,
        "age_s": None,
        "recorded": None,
    }


def _refusal(code: ReasonCode, sentence: str) -> dict[str, Any]:
    reason = {"code": code, "subject": "", "minutes": None, "sentence": sentence}
    return {
        "ok": False,
        "exit_code": EXIT_CODES["no_data"],
        "verdict": None,
        "headline": text.headline(sentence),
        "decision": "no_data",
        "reasons": [reason],
    }


def find_decision(state: GateState, phase: str) -> RecordedDecision | None:
    """The one of a phase by its number or name ("2 · 10%"), of the current one for "" or "current"; None if nothing is recorded.

    Raises _RefusedError for a phase without one.
    """
    if not state.decisions or phase in ("", "current"):
        return state.decisions[-1] if state.decisions else None
    number, _, share = (part.strip() for part in phase.partition("·"))
    for decision in state.decisions:
        if number == str(decision.phase) and (not share or share == _share_name(decision)):
            return decision
    raise _RefusedError(404, text.no_such_phase(phase[:80], [decision.phase for decision in state.decisions]))


def _share_name(decision: RecordedDecision) -> str:
    name = (parse_body(decision.body).get("phase") or {}).get("name") or ""
    return str(name).partition("·")[2].strip()


def _why_unusable(state: GateState, decision: RecordedDecision, request: GateRequest, now: float) -> str:
    """Why the recorded decision is not that of now, or not of the share that is asked about, in a sentence; "" if it is."""
    judged = (parse_body(decision.body).get("phase") or {}).get("canary_share")
    reason = why_unusable(state, decision, now)
    if not reason and request.share is not None and (judged is None or abs(judged - request.share) > SHARE_TOLERANCE):
        return text.other_share(request.share, judged)
    return reason


@lru_cache(maxsize=64)
def answer(state: GateState, request: GateRequest, now_s: int) -> GateAnswer:
    """The answer at `now_s` (epoch seconds). Raises _RefusedError."""
    decision = find_decision(state, request.phase)
    if decision is None:
        return _render(request, no_decision("unavailable", str(text.NOT_RECORDED), state.migration), is_judged=False)
    content, reason = parse_body(decision.body), _why_unusable(state, decision, request, now_s)
    recorded = {name: content.get(name) for name in ("decision", "verdict", "exit_code", "headline")}
    body = {
        **no_decision("unavailable", reason, state.migration),
        **content,
        **(_refusal("stale", reason) if reason else {}),
        "recorded_at": iso_time(decision.recorded_at),
        "age_s": max(now_s - decision.recorded_at, 0),
        "recorded": recorded,
    }
    return _render(request, body, is_judged=True)


def _render(request: GateRequest, body: dict[str, Any], *, is_judged: bool) -> GateAnswer:
    status, decision = 200 if is_judged else 503, str(body["decision"])
    if request.is_rollback:
        # Inverted: only a 2xx rolls back, so a dry run has none.
        status = 200 if decision == "roll_back" and not request.dry_run else STATUS_BY_DIALECT["strict"]["hold"]
    elif request.dry_run:
        status = 200
    elif request.dialect in STATUS_BY_DIALECT:
        status = STATUS_BY_DIALECT[request.dialect][decision]
    content = {**body, "gate": request.dialect or None, "dry_run": request.dry_run}
    if request.is_rollback or request.dialect == "flagger":
        content = _in_short(content)
    version = json.dumps({**content, "age_s": 0, "status": status}, sort_keys=True).encode()
    etag = f'W/"{hashlib.sha256(version).hexdigest()[:32]}"'
    return GateAnswer(status, _to_bytes(content), (*_NO_STORE, ("etag", etag)), decision)


def _in_short(body: Mapping[str, Any]) -> dict[str, Any]:
    """What Flagger writes into an event of Kubernetes, which has at most 1,024 characters."""
    names = ("schema", "decision", "exit_code", "headline", "migration", "recorded_at", "age_s", "gate", "dry_run")
    sentences = [str(reason["sentence"])[:200] for reason in body["reasons"][:1]]
    return {**{name: body[name] for name in names}, "headline": str(body["headline"])[:200], "sentences": sentences}


def _to_bytes(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


class Gate:
    """Answers requests about all migrations of this process. `token`: "" if none is set."""

    def __init__(self, contexts: Callable[[], AppContexts | None], token: str, *, clock: Clock = utc_now) -> None:
        self._contexts, self._token, self._clock = contexts, token, clock
        self._states: dict[str, RecentRead[GateState]] = {}
        self._noted_at: dict[str, float] = {}
        self._last: dict[tuple[str, GateRequest], tuple[int, str]] = {}

    async def respond(
        self, scope: Scope, receive: Receive, phase: str = "", *, is_rollback: bool = False
    ) -> GateAnswer:
        """The answer to an http scope, about a phase by its number or name ("": the current one)."""
        try:
            if refusal := check_token(scope, self._token):
                raise _RefusedError(refusal.status, refusal.text)
            query = scope["query_string"].decode("latin-1")
            migration, request = parse_query(query, phase=phase, is_rollback=is_rollback)
            await _check_method(scope, receive, request)
            found = await self._read(*self._target(migration))
            result = answer(found, request, int(self._clock().timestamp()))
        except _RefusedError as error:
            return refuse(error.status, str(error))
        self._log_change(found.migration, request, result)
        if result.status == 200 and _is_known(scope, result.headers):
            return replace(result, status=304, body=b"")
        return result

    def _log_change(self, migration: str, request: GateRequest, result: GateAnswer) -> None:
        """One line for a request, and one whenever its answer changes: callers poll."""
        key, answered = (migration, request), (result.status, result.decision)
        if self._last.get(key) == answered:
            return
        if key not in self._last and len(self._last) >= MAX_LOGGED_REQUESTS:
            self._last.clear()
        self._last[key] = answered
        fields = {
            "migration": migration,
            "decision": result.decision,
            "status": result.status,
            "gate": "rollback" if request.is_rollback else request.dialect or "none",
            "dry_run": request.dry_run,
        }
        logger.info("gate answered", extra=fields)

    def _target(self, migration: str) -> tuple[str, Archive]:
        """The slug and the archive of what was asked for."""
        contexts = self._contexts()
        if contexts is None:
            raise _RefusedError(503, text.NOT_STARTED)
        known = list(contexts.by_slug)
        target = contexts.gate_target(migration or (known[0] if len(known) == 1 else ""))
        if target is None:
            raise _RefusedError(404 if migration else 400, text.no_such_migration(migration[:80], known))
        return target

    async def _read(self, slug: str, archive: Archive) -> GateState:
        found = await self._states.setdefault(slug, RecentRead()).get(lambda: self._read_state(archive, slug))
        if found is None:
            raise _RefusedError(503, text.UNREADABLE)
        return found

    def _read_state(self, archive: Archive, slug: str) -> GateState:
        """Raises ArchiveError. Also notes that the gate is in use, so that access logs are counted for it."""
        state, now = read_state(archive, slug), self._clock().timestamp()
        if state.decisions and now - self._noted_at.get(slug, 0) >= ASKED_INTERVAL_S:
            self._noted_at[slug] = now
            with suppress(ArchiveError):  # its decision can be read
                archive.decisions.note_asked(int(now))
        return state


_NO_STORE = (("cache-control", "no-store"),)
_ERROR_HEADERS = {
    401: (("www-authenticate", 'Bearer realm="gate"'),),
    405: (("allow", "GET, HEAD, POST"),),
    413: (("connection", "close"),),
}


def refuse(status: int, sentence: str) -> GateAnswer:
    """The answer to a request that no decision answers, as "no_data": whatever reads it does not pass."""
    body = {**no_decision("unavailable", sentence), "gate": None, "dry_run": False}
    return GateAnswer(status, _to_bytes(body), (*_NO_STORE, *_ERROR_HEADERS.get(status, ())))


async def _check_method(scope: Scope, receive: Receive, request: GateRequest) -> None:
    """Reads the body of a webhook, which has nothing that the decision depends on."""
    is_webhook = request.dialect == "flagger" or request.is_rollback
    if scope["method"] != "POST" or not is_webhook:
        if scope["method"] not in ("GET", "HEAD"):
            raise _RefusedError(405, text.WRONG_METHOD)
        return
    n_bytes, more = 0, True
    while more:
        event = await receive()
        n_bytes += len(event.get("body", b""))
        if n_bytes > MAX_BODY_BYTES:
            raise _RefusedError(413, text.BODY_TOO_LARGE)
        more = event["type"] == "http.request" and event.get("more_body", False)


def _is_known(scope: Scope, headers: Sequence[tuple[str, str]]) -> bool:
    """Whether the client has this answer already. A caller that only looks at the status sends no If-None-Match."""
    known = {item.strip() for value in header_values(scope, b"if-none-match") for item in value.split(",")}
    return scope["method"] in ("GET", "HEAD") and dict(headers).get("etag") in known
