"""The Batches page's parts in HTML: the worst first, a form for each mark, and names from outside stay text."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from analysis.batches.invocations import InvocationTotals
from analysis.batches.jobs import JobReport, ScheduledRun, job_reports
from analysis.batches.runs import Run, RunResult, TypicalDuration
from domain import Window
from domain.config.batches import Batches
from domain.cron import parse_schedule
from services.batches import BatchView
from tests.factories.config import make_migration
from ui.batches import view as ui

DAY_S = 86_400
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
WINDOW = Window(NOW_S - 14 * DAY_S, NOW_S)
EVIL = "<x-evil onclick='alert(1)'>"
MIGRATION = make_migration().model_copy(update={"timezone": "Asia/Tokyo"})


def run(at: int, result: RunResult = "ok", *, posted: bool = True) -> Run:
    return Run(at - 60, at, at, 60.0, result, was_reported=posted)


def job(name: str = "cleanup", **more: object) -> JobReport:
    slots = (ScheduledRun(NOW_S - DAY_S, "ok", (run(NOW_S - DAY_S),)),)
    told = {"state": "ok", "era": "canary", "last": run(NOW_S - DAY_S), "slots": slots} | more
    return JobReport(name, None, **told)  # type: ignore[arg-type]


def view(*jobs: JobReport) -> BatchView:
    return BatchView(WINDOW, jobs, complete=True)


def cells(html: str) -> list[tuple[str, float, float]]:
    """Class, left and width in percent of each cell of a strip."""
    found = re.findall(r"<i class='(\w+)' style='left:([\d.]+)%;width:([\d.]+)%'", html)
    return [(mark, float(left), float(width)) for mark, left, width in found]


def test_the_sentence_has_the_tone_of_the_worst_job() -> None:
    failed, slow = job("a", state="failed"), job("b", state="slow")
    assert "<b class='word bad'>✕ 1 of 2 jobs ran as scheduled, b slowly; a failed.</b>" in ui.headline(
        view(failed, slow), "14d"
    )
    assert "<b class='word warn'>▲ The job ran as scheduled, b slowly.</b>" in ui.headline(view(slow), "14d")
    assert "<b class='word good'>✓ The job ran as scheduled.</b>" in ui.headline(view(job()), "14d")
    assert "<b class='word note'>? " in ui.headline(view(job(state="paused")), "14d")


def test_a_row_has_what_lambda_counted_against_it_and_nothing_else() -> None:
    html = ui.jobs_table(MIGRATION, view(job(counted=InvocationTotals(14, 3, 0, 0, 1))), "14d", NOW)
    assert "<small>Lambda: 3 errors</small>" in html
    assert "Lambda" not in ui.jobs_table(MIGRATION, view(job(counted=InvocationTotals(14, 0, 0, 0, 0))), "14d", NOW)
    undelivered = ui.jobs_table(MIGRATION, view(job(counted=InvocationTotals(14, 0, 2, 1, 0))), "14d", NOW)
    assert "<small>Lambda: 2 throttled; its rule failed to start it once</small>" in undelivered


def test_the_last_run_that_died_is_said_where_the_state_is() -> None:
    died = job(state="failed", last=run(NOW_S - 60, "failed", posted=False))
    html = ui.state_badge(MIGRATION, died, NOW)
    assert "title='Its last run died: Lambda reported an error and nothing was posted.'" in html


def test_names_stay_text_and_a_link_keeps_the_window() -> None:
    html = ui.jobs_table(MIGRATION, view(job(EVIL)), "7d", NOW)
    assert "<x-evil" not in html and "&lt;x-evil" in html
    assert "href='?job=%3Cx-evil+onclick%3D%27alert%281%29%27%3E&amp;window=7d'" in html


def test_the_bar_has_the_usual_range_and_the_last_run_on_one_scale() -> None:
    html = ui.duration_cell(job(usual=TypicalDuration(30, 60.0, 50.0, 80.0)))
    assert "class='range' style='left:41.7%;width:25.0%'" in html, "of one and a half times the upper end"
    assert "class='run' style='left:50.0%'" in html
    assert "class='usual'" not in ui.duration_cell(job()), "too few runs to say what is usual"


# The strip


def daily_slots(days: Sequence[int], mark: str = "ok") -> tuple[ScheduledRun, ...]:
    return tuple(
        ScheduledRun(WINDOW.start + day * DAY_S + 3600, mark, (run(WINDOW.start + day * DAY_S + 3600),)) for day in days
    )  # type: ignore[arg-type]


def test_a_job_of_once_a_day_has_a_cell_a_day_and_a_gap_stays_one() -> None:
    drawn = cells(ui.history_strip(MIGRATION, view(), job(slots=daily_slots([0, 1, 2, 5])), NOW))
    assert [mark for mark, _, _ in drawn] == ["ok"] * 4
    lefts = [left for _, left, _ in drawn]
    assert lefts[3] - lefts[2] > 2.5 * (lefts[2] - lefts[1])
    assert all(left + width <= 100 for _, left, width in drawn)


def test_of_many_due_times_a_day_is_a_cell_cut_at_midnight_of_the_zone() -> None:
    """The window begins at 21:00 in Tokyo: its first day is a stub of three hours, and is drawn as one."""
    slots = tuple(
        ScheduledRun(at, "failed" if at == NOW_S - 3600 else "ok", (run(at),))
        for at in range(WINDOW.start, NOW_S, 3600)
    )
    html = ui.history_strip(MIGRATION, view(), job(slots=slots), NOW)
    drawn = cells(html)
    assert len(drawn) == 15 and [mark for mark, _, _ in drawn][-1] == "failed"
    (_, left, stub), (_, second, whole) = drawn[:2]
    assert left == 0.0 and stub < whole / 2 and second > 0
    assert "title='24 Nov: 1 failed, 20 ran'" in html
    assert "aria-label='cleanup, oldest first: 1 failed, 335 ran'" in html


def test_a_window_of_a_day_is_cut_at_hours_and_a_day_of_25_hours_at_its_own_midnight() -> None:
    assert len(ui.bucket_edges(MIGRATION, Window(NOW_S - DAY_S, NOW_S))) == 25
    berlin = MIGRATION.model_copy(update={"timezone": "Europe/Berlin"})
    autumn = int(datetime(2026, 10, 27, tzinfo=UTC).timestamp())
    steps = ui.bucket_edges(berlin, Window(autumn - 4 * DAY_S, autumn))
    assert [(later - earlier) // 3600 for earlier, later in pairwise(steps)][:4] == [24, 24, 25, 24]


def test_the_legend_has_the_marks_that_are_there() -> None:
    html = ui.legend(view(job(slots=daily_slots([0], "failed") + daily_slots([1]))))
    assert re.findall(r"<i class='strip'><i class='(\w+)'></i></i>", html) == ["failed", "ok"]


# Both eras


def test_both_eras_stand_side_by_side_with_what_changed() -> None:
    settings = Batches.model_validate({"duration": "b.{job}.d", "success": "b.{job}.s", "cron_duration": "c.{job}.d"})

    def runs(first: int, takes_s: float) -> tuple[Run, ...]:
        every = (NOW_S - (first - day) * DAY_S for day in range(9))
        return tuple(Run(at - int(takes_s), at, at, takes_s, "ok") for at in every)

    found = job_reports(
        settings,
        {("cleanup", "baseline"): runs(13, 100.0), ("cleanup", "canary"): runs(10, 80.0)},
        window=WINDOW,
        now=NOW_S,
    )
    html = ui.eras_table(MIGRATION, found, NOW)
    assert "<small>both reported for 5 d</small><small>median −20.0 % against cron</small>" in html
    assert html.count("<td>9</td>") == 2 and "1 min 20 s – 1 min 20 s" in html
    assert ui.eras_table(MIGRATION, [job()], NOW) == "", "a job without runs has no eras"


def test_when_a_job_is_due_is_said_or_that_nobody_knows() -> None:
    daily_at_three = job(schedule=parse_schedule("cron(0 3 * * ? *)"), next_due=NOW_S + 3600)
    assert ui.schedule_lines(MIGRATION, daily_at_three, NOW) == ["every day 03:00 UTC", "next 22:00 JST"]
    assert ui.schedule_lines(MIGRATION, job(), NOW) == ["no schedule configured"]
