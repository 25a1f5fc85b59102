"""What the runs of jobs did, on the Batches page: statements with their rows under cron and EventBridge side by side."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from analysis.batches.jobs import JobReport
from domain import Migration
from messages import run_work as text
from reports.templating import render
from services.batches import BatchView


def work_table(migration: Migration, view: BatchView, jobs: Sequence[JobReport], now: datetime) -> Markup:
    """The statements of each job's compared runs; nothing without logs."""
    rows = [
        (job.name, text.compared_runs(view.work[job.name], migration.zone, now), view.work[job.name])
        for job in sorted(jobs, key=lambda job: job.name)
        if job.name in view.work
    ]
    log = migration.batches.log if migration.batches else None
    return render("batches.work_table", jobs=rows, note=text.ceiling(log) if log else "") if rows else Markup("")
