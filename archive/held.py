"""What one process knows of a source beyond what is written."""

import threading
from dataclasses import dataclass, field

from archive.engine import ArchiveProblem
from archive.ledger import Asked
from migration import Series


@dataclass(slots=True)
class Held:
    """A source's series, who asks just now, and the answers that could not be written, with the reason."""

    asking: threading.Lock = field(default_factory=threading.Lock)
    wanted: tuple[Series, ...] = ()
    unkept: tuple[Asked, ...] = ()
    problem: ArchiveProblem | None = None
