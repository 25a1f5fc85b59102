"""Protocol of the logs of batch runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain import Window
from domain.run_steps import RunStep
from sources.base import CheckableSource, Problem


@dataclass(frozen=True, slots=True)
class RunLogs:
    """What one poll read: the steps, and the time that is read now, by log group.

    `calls`, `read_bytes`: what it cost. `unparsed`: lines without JSON or without any configured value. `is_capped`: the ceiling ended it; the rest is
    for the next poll.
    """

    asked_at: int
    steps: tuple[RunStep, ...] = ()
    covered: tuple[tuple[str, Window], ...] = ()
    problems: tuple[Problem, ...] = ()
    took_s: float = 0.0
    calls: int = 0
    read_bytes: int = 0
    unparsed: int = 0
    is_capped: bool = False


class RunLogSource(CheckableSource, Protocol):
    """The logs in which runs of batch jobs report what they did."""

    @property
    def groups(self) -> tuple[str, ...]:
        """The log groups."""
        ...

    def read_steps(self, read_until: Mapping[str, int]) -> RunLogs:
        """The newest lines. `read_until`: epoch seconds until which each group was read, without those that never were."""
        ...
