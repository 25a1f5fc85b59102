"""The gate: only a decision of now passes, in the dialect of each caller; and who is answered."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from archive import ArchiveError
from archive.decisions import RecordedDecision
from domain.decision import EXIT_CODES
from services.recorded_decision import GateState
from ui.server.gate import (
    MAX_BODY_BYTES,
    STATUS_BY_DIALECT,
    Gate,
    GateAnswer,
    GateRequest,
    answer,
)

NOW = 1_790_000_000
TOKEN = "s3cret-tökén"


def recorded(
    decision: str = "continue", *, age_s: int = 30, phase: int = 2, share: float | None = 0.1, **keys: Any
) -> RecordedDecision:
    body = {
        "schema": 1,
        "migration": "photo-service",
        "ok": decision == "continue",
        "decision": decision,
        "exit_code": EXIT_CODES.get(decision, 0),  # type: ignore[call-overload]
        "verdict": "parity",
        "headline": f"{decision}!",
        "reasons": []
        if decision == "continue"
        else [{"code": "x", "subject": "", "minutes": 25, "sentence": "Why not."}],
        "phase": {"number": phase, "name": f"{phase} · 10%", "canary_share": share},
        "configured": {"baseline": 0.9, "canary": 0.1},
        "criteria": [{"metric": "error_rate"}],
        **keys,
    }
    return RecordedDecision(phase, NOW - 3600, NOW - age_s, json.dumps(body))


def ask(*decisions: RecordedDecision, share_now: float | None = 0.1, **request: Any) -> tuple[int, dict[str, Any]]:
    shares = () if share_now is None else (("baseline", 1 - share_now), ("canary", share_now))
    reply = answer(GateState("photo-service", decisions, shares), GateRequest(**request), NOW)
    return reply.status, json.loads(reply.body)


def test_the_answer_is_what_was_recorded_with_its_age() -> None:
    status, body = ask(recorded("wait", age_s=75))
    assert status == 200
    assert body["recorded_at"] == "2026-09-21T14:12:05Z"
    assert body["recorded"] == {"decision": "wait", "verdict": "parity", "exit_code": 2, "headline": "wait!"}
    assert (body["age_s"], body["gate"], body["dry_run"], body["migration"]) == (75, None, False, "photo-service")
    content = json.loads(recorded("wait").body)
    assert {name: body[name] for name in content} == content


DECISIONS = ["continue", "wait", "hold", "roll_back", "no_data"]


@pytest.mark.parametrize(
    ("dialect", "statuses"),
    [
        ("", [200, 200, 200, 200, 200]),
        ("argo", [200, 200, 200, 200, 200]),
        ("flagger", [200, 409, 409, 409, 503]),
        ("strict", [200, 409, 409, 412, 503]),
    ],
)
def test_each_caller_has_the_statuses_that_it_understands(dialect: str, statuses: list[int]) -> None:
    assert [ask(recorded(decision), dialect=dialect)[0] for decision in DECISIONS] == statuses
    assert [ask(recorded(decision), dialect=dialect, dry_run=True)[0] for decision in DECISIONS] == [200] * 5
    answered = [ask(recorded(decision), dialect=dialect, dry_run=True)[1]["decision"] for decision in DECISIONS]
    assert answered == DECISIONS


def test_only_roll_back_is_a_rollback_and_never_in_a_dry_run() -> None:
    statuses = [ask(recorded(decision), is_rollback=True)[0] for decision in DECISIONS]
    assert statuses == [409, 409, 409, 200, 409]
    assert ask(recorded("roll_back"), is_rollback=True, dry_run=True)[0] == 409
    assert ask(recorded("roll_back", age_s=301), is_rollback=True)[0] == 409
    assert ask(is_rollback=True)[0] == 409


def test_flagger_has_an_answer_that_fits_into_an_event() -> None:
    long = [{"code": "alert", "subject": "", "minutes": None, "sentence": "é" * 3000}] * 3
    for request in ({"dialect": "flagger"}, {"is_rollback": True}):
        body = ask(recorded("hold", reasons=long, headline="h" * 3000), **request)[1]
        assert body["sentences"] == ["é" * 200]
        assert len(json.dumps(body, ensure_ascii=False)) < 1024


UNUSABLE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "too old": (
        "The last decision is 12 min old, 7 min more than allowed. Is the recorder running?",
        {"age_s": 720},
    ),
    "of the future": (
        "The decision was recorded in the future: check the clocks (NTP) of the dashboard and the recorder.",
        {"age_s": -31},
    ),
    "of another migration": (
        "No decision is recorded yet. The dashboard or cli.py record records one a minute.",
        {"migration": "orders"},
    ),
    "of no known word": (
        "No decision is recorded yet. The dashboard or cli.py record records one a minute.",
        {"decision": "CONTINUE"},
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
@pytest.mark.parametrize(("dialect", "status"), [("", 200), ("argo", 200), ("flagger", 503), ("strict", 503)])
def test_what_is_not_of_now_never_passes(case: str, dialect: str, status: int) -> None:
    sentence, options = UNUSABLE[case]
    reply = ask(recorded(**{"decision": "continue", **options}), dialect=dialect)
    assert reply[0] == status
    check_refused(reply[1], sentence)


def check_refused(body: Mapping[str, Any], sentence: str) -> None:
    assert (body["decision"], body["exit_code"]) == ("no_data", 3)
    if "ok" in body:
        assert (body["ok"], body["verdict"]) == (False, None)
        assert [reason["sentence"] for reason in body["reasons"]] == [sentence]
    else:
        assert body["sentences"] == [sentence]
    assert body["headline"] == f"NO DATA · {sentence}"


def test_the_limits_of_age_are_passed() -> None:
    assert ask(recorded(age_s=301), dialect="strict")[0] == 503
    for age_s in (300, 0, -30):
        status, body = ask(recorded(age_s=age_s), dialect="strict")
        assert (status, body["decision"], body["age_s"]) == (200, "continue", max(age_s, 0))


def test_a_body_that_is_no_json_never_passes() -> None:
    for text in ("", "[]", "null", "{", '"continue"'):
        status, body = ask(replace(recorded(), body=text), dialect="strict")
        assert (status, body["decision"], body["criteria"]) == (503, "no_data", [])


def test_without_a_recorded_decision_there_is_no_judgement() -> None:
    for dialect in ("", "argo", "flagger", "strict"):
        status, body = ask(dialect=dialect)
        assert status == 503
        check_refused(body, "No decision is recorded yet. The dashboard or cli.py record records one a minute.")


def test_the_weights_that_changed_meanwhile_are_not_judged_yet() -> None:
    status, body = ask(recorded(), share_now=0.25, dialect="strict")
    assert status == 503
    check_refused(body, "The weights have changed since this decision. The next one is recorded within a minute.")
    assert ask(recorded(), share_now=None, dialect="strict")[0] == 200
    assert ask(recorded(configured={}), share_now=0.25, dialect="strict")[0] == 200


def test_a_caller_that_names_its_share_is_given_no_decision_of_another_one() -> None:
    assert ask(recorded(), share=0.1, dialect="strict")[0] == 200
    assert ask(recorded(share=0.0997), share=0.1, dialect="strict")[0] == 200
    status, body = ask(recorded(), share=0.25, dialect="strict")
    assert status == 503
    check_refused(body, "The decision is of 10%, not of 25%. The next one is recorded within a minute.")
    status, body = ask(recorded(share=None), share=0.25, dialect="strict")
    assert status == 503
    check_refused(body, "The canary's share in this phase is unknown, so the decision may not be of 25%.")


def test_a_phase_of_the_past_never_passes_and_shows_what_was_recorded() -> None:
    decisions = recorded(phase=1), recorded("wait", phase=2)
    for phase in ("2", "2 · 10%", "current", ""):
        assert ask(*decisions, phase=phase)[1]["decision"] == "wait"
    status, body = ask(*decisions, phase="1", dialect="strict")
    assert status == 503
    check_refused(body, "Phase 1 is over: the current one is 2.")
    assert body["recorded"]["decision"] == "continue"
    assert body["criteria"] == [{"metric": "error_rate"}]


class FakeDecisions:
    def __init__(self, decisions: tuple[RecordedDecision, ...]) -> None:
        self.decisions, self.asked, self.fails = decisions, list[int](), False

    def read(self) -> tuple[RecordedDecision, ...]:
        if self.fails:
            raise ArchiveError("locked", "busy")
        return self.decisions

    def note_asked(self, now: int) -> None:
        self.asked.append(now)


class FakeApps:
    """The contexts of migrations, with recorded decisions."""

    def __init__(self, **decisions: tuple[RecordedDecision, ...]) -> None:
        self.decisions = {name.replace("_", "-"): FakeDecisions(found) for name, found in decisions.items()}
        events = SimpleNamespace(latest_traffic=lambda: None)
        self.by_slug = {
            slug: SimpleNamespace(
                migration=SimpleNamespace(slug=slug), archive=SimpleNamespace(decisions=found, events=events)
            )
            for slug, found in self.decisions.items()
        }

    def gate_target(self, slug: str) -> tuple[str, object] | None:
        return (slug, self.by_slug[slug].archive) if slug in self.by_slug else None


def request(
    apps: FakeApps | None = None,
    query: str = "",
    *,
    is_rollback: bool = False,
    method: str = "GET",
    token: str = "",
    client: tuple[str, int] | None = ("127.0.0.1", 50_000),
    headers: Mapping[str, str] | None = None,
    body: tuple[bytes, ...] = (b"",),
) -> tuple[GateAnswer, dict[str, Any]]:
    apps = apps or FakeApps(photo_service=(recorded(),))
    gate = Gate(lambda: apps, token, clock=lambda: datetime.fromtimestamp(NOW, UTC))  # type: ignore[arg-type, return-value]
    scope = {
        "method": method,
        "query_string": query.encode(),
        "client": client,
        "headers": [(name.encode(), value.encode("utf-8")) for name, value in (headers or {}).items()],
    }
    parts = [{"type": "http.request", "body": part, "more_body": True} for part in body[:-1]]
    events = iter([*parts, {"type": "http.request", "body": body[-1]}])

    async def receive() -> dict[str, Any]:
        return next(events)

    reply = asyncio.run(gate.respond(scope, receive, is_rollback=is_rollback))
    return reply, json.loads(reply.body) if reply.body else {}


def test_an_answer_is_not_stored_and_has_a_version() -> None:
    reply, body = request()
    headers = dict(reply.headers)
    assert (reply.status, body["decision"], headers["cache-control"]) == (200, "continue", "no-store")
    again, _ = request(headers={"if-none-match": f'"x", {headers["etag"]}'})
    assert (again.status, again.body, dict(again.headers)["etag"]) == (304, b"", headers["etag"])
    later = FakeApps(photo_service=(recorded(age_s=31),))
    assert request(later, headers={"if-none-match": headers["etag"]})[0].status == 200
    refused = FakeApps(photo_service=(recorded("hold"),))
    etag = dict(request(refused, query="gate=strict")[0].headers)["etag"]
    assert request(refused, query="gate=strict", headers={"if-none-match": etag})[0].status == 409


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer s3cret-token"])
def test_without_the_token_nothing_is_said(value: str) -> None:
    reply, body = request(token=TOKEN, headers={"authorization": value} if value else None, query="nonsense")
    assert (reply.status, dict(reply.headers)["www-authenticate"]) == (401, 'Bearer realm="gate"')
    check_refused(body, "Missing or wrong token. Send “Authorization: Bearer …” with the value of GATE_TOKEN.")
    assert body["migration"] == ""


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_with_the_token_any_machine_is_answered(scheme: str) -> None:
    headers = {"authorization": f"{scheme} {TOKEN}", "x-forwarded-for": "192.0.2.1"}
    assert request(token=TOKEN, client=("192.0.2.1", 1), headers=headers)[0].status == 200


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        (("192.0.2.1", 1), {}),
        (("192.0.2.1", 1), {"x-forwarded-for": "127.0.0.1"}),
        (("127.0.0.1", 1), {"x-forwarded-for": "127.0.0.1"}),
        (("127.0.0.1", 1), {"forwarded": "for=127.0.0.1"}),
        (("testclient", 1), {}),
        (None, {}),
    ],
)
def test_without_a_token_only_this_machine_is_answered(
    client: tuple[str, int] | None, headers: Mapping[str, str]
) -> None:
    reply, body = request(client=client, headers=headers)
    assert (reply.status, body["decision"]) == (403, "no_data")
    assert body["reasons"][0]["sentence"].startswith(
        "Without GATE_TOKEN, only requests from this machine itself are answered."
    )
    assert request(client=("::1", 1))[0].status == request(client=("::ffff:127.0.0.1", 1))[0].status == 200


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("gat=strict", "Unknown parameter “gat”."),
        ("gate=", "Invalid “gate”: argo, flagger, strict."),
        ("gate=Strict", "Invalid “gate”: argo, flagger, strict."),
        ("gate=argo&gate=strict", "Invalid “gate”: × 1."),
        ("dry_run=yes", "Invalid “dry_run”: 0, 1."),
        ("share=ten", "Invalid “share”: 0 – 100."),
        ("share=101", "Invalid “share”: 0 – 100."),
        ("share=-1", "Invalid “share”: 0 – 100."),
        ("share=nan", "Invalid “share”: 0 – 100."),
    ],
)
def test_a_parameter_that_means_nothing_is_refused(query: str, sentence: str) -> None:
    reply, body = request(query=query)
    assert reply.status == 400
    check_refused(body, sentence)


def test_several_migrations_are_told_apart() -> None:
    apps = FakeApps(photo_service=(recorded(),), orders=(recorded("hold", migration="orders"),))
    assert request(apps, query="migration=orders")[1]["decision"] == "hold"
    assert request(apps, query="migration=photo-service&share=10&gate=strict")[0].status == 200
    reply, body = request(apps)
    assert reply.status == 400
    check_refused(body, "Several migrations: name one with migration=… (photo-service, orders).")
    reply, body = request(apps, query="migration=carts")
    assert reply.status == 404
    check_refused(body, "No migration “carts” here: photo-service, orders.")
    assert request(query="migration=photo-service")[0].status == 200
    assert request(query="migration=orders")[0].status == 404


def test_an_unknown_phase_is_not_found() -> None:
    apps = FakeApps(photo_service=(recorded(phase=2),))
    for phase in ("3", "0", "2 · 25%", "two", "-1"):
        with pytest.raises(Exception, match=f"No decision is recorded of phase “{phase}”. Recorded: 2.") as caught:
            answer(GateState("photo-service", apps.decisions["photo-service"].decisions), GateRequest(phase), NOW)
        assert caught.value.status == 404  # type: ignore[attr-defined]


def test_an_archive_that_cannot_be_read_is_no_decision() -> None:
    apps = FakeApps(photo_service=(recorded(),))
    apps.decisions["photo-service"].fails = True
    reply, body = request(apps, query="gate=argo")
    assert reply.status == 503
    check_refused(body, "The archive cannot be read. See the log, or cli.py doctor.")


def test_it_is_noted_that_the_gate_is_in_use() -> None:
    apps = FakeApps(photo_service=(recorded(),), orders=())
    request(apps, query="migration=photo-service")
    request(apps, query="migration=orders")
    assert (apps.decisions["photo-service"].asked, apps.decisions["orders"].asked) == ([NOW], [])


def test_an_answer_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    apps = FakeApps(photo_service=(recorded("wait"),))
    gate = Gate(lambda: apps, "", clock=lambda: datetime.fromtimestamp(NOW, UTC))  # type: ignore[arg-type, return-value]
    scope = {"method": "GET", "client": ("127.0.0.1", 1), "headers": []}

    async def ask_all() -> None:
        for decision, query in (
            ("wait", b"gate=strict"),
            ("wait", b"gate=strict"),
            ("wait", b""),
            ("hold", b"gate=strict"),
            ("continue", b"gate=strict"),
        ):
            apps.decisions["photo-service"].decisions = (recorded(decision),)
            gate._states.clear()  # what was read less than a second ago
            await gate.respond({**scope, "query_string": query}, None)  # type: ignore[arg-type]

    with caplog.at_level("INFO", "ui.server.gate"):
        asyncio.run(ask_all())
    records = [record for record in caplog.records if record.name == "ui.server.gate"]
    lines = [(record.getMessage(), record.gate, record.decision, record.status) for record in records]  # type: ignore[attr-defined]
    assert lines == [
        ("gate answered", "strict", "wait", 409),
        ("gate answered", "none", "wait", 200),
        ("gate answered", "strict", "hold", 409),
        ("gate answered", "strict", "continue", 200),
    ]


def test_webhooks_are_posted_with_a_body_that_is_bounded() -> None:
    flagger = b'{"name":"photo","namespace":"prod","phase":"Progressing","checksum":"85d557f47b","metadata":{}}'
    hold = FakeApps(photo_service=(recorded("hold"),))
    assert request(query="gate=flagger", method="POST", body=(flagger,))[0].status == 200
    assert request(hold, query="gate=flagger", method="POST", body=(flagger,))[0].status == 409
    assert request(hold, is_rollback=True, method="POST", body=(flagger,))[0].status == 409
    half = b"x" * (MAX_BODY_BYTES // 2)
    assert request(query="gate=flagger", method="POST", body=(half, half))[0].status == 200
    assert request(query="gate=flagger", method="POST", body=(half, half, b"x"))[0].status == 413
    for query in ("", "gate=strict"):
        reply, _ = request(query=query, method="POST", body=(flagger,))
        assert (reply.status, dict(reply.headers)["allow"]) == (405, "GET, HEAD, POST")
    assert request(query="gate=flagger", method="PUT")[0].status == 405


def test_every_decision_has_a_status_in_every_dialect() -> None:
    for statuses in STATUS_BY_DIALECT.values():
        assert set(statuses) == set(EXIT_CODES)
        assert [decision for decision, status in statuses.items() if status < 300] == ["continue"]
