"""The decision is recorded as `judge` has it, once a minute for all processes, and only for phases that exist."""

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from archive import Archive, ArchiveError
from archive.decisions import RecordedDecision
from domain import Window
from domain.config.notify import Notify
from domain.decision import RoutesState
from messages.decision import WORDS
from messages.i18n import in_language
from reports.judgement_json import evaluation_json
from services.evaluation import evaluate_archived
from services.gate import IN_USE_S, RECORD_INTERVAL_S, RETRY_INTERVAL_S, GateRecorder, GateThread
from services.phases import read_phases
from tests.factories.archived_migration import NOW, archived_migration, make_migration, time_of
from tests.factories.archives import open_archive

MIGRATION = make_migration()


def recorder(archive: Archive, **options: object) -> GateRecorder:
    return GateRecorder(archive, MIGRATION, "mackerel", evaluation_json, **options)  # type: ignore[arg-type]


def test_the_recorded_decision_is_the_evaluation_of_the_current_phase(tmp_path: Path) -> None:
    with archived_migration(tmp_path, MIGRATION) as archive:
        recorder(archive).record(NOW)
        (recorded,) = archive.decisions.read()
        phase = read_phases(archive, "mackerel", now=NOW)[-1]
        expected = evaluation_json(evaluate_archived(archive, MIGRATION, "mackerel", phase, now=NOW))
    body = json.loads(recorded.body)
    assert (recorded.phase, recorded.start_s, recorded.recorded_at) == (4, time_of(10, 9), int(NOW.timestamp()))
    assert body.pop("migration") == "photo-service"
    counted = body["phase"].pop("requests"), body["phase"].pop("errors"), body["phase"].pop("error_budget")
    assert counted[0] and counted[0]["canary"] > 1_000_000
    for name in ("requests", "errors", "error_budget"):
        expected["phase"].pop(name)
    assert body == expected
    assert body["criteria"] and body["routes"] == {"state": "judged", "regressed": None}


def test_processes_record_once_a_minute_and_sooner_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_stale, interval_s in ((False, RECORD_INTERVAL_S), (True, RETRY_INTERVAL_S)):
        reason = "stale" if is_stale else None
        monkeypatch.setattr("services.evaluation.missing_data", lambda *_args, reason=reason, **_options: reason)
        (folder := tmp_path / str(interval_s)).mkdir()
        with archived_migration(folder, MIGRATION) as archive:
            first, second = recorder(archive), recorder(archive)
            assert first.record_if_due(NOW) == interval_s
            assert first.record_if_due(NOW + timedelta(seconds=5)) == interval_s - 5
            assert second.record_if_due(NOW + timedelta(seconds=5)) == RECORD_INTERVAL_S - 5
            assert archive.decisions.read()[0].recorded_at == int(NOW.timestamp())
            later = NOW + timedelta(seconds=interval_s)
            assert first.record_if_due(later) == interval_s
            assert archive.decisions.read()[0].recorded_at == int(later.timestamp())


def test_logs_are_counted_for_it_while_the_gate_is_in_use(tmp_path: Path) -> None:
    requested = []

    def routes_of(_logs: Window, _has_counts: bool, *, request: bool) -> RoutesState:
        requested.append(request)
        return "judged" if request else "pending"

    now = int(NOW.timestamp())
    with archived_migration(tmp_path, MIGRATION) as archive:
        recording = recorder(archive, routes_of=routes_of)
        for asked_at in (None, now - IN_USE_S - 61, now - IN_USE_S, now):
            if asked_at:
                archive.decisions.note_asked(asked_at)
            recording.record(NOW)
        codes = {reason["code"] for reason in json.loads(archive.decisions.read()[0].body)["reasons"]}
    assert requested == [False, False, True, True]
    assert "routes_pending" not in codes


@pytest.mark.usefixtures("both_engines")
def test_decisions_of_phases_that_do_not_exist_are_deleted_and_a_request_is_remembered(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        archive.decisions.note_asked(1_000)
        assert (archive.decisions.read(), archive.decisions.asked_at()) == ((), 0)
        first, second = RecordedDecision(1, 60, 120, "{}"), RecordedDecision(2, 180, 240, '{"a":"é"}')
        archive.decisions.save(first, {1: 60})
        archive.decisions.note_asked(1_000)
        archive.decisions.save(second, {1: 60, 2: 180})
        assert archive.decisions.read() == (first, second)
        archive.decisions.note_asked(1_059)
        assert archive.decisions.asked_at() == 1_000
        archive.decisions.note_asked(1_060)
        assert archive.decisions.asked_at() == 1_060
        renumbered = RecordedDecision(3, 180, 300, "{}")
        archive.decisions.save(renumbered, {1: 0, 2: 60, 3: 180})
        assert (archive.decisions.read(), archive.decisions.asked_at()) == ((renumbered,), 1_060)


def test_one_migration_that_cannot_be_recorded_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([ArchiveError("locked", "busy"), KeyError("bug")])

    def fail(*_args: object) -> None:
        raise next(errors)

    with archived_migration(tmp_path, MIGRATION) as archive:
        broken, sound = recorder(archive), recorder(archive)
        monkeypatch.setattr(
            GateRecorder, "record_if_due", lambda item, now: fail() if item is broken else item.record(now) or 60
        )
        thread = GateThread([broken, sound, broken], clock=lambda: NOW)
        assert thread.record_all() == 60
        assert len(archive.decisions.read()) == 1
        assert next(errors, None) is None


def test_the_first_pages_and_polls_come_before_the_first_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            done.append(f"wait {timeout:g}")
            if len(done) > 3:
                self.set()
            return self.is_set()

    monkeypatch.setattr(GateThread, "record_all", lambda _thread: done.append("record") or 60.0)
    thread = GateThread([], clock=lambda: NOW)
    thread._stopping = Stopping()
    thread._run()
    assert done == ["wait 10", "record", "wait 60", "record", "wait 60"]


def test_the_recorded_sentences_have_the_language_of_notifications(tmp_path: Path) -> None:
    notify = Notify(dashboard_url="https://dashboard.example.com", slack="A", language="ja")
    migration = MIGRATION.model_copy(update={"notify": notify})
    with archived_migration(tmp_path, MIGRATION) as archive:
        GateRecorder(archive, migration, "mackerel", evaluation_json).record(NOW)
        headline = json.loads(archive.decisions.read()[0].body)["headline"]
    assert not headline.isascii() and " · " in headline
    with in_language("ja"):
        assert headline.split(" · ")[0] in {str(word) for word in WORDS.values()}
