"""Deployments that wait for a command, as lines and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import RenderableType

from analysis.deployments.waits import WaitingDeployment
from commands.shared.output import plain
from commands.shared.styles import WARN
from domain import Migration
from messages import deployments as text
from reports.judgement_json import iso_time


def wait_lines(migration: Migration, waits: Iterable[WaitingDeployment], *, now: datetime) -> list[RenderableType]:
    return [plain(text.waiting(item, migration, now=now), WARN) for item in waits]


def waits_json(migration: Migration, waits: Iterable[WaitingDeployment], *, now: datetime) -> list[dict[str, Any]]:
    """`left_s`: until `expires_at`, at least 0; None if that is unknown."""
    return [
        {
            "deployment": item.deployment.id,
            "system": item.deployment.system,
            "stage": item.deployment.stage or item.deployment.status,
            "id": item.wait.id,
            "expires_at": iso_time(item.wait.expires_at),
            "left_s": _left_s(item, now),
            "on_timeout": item.wait.on_timeout or None,
            "text": text.waiting(item, migration, now=now),
            "commands": [asdict(command) for command in item.commands],
        }
        for item in waits
    ]


def _left_s(item: WaitingDeployment, now: datetime) -> int | None:
    return None if item.wait.expires_at is None else max(item.wait.expires_at - int(now.timestamp()), 0)


def wait_commands(waits: Sequence[WaitingDeployment]) -> list[tuple[str, str]]:
    """The commands with their purposes."""
    return [(str(text.WAIT_ENDS[item.end]), item.command) for wait in waits for item in wait.commands]
