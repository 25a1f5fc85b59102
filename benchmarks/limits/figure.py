"""One row of the table of `benchmarks.endurance`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `compared`: the same of what it is compared with, if anything. `is_met`: None if there is no limit."""

    name: str
    limit: str
    measured: str
    is_met: bool | None
    compared: str = ""
