"""What sources of batches promise beyond others: to tell what starts a job, and to remember the jobs that they found by themselves."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from domain import Series
from domain.triggers import Starters
from sources.base import Health, Problem


@dataclass(frozen=True, slots=True)
class StartersLook:
    """One look. `starters` is None where nothing could be read at all; what was refused of it is in `problems`."""

    asked_at: int
    starters: Starters | None
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0


class StarterSource(Protocol):
    """Reads the rules and schedules that are configured for jobs, as they are now."""

    name: str

    def look(self) -> StartersLook: ...

    def check(self) -> tuple[Health, ...]: ...


@runtime_checkable
class FindsJobs(Protocol):
    """A metric source that finds jobs which nobody configured."""

    name: str

    def recall(self, known: Collection[Series]) -> None:
        """Goes on asking for what was found before."""
        ...
