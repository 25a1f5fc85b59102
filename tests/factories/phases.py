"""Phases and events of a short migration."""

from analysis import Phase
from domain import Event, WeightChange, Window
from tests.factories.timelines import START


def make_phase(first: int, end: int, share: float | None, before: float | None = None) -> Phase:
    change = WeightChange(START + first * 60, START + first * 60, before, share) if before is not None else None
    window = Window(START + first * 60, START + end * 60)
    return Phase(window, share, "weight" if change else "window", (end - first) * 60, change)


def make_event(minute: int, kind: str, title: str, *, until: int | None = None) -> Event:
    end = None if until is None else START + until * 60
    return Event(START + minute * 60, end, kind, title, "", "canary", "", "test", f"{kind}:{minute}")  # type: ignore[arg-type]
