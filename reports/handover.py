"""The findings of the hand-over of batches as rows of a table and as JSON, for pages, reports and commands."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from analysis.batches.handover import HandoverKind, Slot
from analysis.batches.jobs import JobReport
from analysis.batches.runs import Run
from domain import Migration
from messages import handover as text
from reports.judgement_json import iso_time, pick

MAX_SLOTS = 24  # of a finding, in the JSON

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


def handover_json(job: JobReport, migration: Migration) -> dict[str, Any]:
    """The findings with their number and newest due times, and the commands that end a double run."""
    findings = job.handover.slots if job.handover else {}
    return {
        "runs_twice": job.runs_twice,
        "findings": {
            kind: {"due_times": len(slots), "newest": [_slot_json(slot) for slot in slots[-MAX_SLOTS:]]}
            for kind, slots in findings.items()
            if slots
        },
        "commands": [command for _, command in text.ending_commands(job, migration.region)],
    }


def _slot_json(slot: Slot) -> dict[str, Any]:
    return {
        "due_at": iso_time(slot.due_at),
        "cron": [run_json(run) for run in slot.by_cron],
        "eventbridge": [run_json(run) for run in slot.by_eventbridge],
    }


def run_json(run: Run) -> dict[str, Any]:
    """As `last_run` of `cli.py batches --json`."""
    return {
        "started_at": iso_time(run.started_at),
        "ended_at": iso_time(run.ended_at),
        **pick(run, "duration_s", "result", "is_slow", "was_reported"),
    }
