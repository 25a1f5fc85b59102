"""The findings of the hand-over of batches as rows of a table, for pages and reports."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from analysis.batches.handover import HandoverKind
from analysis.batches.jobs import JobReport
from domain import Migration
from messages import handover as text

TONES: Mapping[HandoverKind, str] = {
    "both": "warn",
    "neither": "bad",
    "retried": "note",
    "redelivered": "warn",
    "repeated": "warn",
}
HandoverRow = tuple[str, str, HandoverKind, str, str, str]


def handover_rows(migration: Migration, jobs: Sequence[JobReport], now: datetime) -> list[HandoverRow]:
    """The job, a CSS class, the finding, its due times, and the newest runs by cron and by EventBridge; a row per job and finding."""
    return [
        (
            job.name,
            "bad" if kind == "both" and job.runs_twice else TONES[kind],
            kind,
            text.due_times(slots, migration.zone, now),
            text.runs_of(slots[-1], "baseline", migration.zone, now),
            text.runs_of(slots[-1], "canary", migration.zone, now),
        )
        for job in sorted(jobs, key=lambda job: job.name)
        if job.handover
        for kind, slots in job.handover.slots.items()
        if slots
    ]
