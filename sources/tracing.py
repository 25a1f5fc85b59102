"""A span for each time that a source is asked, with the kinds of its problems."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from domain.tracing import span
from sources.base import Problem


class HasProblems(Protocol):
    """What sources return: a Pull, Events or a snapshot."""

    @property
    def problems(self) -> Sequence[Problem]: ...


T = TypeVar("T", bound=HasProblems)


def traced(source: str, role: str, fetch: Callable[[], T]) -> T:
    """What `fetch` returns."""
    with span("fetch", source=source, role=role) as current:
        answer = fetch()
        if answer.problems:
            current.set(problems=sorted({problem.kind for problem in answer.problems}))
        return answer
