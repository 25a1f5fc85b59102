"""The HTML of the Batches page: the worst job first, one form per status, and escaped names."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from analysis.batches.invocations import InvocationTotals
from analysis.batches.jobs import JobReport, ScheduledRun, job_reports
from analysis.batches.runs import Run, TypicalDuration
from domain import Window
from domain.config.batches import Batches
from domain.cron import parse_schedule
from domain.window import DAY_S
from services.batches import BatchView
from tests.factories.job_reports import DAILY, HOSTILE, MIGRATION, NOW, NOW_S, WINDOW, job, run
from ui.batches import view as ui


def view(*jobs: JobReport) -> BatchView:
    return BatchView(WINDOW, jobs, complete=True)


def cells(html: str) -> list[tuple[str, float, float]]:
    """Status, left and width in percent of each cell of a strip."""
    matches = re.findall(
        r"<i class='(\w+)(?: partial)?' style='left:([\d.]+)%;width:([\d.]+)%(?:;--share:[\d.]+)?'", html
    )
    return [(status, float(left), float(width)) for status, left, width in matches]


def test_headline_has_the_colour_of_the_worst_job() -> None:
    failed, slow = job("a", state="failed", schedule=DAILY), job("b", state="slow", schedule=DAILY)
    assert "<b class='word bad'>✕ 1 of 2 jobs failed: a · slow: b</b>" in ui.headline(view(failed, slow), "14d")
    assert "<b class='word warn'>▲ The job ran as scheduled · slow: b</b>" in ui.headline(view(slow), "14d")
    assert "<b class='word good'>✓ The job ran as scheduled</b>" in ui.headline(view(job(schedule=DAILY)), "14d")
    assert "<b class='word note'>? " in ui.headline(view(job(state="paused")), "14d")
    assert "<b class='word good'>✓ The job ran · no schedule: cleanup</b>" in ui.headline(view(job()), "14d")


def test_row_lists_only_lambda_issues() -> None:
    html = ui.jobs_table(MIGRATION, view(job(invocation_totals=InvocationTotals(14, 3, 0, 0, 1))), "14d", NOW)
    assert "<small>Lambda: 3 errors</small>" in html
    assert "Lambda" not in ui.jobs_table(
        MIGRATION, view(job(invocation_totals=InvocationTotals(14, 0, 0, 0, 0))), "14d", NOW
    )
    undelivered = ui.jobs_table(MIGRATION, view(job(invocation_totals=InvocationTotals(14, 0, 2, 1, 0))), "14d", NOW)
    assert "<small>Lambda: 2 throttled; 1 failed invocation by its rule</small>" in undelivered


def test_problems_only_are_the_jobs_that_are_not_well() -> None:
    jobs = view(job("a", state="failed"), job("b", state="paused"), job("c", state="unknown"), job("d"))
    html = ui.jobs_table(MIGRATION, jobs, "14d", NOW, problems_only=True)
    assert re.findall(r"\?job=(\w)", html) == ["a", "b"]
    assert ui.jobs_table(MIGRATION, view(job()), "14d", NOW, problems_only=True) == ""


def test_badge_explains_a_silent_failure() -> None:
    failed = job(state="failed", last_run=run(NOW_S - 60, "failed", was_reported=False))
    html = ui.state_badge(MIGRATION, failed, NOW)
    assert "title='Last run crashed (Lambda error, no metric).'" in html


def test_names_are_escaped_and_links_keep_the_window() -> None:
    html = ui.jobs_table(MIGRATION, view(job(HOSTILE)), "7d", NOW)
    assert "<x-evil" not in html and "&lt;x-evil" in html
    assert "href='?job=%3Cx-evil+onclick%3D%27alert%281%29%27%3E&amp;window=7d'" in html


def test_duration_bar_has_the_typical_range_and_the_last_run_on_one_scale() -> None:
    html = ui.duration_cell(job(typical_duration=TypicalDuration(30, 60.0, 50.0, 80.0)))
    assert "class='range' style='left:41.7%;width:25.0%'" in html, "of one and a half times the p90"
    assert "class='run' style='left:50.0%'" in html
    assert "class='typical'" not in ui.duration_cell(job()), "too few runs"


# History strip


def daily_slots(days: Sequence[int], status: str = "ok") -> tuple[ScheduledRun, ...]:
    return tuple(
        ScheduledRun(WINDOW.start + day * DAY_S + 3600, status, (run(WINDOW.start + day * DAY_S + 3600),))
        for day in days
    )  # type: ignore[arg-type]


def test_daily_job_has_one_cell_per_day_and_gaps_stay_visible() -> None:
    drawn = cells(ui.history_strip(MIGRATION, view(), job(scheduled_runs=daily_slots([0, 1, 2, 5])), NOW))
    assert [status for status, _, _ in drawn] == ["ok"] * 4
    lefts = [left for _, left, _ in drawn]
    assert lefts[3] - lefts[2] > 2.5 * (lefts[2] - lefts[1])
    assert all(left + width <= 100 for _, left, width in drawn)


def test_frequent_job_has_one_cell_per_day_of_the_time_zone() -> None:
    """The window starts at 21:00 in Tokyo: the cell of its first day is narrow."""
    runs = tuple(
        ScheduledRun(at, "failed" if at == NOW_S - 3600 else "ok", (run(at),))
        for at in range(WINDOW.start, NOW_S, 3600)
    )
    html = ui.history_strip(MIGRATION, view(), job(scheduled_runs=runs), NOW)
    drawn = cells(html)
    assert len(drawn) == 15 and [status for status, _, _ in drawn][-1] == "failed"
    (_, left, width), (_, second_left, full_width) = drawn[:2]
    assert left == 0.0 and width < full_width / 2 and second_left > 0
    assert "title='24 Nov: 1 failed, 20 ran'" in html
    assert html.count("--share:") == 1 and "class='failed partial'" in html and "--share:0.0476" in html
    assert "<small>◔ 24 Nov: 1/21 failed</small>" in html
    assert "aria-label='cleanup, oldest first: 1 failed, 335 ran'" in html


def test_edges_are_hours_in_a_day_and_local_midnights_across_a_clock_change() -> None:
    assert len(ui.bucket_edges(MIGRATION, Window(NOW_S - DAY_S, NOW_S))) == 25
    berlin = MIGRATION.model_copy(update={"timezone": "Europe/Berlin"})
    autumn = int(datetime(2026, 10, 27, tzinfo=UTC).timestamp())
    steps = ui.bucket_edges(berlin, Window(autumn - 4 * DAY_S, autumn))
    assert [(later - earlier) // 3600 for earlier, later in pairwise(steps)][:4] == [24, 24, 25, 24]


def test_legend_lists_the_statuses_that_occur() -> None:
    html = ui.legend(view(job(scheduled_runs=daily_slots([0], "failed") + daily_slots([1]))))
    assert re.findall(r"<i class='strip'><i class='(\w+)'></i></i>", html) == ["failed", "ok"]


# Both schedulers


def test_both_schedulers_are_compared() -> None:
    settings = Batches.model_validate({"duration": "b.{job}.d", "success": "b.{job}.s", "cron_duration": "c.{job}.d"})

    def runs(first: int, duration_s: float) -> tuple[Run, ...]:
        ends = (NOW_S - (first - day) * DAY_S for day in range(9))
        return tuple(Run(at - int(duration_s), at, at, duration_s, "ok") for at in ends)

    reports = job_reports(
        settings,
        {("cleanup", "baseline"): runs(13, 100.0), ("cleanup", "canary"): runs(10, 80.0)},
        window=WINDOW,
        now=NOW_S,
    )
    html = ui.schedulers_table(MIGRATION, reports, NOW)
    assert "<small>Parallel run 5d</small><small>median −20.0% vs. cron</small>" in html
    assert html.count("<td>9</td>") == 2 and "1m 20s – 1m 20s" in html
    assert ui.schedulers_table(MIGRATION, [job()], NOW) == "", "no runs"


def test_schedule_lines() -> None:
    daily_at_three = job(schedule=parse_schedule("cron(0 3 * * ? *)"), next_scheduled_at=NOW_S + 3600)
    assert ui.schedule_lines(MIGRATION, daily_at_three, NOW) == ["Daily 12:00 JST (03:00 UTC)", "next 22:00 JST"]
    assert ui.schedule_lines(MIGRATION, job(), NOW) == ["no schedule configured"]
