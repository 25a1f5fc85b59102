"""Errors of the archive's database, by kind."""

from dataclasses import dataclass
from typing import Literal

from domain.redaction import redact

ArchiveErrorKind = Literal[
    "newer",
    "disk_full",
    "locked",
    "unreadable",
    "damaged",
    "not_a_database",
    "replaced",
    "read_only",
    "unreachable",
    "denied",
    "no_database",
    "forbidden",
]


@dataclass(frozen=True, slots=True)
class ArchiveProblem:
    """Why the archive cannot be read or written; `detail` is the database's own message, without credentials. Worded by messages/errors/sources.py."""

    kind: ArchiveErrorKind
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", redact(self.detail))

    def as_error(self) -> "ArchiveError":
        return ArchiveError(self.kind, self.detail)


class ArchiveError(Exception):
    """The archive cannot be used; `problem` has the reason."""

    def __init__(self, kind: ArchiveErrorKind, detail: str) -> None:
        self.problem = ArchiveProblem(kind, detail)
        super().__init__(f"{kind}: {self.detail}")

    @property
    def kind(self) -> ArchiveErrorKind:
        return self.problem.kind

    @property
    def detail(self) -> str:
        return self.problem.detail
