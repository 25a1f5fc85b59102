"""What one process knows of a source beyond what is written."""

import threading
from dataclasses import dataclass, field, replace

from archive.db.engine import ArchiveProblem
from archive.metrics.coverage import Asked, Book
from domain import Series
from sources.base import Look

UNKEPT_LOOKS = 120


@dataclass(slots=True)
class Held:
    """A source's series, who asks just now, what was last read of what is known, and the answers and looks that could not be written, with the reason."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    wanted: tuple[Series, ...] = ()
    book: Book | None = None
    unkept: tuple[Asked, ...] = ()
    looks: tuple[Look, ...] = ()
    problem: ArchiveProblem | None = None

    def hold(self, look: Look) -> None:
        """Adds a look to those that are not written yet: of many in a row that saw the same, the first and the last."""
        before = (
            self.looks[:-1] if len(self.looks) > 1 and all(_same(look, old) for old in self.looks[-2:]) else self.looks
        )
        self.looks = (*before, look)[-UNKEPT_LOOKS:]


def _same(one: Look, other: Look) -> bool:
    if one.traffic is None or other.traffic is None:
        return False
    return replace(one.traffic, asked_at=0) == replace(other.traffic, asked_at=0)
