"""Which readings are announced, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.batches.jobs import JobReport
from archive import Archive, SourceState
from archive.notifications import Announced
from domain import Window
from domain.config.batches import Batches
from domain.config.releases import ReleaseSpan
from domain.deployments import Deployment, Wait
from domain.window import DAY_S
from services import notices
from services.batches import BatchView
from services.notices import HOLD_SOURCE_S, NotifyTarget, Reading, build_notice, link_to, read_readings, step
from sources.base import Events, Problem
from tests.factories.archives import open_archive
from tests.factories.notify import notified_migration, record_decision, record_weights, target_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
MIGRATION = notified_migration()


def reading(value: str, at: int = 0, *, hold_s: int = 0, began: int | None = None, is_over: bool = False) -> Reading:
    return Reading("s", "decision", value, NOW_S + at, lambda before: (before, ()), hold_s, began, is_over)


def announced(value: str, candidate: str = "", candidate_at: int = 0) -> Announced:
    return Announced(value, NOW_S - 999, candidate, NOW_S + candidate_at if candidate else 0)


def act(known: Announced | None, read: Reading, *, started: int = NOW_S - 3600) -> str:
    return step(known, read, started=started)[0]


def test_the_first_value_of_a_subject_is_kept_and_not_announced() -> None:
    assert step(None, reading("a"), started=NOW_S) == ("note", Announced("a", NOW_S))
    assert act(announced("a"), reading("a")) == "nothing"


def test_a_change_without_hysteresis_is_announced_at_once() -> None:
    assert step(announced("a"), reading("b"), started=NOW_S) == ("announce", Announced("b", NOW_S))


def test_a_change_is_announced_at_its_second_reading() -> None:
    known = announced("wait")
    action, known = step(known, reading("hold", 60, hold_s=1), started=NOW_S)
    assert (action, known) == ("note", announced("wait", "hold", 60))
    assert act(known, reading("hold", 60, hold_s=1)) == "nothing"  # the same reading, again
    assert act(known, reading("hold", 120, hold_s=1)) == "announce"


def test_a_value_that_was_read_once_is_forgotten_when_it_is_over() -> None:
    known = announced("wait", "hold", 60)
    assert step(known, reading("wait", 120, hold_s=1), started=NOW_S) == ("note", announced("wait"))
    assert step(known, reading("continue", 120, hold_s=1), started=NOW_S) == (
        "note",
        announced("wait", "continue", 120),
    )


def test_a_value_must_hold_for_its_time() -> None:
    known = announced("up", "down", 0)
    assert act(known, reading("down", HOLD_SOURCE_S - 1, hold_s=HOLD_SOURCE_S)) == "nothing"
    assert act(known, reading("down", HOLD_SOURCE_S, hold_s=HOLD_SOURCE_S)) == "announce"


def test_a_reading_from_a_clock_that_was_ahead_is_replaced() -> None:
    known = announced("up", "down", 9999)
    assert step(known, reading("down", 0, hold_s=60), started=NOW_S) == ("note", announced("up", "down", 0))


def test_what_begins_is_announced_and_what_began_before_is_not() -> None:
    assert act(None, reading("running", began=NOW_S - 10)) == "announce"
    assert act(None, reading("running", began=NOW_S - 3601)) == "note"
    assert act(None, reading("failed", began=NOW_S - 3601, is_over=True)) == "nothing"
    assert act(None, reading("failed", began=NOW_S - 10, is_over=True)) == "announce"
    old = reading("failed", began=NOW_S - DAY_S - 1, is_over=True)
    assert act(None, old, started=0) == "nothing"


def test_what_begins_must_hold_too() -> None:
    action, known = step(None, reading("open", began=NOW_S, hold_s=1), started=NOW_S)
    assert (action, known) == ("note", Announced("", NOW_S, "open", NOW_S))
    assert act(known, reading("open", 60, began=NOW_S, hold_s=1)) == "announce"


@pytest.fixture
def archive(tmp_path: Path):  # type: ignore[no-untyped-def]
    with open_archive(tmp_path) as archive:
        yield archive


def read(archive: Archive, *states: SourceState, migration=MIGRATION) -> dict[str, Reading]:  # type: ignore[no-untyped-def]
    target = target_of(archive, migration, states)
    return {item.subject: item for item in read_readings(target, NOW)}


def test_a_decision_has_the_headline_and_its_reasons(archive: Archive) -> None:
    sentences = ("One.", "One.", "Two.", "Three.", "Four.")
    reasons = [{"code": "x", "subject": "", "sentence": text} for text in sentences]
    record_decision(archive, "hold", NOW, headline="HOLD · 1 route", reasons=reasons, configured={"canary": 0.25})
    decision = read(archive)["decision"]
    assert (decision.value, decision.read_at, decision.hold_s, decision.thread) == ("hold", NOW_S, 1, "photo-service 1")
    assert decision.words("") == (
        "■ HOLD · 1 route",
        ("Photo service, phase 1 at 25%", "One.", "Two.", "Three."),
    )


@pytest.mark.parametrize("age_s", [301, -31])
def test_a_decision_that_is_not_of_now_is_no_reading(archive: Archive, age_s: int) -> None:
    record_decision(archive, "hold", NOW - timedelta(seconds=age_s))
    assert read(archive) == {}


def test_an_incident_has_its_reason_or_its_time(archive: Archive) -> None:
    of_canary = {"id": "i1", "from": "2026-11-27T11:00:00Z", "to": "2026-11-27T11:05:00Z", "fleets": ["canary"]}
    of_both = {**of_canary, "id": "i2", "fleets": ["baseline", "canary"]}
    reasons = [{"code": "incident", "subject": "i1", "sentence": "Incident 11:00, failed."}]
    incidents = [{**of_canary, "open": True}, {**of_both, "open": False}, {**of_both, "id": "i3", "open": True}]
    record_decision(archive, "hold", NOW, reasons=reasons, incidents=incidents)
    found = read(archive)
    first, second, third = (found[f"incident:{name}"] for name in ("i1", "i2", "i3"))
    assert (first.value, first.words("")) == ("open", ("Incident: ECS", ("Incident 11:00, failed.",)))
    assert (second.value, second.words("")) == ("over", ("Incident over: EC2, ECS", ("27 Nov 11:00–11:05 UTC",)))
    assert third.words("") == ("Incident: EC2, ECS", ("Since 11:00 UTC",))
    assert (first.began, first.is_over, second.is_over, first.hold_s) == (NOW_S - 3600, False, True, 1)


def test_weights_are_those_that_were_read_last(archive: Archive) -> None:
    assert "weights" not in read(archive)
    record_weights(archive, 10, NOW - timedelta(minutes=1))
    before = read(archive)["weights"].value
    record_weights(archive, 25, NOW)
    weights = read(archive)["weights"]
    assert (weights.words(before), weights.hold_s) == (("Weights changed: ECS 10% → 25%", ()), 0)


def deployment(status: str, **fields: object) -> Deployment:
    known = {"system": "ecs", "id": "d-1", "fleet": "canary", "status": status, "created": NOW_S - 60}
    return Deployment(**{**known, "task_definition": "web:42", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("item", "value", "title", "details"),
    [
        (deployment("IN_PROGRESS"), "running", "ECS: deployment of web:42 started", ()),
        (
            deployment("IN_PROGRESS", waits=(Wait("hook", NOW_S + 60),)),
            "waiting",
            "ECS: deployment of web:42 waits for approval",
            (),
        ),
        (deployment("IN_PROGRESS", rolls_back="d-0"), "running", "ECS: rollback to web:42 started", ()),
        (deployment("SUCCESSFUL"), "succeeded", "ECS: deployment of web:42 succeeded", ()),
        (
            deployment("ROLLBACK_FAILED", error="E", reason="r"),
            "failed",
            "ECS: deployment of web:42 failed",
            ("E · r",),
        ),
        (deployment("ROLLBACK_FAILED", task_definition=""), "failed", "ECS: deployment of d-1 failed", ()),
    ],
)
def test_deployments(archive: Archive, item: Deployment, value: str, title: str, details: tuple[str, ...]) -> None:
    window = Window(NOW_S - 3600, NOW_S)
    archive.events.save_events(Events(window, NOW_S, deployments=(item,)), "ecs")
    found = read(archive)["deployment:ecs:d-1"]
    assert (found.value, found.words("")) == (value, (title, details))
    assert (found.began, found.is_over) == (NOW_S - 60, value not in ("running", "waiting"))


def test_a_source_is_up_or_down(archive: Archive) -> None:
    problem = Problem("timeout", "mackerel", "GET /api")
    states = [
        SourceState("mackerel", "metrics", state, NOW_S, None, 0.0, (problem,))
        for state in ("down", "denied", "partial", "up")
    ]
    found = [read(archive, state)["source:mackerel:metrics"] for state in states]
    assert [item.value for item in found] == ["down", "down", "up", "up"]
    title, details = found[0].words("")
    assert title == "Mackerel unavailable" and details and details[0]
    assert found[3].words("") == ("Mackerel available again", ())
    assert found[0].hold_s == HOLD_SOURCE_S


def test_a_release_announces_its_decision_alone(archive: Archive) -> None:
    record_decision(archive, "hold", NOW)
    record_weights(archive, 10, NOW)
    release = {"id": "1", "slug": "photo-service", "key": "k", "start": NOW_S - 600}
    migration = MIGRATION.model_copy(update={"release": ReleaseSpan.model_validate(release)})
    down = SourceState("mackerel", "metrics", "down", NOW_S, None, 0.0, ())
    assert list(read(archive, down, migration=migration)) == ["decision"]


def test_a_notice_links_to_its_window(archive: Archive) -> None:
    target = target_of(archive, notified_migration(language="ja", dashboard_url="https://d.example.com/x/"))
    notice = build_notice(target, reading("b", began=NOW_S - 1800), "a", key="k", now=NOW)
    assert notice.link == (
        "https://d.example.com/x/?migration=photo-service&from=2026-11-27T09%3A30Z&to=2026-11-27T12%3A01Z&lang=ja"
    )
    assert (notice.title, notice.thread, notice.at, notice.key, notice.value) == ("a", "photo-service", NOW_S, "k", "b")
    of_phase = replace(reading("b"), thread="photo-service 4")
    assert build_notice(target, of_phase, "a", key="k", now=NOW).thread == "photo-service 4"
    assert "lang" not in link_to(MIGRATION, NOW_S, NOW_S)
    assert "from=2026-11-26T12%3A01Z" in link_to(MIGRATION, 0, NOW_S)
    assert link_to(MIGRATION.model_copy(update={"notify": None}), NOW_S, NOW_S) == ""


def test_the_jobs_that_failed_and_those_that_run(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    states = ("failed", "missed", "stopped", "ok", "slow", "late", "unknown", "never", "paused")
    jobs = tuple(JobReport(f"job {state}", None, state) for state in states)
    windows = list[Window]()

    def read_batches(_archive: object, _settings: object, _names: object, window: Window) -> BatchView:
        windows.append(window)
        return BatchView(window, jobs, complete=True)

    monkeypatch.setattr(notices, "read_batches", read_batches)
    batches = Batches(service="photo", duration="d.{job}", success="s.{job}")
    migration = MIGRATION.model_copy(update={"batches": batches})
    target = NotifyTarget(migration, archive, tuple, (archive, ("mackerel_batches",)))  # type: ignore[arg-type]
    found = {item.subject: item for item in read_readings(target, NOW)}
    assert {name: item.value for name, item in found.items()} == {
        "batch:job failed": "failed",
        "batch:job missed": "missed",
        "batch:job stopped": "stopped",
        "batch:job ok": "ok",
        "batch:job slow": "ok",
        "batch:job late": "ok",
    }
    assert [item.words("")[0] for item in found.values()][:4] == [
        "Batch job failed failed",
        "Batch job missed did not run as scheduled",
        "Batch job stopped has stopped running",
        "Batch job ok runs again",
    ]
    list(read_readings(target, NOW + timedelta(seconds=299)))
    assert windows == [Window(NOW_S - DAY_S, NOW_S)]
    list(read_readings(target, NOW + timedelta(seconds=300)))
    archive.events.save_events(Events(Window(NOW_S - 60, NOW_S), NOW_S), "mackerel_batches")
    list(read_readings(target, NOW + timedelta(seconds=301)))
    assert len(windows) == 3


def test_a_board_of_releases_has_no_decision_of_its_own(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    record_decision(archive, "hold", NOW)
    monkeypatch.setattr(type(MIGRATION), "is_release_board", True)
    assert read(archive) == {}
