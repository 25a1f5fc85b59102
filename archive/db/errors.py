"""What can be wrong with an archive, as named kinds."""

from dataclasses import dataclass
from typing import Literal

ArchiveErrorKind = Literal[
    "newer",
    "disk_full",
    "locked",
    "unreadable",
    "not_a_database",
    "read_only",
    "unreachable",
    "denied",
    "no_database",
    "forbidden",
]


@dataclass(frozen=True, slots=True)
class ArchiveProblem:
    """What keeps the archive from being read or written; `detail` in the database's own words. messages/errors/sources.py says it."""

    kind: ArchiveErrorKind
    detail: str


class ArchiveError(Exception):
    """The archive cannot be used: `problem` says why."""

    def __init__(self, kind: ArchiveErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.problem = ArchiveProblem(kind, detail)

    @property
    def kind(self) -> ArchiveErrorKind:
        return self.problem.kind

    @property
    def detail(self) -> str:
        return self.problem.detail
