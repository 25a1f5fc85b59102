"""Migrations with [notify], notices, and an archive with decisions and weights to announce."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from archive import Archive, SourceState
from archive.decisions import RecordedDecision
from channels.base import Notice
from domain import Migration
from services.notices import NotifyTarget
from sources.base import TrafficSnapshot
from tests.factories.archives import MIGRATION
from tests.factories.traffic import make_rule, make_traffic

NOTICE = Notice(
    "key-1",
    "decision",
    "photo-service",
    "Photo service",
    "■ HOLD · 1 route regressed",
    ("Route /a <b> regressed. See Endpoints.",),
    "https://dashboard.example.com/?migration=photo-service&from=a",
    "photo-service 4",
    1_790_000_000,
    "hold",
)


def notified_migration(**notify: object) -> Migration:
    table = {"dashboard_url": "https://dashboard.example.com", "slack": "SLACK_URL", "allow_private": True, **notify}
    tables = MIGRATION.model_dump(exclude_unset=True)
    return Migration.model_validate({**tables, "notify": table})


def target_of(archive: Archive, migration: Migration, states: Sequence[SourceState] = ()) -> NotifyTarget:
    return NotifyTarget(migration, archive, lambda: tuple(states))


def record_decision(archive: Archive, word: str, now: datetime, **fields: Any) -> None:
    """A recorded evaluation of phase 1."""
    body = {
        "decision": word,
        "migration": "photo-service",
        "headline": f"{word.upper()} · because",
        "reasons": [{"code": "x", "subject": "", "sentence": "A reason."}],
        "incidents": [],
        "configured": {},
        "phase": {"number": 1},
        **fields,
    }
    recorded = RecordedDecision(1, 0, int(now.timestamp()), json.dumps(body))
    archive.decisions.save(recorded, {1: 0})


def record_weights(archive: Archive, canary: int, now: datetime) -> None:
    """The canary's weight of 100."""
    traffic = make_traffic(make_rule(ec2=100 - canary, blue=canary))
    archive.events.save_snapshot(TrafficSnapshot(int(now.timestamp()), traffic))
