"""What sources of batches promise beyond others: to tell what starts a job, and to remember the jobs that they found by themselves."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain import Series
from domain.triggers import Triggers
from sources.base import Health, Problem


@dataclass(frozen=True, slots=True)
class TriggerSnapshot:
    """One look. `starters` is None where nothing could be read at all; what was refused of it is in `problems`."""

    asked_at: int
    triggers: Triggers | None
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0


class TriggerSource(Protocol):
    """Reads the rules and schedules that are configured for jobs, as they are now."""

    name: str

    def snapshot(self) -> TriggerSnapshot: ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class JobDiscovery(Protocol):
    """A metric source that finds jobs which nobody configured."""

    name: str

    def restore_series(self, known_series: Collection[Series]) -> None:
        """Goes on asking for what was found before."""
        ...
