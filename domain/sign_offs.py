"""Sign-offs: signatures under the evidence of a phase, in a ledger whose rows each have the hash of the row before.

The chain shows a row that was changed, removed or put in between, but not one that was removed at the end: evidence files have a copy of the ledger.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from domain.control_characters import remove_control
from domain.decision import Decision
from domain.serialization import from_json
from domain.window import EARLIEST_S, LATEST_S, Window

GENESIS = "0" * 64  # the hash before that of the first row
MAX_NAME_CHARS, MAX_EMAIL_CHARS, MAX_SENTENCE_CHARS = 60, 254, 500
# The files of the evidence that a signature covers, in this order.
SIGNED_FILES = ("data.csv", "data.parquet", "judgement.json")

# changed: not the hash of its content, or of another migration or place. unlinked: not made after the row before. missing: rows before it are not there.
LedgerProblem = Literal["changed", "unlinked", "missing"]


@dataclass(frozen=True, slots=True)
class MarginChange:
    """A margin that changed. `at`: when that was first seen (epoch seconds). `before`, `after`: as configured, "" if the metric was not judged."""

    at: int
    metric: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signature under the evidence of a phase. Its JSON text is what a row of the ledger has, and what the hash is of.

    `migration`: its key. `window`: of the evidence; `phase`, `phase_start`: the number and the start of its phase (epoch seconds). `margins`: by
    metric, as configured. `margin_changes`: since the phase began, as far as the archive has them, which is from `margins_since` on (None: not at all).
    `verified`: the name is that of a sign-in; else it was typed. `sentence`: the reason, if the decision was not to continue.
    """

    migration: str
    phase: int
    phase_start: int
    window: Window
    decision: Decision
    verdict: str
    margins: tuple[tuple[str, str], ...]
    margin_changes: tuple[MarginChange, ...]
    margins_since: int | None
    evidence_sha256: str
    name: str
    email: str
    verified: bool
    signed_at: int
    sentence: str
    sequence: int = 0
    previous_hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row as it is stored. `sequence`: 1, 2, …. `body`: the JSON text of a SignOff. `hash`: the SHA-256 of the body's UTF-8."""

    sequence: int
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A row after its check. `sign_off`: None if the body is that of no signature."""

    row: LedgerRow
    sign_off: SignOff | None
    problem: LedgerProblem | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All sign-offs of a migration, in order."""

    entries: tuple[LedgerEntry, ...] = ()

    @classmethod
    def of(cls, migration: str, rows: Iterable[LedgerRow]) -> Self:
        """The checked ledger of the migration with this key."""
        return cls(tuple(check_chain(migration, rows)))

    @property
    def problems(self) -> tuple[LedgerEntry, ...]:
        """The rows that were changed, and those before which something was changed."""
        return tuple(entry for entry in self.entries if entry.problem)

    @property
    def last_hash(self) -> str:
        return self.entries[-1].row.hash if self.entries else GENESIS

    def of_window(self, window: Window) -> tuple[LedgerEntry, ...]:
        """The signatures under the evidence of a phase with this window.

        Its ends may have moved since: a signature belongs to the phase in which the middle of its evidence is.
        """
        return tuple(
            entry
            for entry in self.entries
            if (sign_off := entry.sign_off)
            and window.start <= (sign_off.window.start + sign_off.window.end) // 2 < window.end
        )


def one_line(text: str, max_chars: int) -> str:
    """The text on one line, without control characters and cut to `max_chars`."""
    return " ".join(remove_control(text).split())[:max_chars]


def needs_reason(decision: Decision) -> bool:
    """Whether a signature under evidence with this decision must say why."""
    return decision != "continue"


def evidence_sha256(files: Mapping[str, str]) -> str:
    """The SHA-256 of the evidence, by the SHA-256 of each of SIGNED_FILES: that of what `sha256sum` prints about them."""
    return sha256("".join(f"{files[name]}  {name}\n" for name in SIGNED_FILES))


def sha256(text: str) -> str:
    """The SHA-256 of the UTF-8 of `text`, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_chain(migration: str, rows: Iterable[LedgerRow]) -> Iterator[LedgerEntry]:
    """Each row with what is wrong with it. `rows`: in order of their sequence."""
    sequence, previous_hash = 0, GENESIS
    for row in rows:
        sign_off = _read(row.body)
        problem: LedgerProblem | None = None
        if (
            sign_off is None
            or sha256(row.body) != row.hash
            or (sign_off.migration, sign_off.sequence) != (migration, row.sequence)
        ):
            problem = "changed"
        elif row.sequence != sequence + 1:
            problem = "missing"
        elif sign_off.previous_hash != previous_hash:
            problem = "unlinked"
        yield LedgerEntry(row, sign_off, problem)
        sequence, previous_hash = row.sequence, row.hash


def _read(body: str) -> SignOff | None:
    try:
        sign_off = from_json(SignOff, body)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    changed_at = (change.at for change in sign_off.margin_changes)
    times = (sign_off.phase_start, sign_off.window.start, sign_off.window.end, sign_off.signed_at, *changed_at)
    return (
        sign_off if all(EARLIEST_S <= ts < LATEST_S for ts in (*times, sign_off.margins_since or EARLIEST_S)) else None
    )
