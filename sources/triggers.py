"""Protocols of batch sources: reading what starts a job, and remembering discovered jobs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain import Series
from domain.triggers import Triggers
from sources.base import CheckableSource, Problem


@dataclass(frozen=True, slots=True)
class TriggerSnapshot:
    """The triggers at one time: None if nothing could be read; for those that could not be read there are `problems`."""

    asked_at: int
    triggers: Triggers | None
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0


class TriggerSource(CheckableSource, Protocol):
    """The rules and schedules configured for jobs, as they are now."""

    def snapshot(self) -> TriggerSnapshot: ...


@runtime_checkable
class JobDiscovery(Protocol):
    """A metric source that discovers jobs beyond the configured ones."""

    name: str

    def restore_series(self, known_series: Collection[Series]) -> None:
        """Adds series that an earlier process discovered."""
