"""What is announced, where it can be sent, and what became of that."""

from dataclasses import dataclass
from typing import Literal, Protocol

from sources.base import Problem, ProblemKind

NoticeKind = Literal["decision", "weights", "deployment", "incident", "batch", "source", "test"]

TIMEOUT_S = (3.0, 10.0)  # to connect, between two bytes
DEADLINE_S = 10.0  # of a whole reply
NO_REPLY: tuple[ProblemKind, ...] = (
    "timeout",
    "unreachable",
    "bad_reply",
)  # that could be read: the request may have arrived
FINAL_STATUSES = frozenset({400, 413, 422})  # of this message; others are of the channel
MAX_SEND_S = 60  # of a send with all of these, in which no other process sends the same message


@dataclass(frozen=True, slots=True)
class Notice:
    """A change in words: `title` is one sentence, `details` further ones. `at`: epoch seconds. `link`: the page of that very window.

    `key` is unique, and the same whenever the notice is sent again. `thread`: what belongs together, such as a phase. `migration`: its slug.
    All texts are without markup, and may contain text from outside: escape them.
    """

    key: str
    kind: NoticeKind
    migration: str
    name: str
    title: str
    details: tuple[str, ...]
    link: str
    thread: str
    at: int
    value: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """`problem`: None if the channel has the notice. `is_final`: it refuses this notice, whenever it is sent. `retry_after_s`: as it asked.

    `may_have_arrived`: whether the channel has it in spite of the problem is unknown.
    """

    problem: Problem | None = None
    is_final: bool = False
    retry_after_s: float | None = None
    may_have_arrived: bool = False


class Channel(Protocol):
    """`drops_repeats`: a notice that is sent twice is shown once."""

    name: str
    drops_repeats: bool

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        """Sends a notice within MAX_SEND_S. `is_repeat`: an earlier attempt may have arrived. Faults are problems."""

    def check(self) -> Problem | None:
        """Why nothing could be sent, as far as that is known without sending."""
