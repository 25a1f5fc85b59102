"""Errors of the archive's database, by kind."""

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
    """Why the archive cannot be read or written; `detail` is the database's own message. Worded by messages/errors/sources.py."""

    kind: ArchiveErrorKind
    detail: str


class ArchiveError(Exception):
    """The archive cannot be used; `problem` has the reason."""

    def __init__(self, kind: ArchiveErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.problem = ArchiveProblem(kind, detail)

    @property
    def kind(self) -> ArchiveErrorKind:
        return self.problem.kind

    @property
    def detail(self) -> str:
        return self.problem.detail
