"""Literal reports of batch jobs."""

from datetime import UTC, datetime

from analysis.batches.jobs import JobReport, ScheduledRun
from analysis.batches.runs import Run, RunResult
from domain import Window
from domain.cron import parse_schedule
from domain.window import DAY_S
from tests.factories.config import make_migration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
WINDOW = Window(NOW_S - 14 * DAY_S, NOW_S)
DAILY = parse_schedule("rate(1 day)")
HOSTILE = "<x-evil onclick='alert(1)'>"
MIGRATION = make_migration().model_copy(update={"timezone": "Asia/Tokyo"})


def run(at: int, result: RunResult = "ok", *, was_reported: bool = True) -> Run:
    return Run(at - 60, at, at, 60.0, result, was_reported=was_reported)


def job(name: str = "cleanup", **overrides: object) -> JobReport:
    runs = (ScheduledRun(NOW_S - DAY_S, "ok", (run(NOW_S - DAY_S),)),)
    defaults = {"state": "ok", "scheduler": "canary", "last_run": run(NOW_S - DAY_S), "scheduled_runs": runs}
    return JobReport(name, None, **(defaults | overrides))  # type: ignore[arg-type]
