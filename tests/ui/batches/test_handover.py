"""The findings of the hand-over as HTML: escaped, with the runs of both schedulers."""

import pytest
import streamlit as st

from analysis.batches.handover import Handover, Slot
from analysis.batches.jobs import JobReport
from domain.window import DAY_S
from messages import handover as text
from tests.factories.job_reports import HOSTILE, MIGRATION, NOW, NOW_S, job, run
from ui.batches import handover as ui


def twice(name: str = "cleanup") -> JobReport:
    slots = tuple(Slot(at, (run(at),), (run(at + 60),)) for at in (NOW_S - 2 * DAY_S, NOW_S - DAY_S))
    return job(name, handover=Handover({"both": slots}, runs_twice=True))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    parts: list[str] = []
    for name in ("html", "markdown"):
        monkeypatch.setattr(st, name, lambda body: parts.append(str(body)))
    monkeypatch.setattr(st, "code", lambda body, **_: parts.append(body))
    return parts


def test_a_job_that_runs_twice_has_both_runs_and_how_to_end_it(shown: list[str]) -> None:
    ui.handover_section(MIGRATION, [twice(), job("other")], NOW)
    table, why, command = shown
    assert "<b class='bad' title='Cron and EventBridge ran the same due time.'>2× ran by both</b>" in table
    assert "2 due times, 22 Nov 21:00 – 23 Nov 21:00 JST" in table
    assert "23 Nov 20:59 JST, 1m 00s, succeeded" in table
    assert why.startswith("**cleanup still runs by cron and by EventBridge.** Keep EventBridge:")
    assert command.startswith("crontab -l | sed")


def test_nothing_without_findings(shown: list[str]) -> None:
    ui.handover_section(MIGRATION, [job(), job("other", handover=Handover({"both": ()}))], NOW)
    ui.handover_detail(MIGRATION, job(), NOW)
    assert shown == []


def test_a_hostile_name_is_escaped(shown: list[str]) -> None:
    ui.handover_section(MIGRATION, [twice(HOSTILE)], NOW)
    assert HOSTILE not in shown[0]


def test_the_detail_has_the_newest_due_time_first(shown: list[str]) -> None:
    ui.handover_detail(MIGRATION, twice(), NOW)
    assert shown[0].index("23 Nov 21:00") < shown[0].index("22 Nov 21:00")


def test_a_badge_marks_jobs_that_run_twice() -> None:
    assert "ran by both" in ui.handover_badge(twice())
    assert ui.handover_badge(job()) == ""


def test_a_single_due_time_has_no_number() -> None:
    assert text.due_times((Slot(NOW_S - DAY_S),), MIGRATION.zone, NOW) == "23 Nov 21:00 JST"
