"""Many routes are judged in the background: pages have what is known, and nothing is judged twice, or after the last page is closed."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from archive import Archive, ArchiveError
from domain import Migration, Window
from services import background_routes
from services.background_routes import MAX_LAG_S, RETRY_AFTER_S, UNWANTED_AFTER_S, BackgroundRoutes
from services.endpoints import EndpointsView
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.log_counts import START

PHASE = START - 86_400
HOUR = Window(START, START + 3600)


class FakeJudge:
    """Judges nothing, which takes until `may_end` is set. `windows`: those that were judged."""

    def __init__(self) -> None:
        self.windows, self.may_end, self.error = list[Window](), Event(), False
        self.may_end.set()

    def __call__(
        self, _archive: Archive, _migration: Migration, window: Window, *, checkpoint: Callable[[], None]
    ) -> EndpointsView | None:
        self.windows.append(window)
        self.may_end.wait(10)
        checkpoint()
        if self.error:
            raise ArchiveError("unreadable", "no file")
        return None


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> FakeJudge:
    judge = FakeJudge()
    monkeypatch.setattr(background_routes, "judge_logs", judge)
    return judge


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1000.0]
    monkeypatch.setattr(background_routes.time, "monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def routes(tmp_path: Path, judge: FakeJudge) -> Iterator[BackgroundRoutes]:
    with open_archive(tmp_path) as archive:
        routes = BackgroundRoutes(archive, MIGRATION)
        yield routes
        judge.may_end.set()
        routes.stop()


def test_nothing_is_known_until_it_was_judged_once(routes: BackgroundRoutes, judge: FakeJudge) -> None:
    judge.may_end.clear()
    routes.request(PHASE, HOUR, 1)
    routes.request(PHASE, HOUR, 1)
    assert routes.known(PHASE, HOUR) is None
    judge.may_end.set()
    routes.wait()
    known = routes.known(PHASE, HOUR)
    assert known is not None and known.view is None and routes.known(PHASE + 60, HOUR) is None
    routes.request(PHASE, HOUR, 1)
    routes.wait()
    assert judge.windows == [HOUR]


def test_each_has_its_turn_even_if_another_changes_all_the_time(routes: BackgroundRoutes, judge: FakeJudge) -> None:
    judge.may_end.clear()
    a_range = Window(HOUR.start - 3600, HOUR.start)
    for version in range(3):
        routes.request(a_range, a_range, version)
        routes.request(PHASE, HOUR, 0)
    judge.may_end.set()
    routes.wait()
    assert judge.windows == [a_range, HOUR]
    routes.request(a_range, a_range, 3)
    routes.wait()
    assert judge.windows == [a_range, HOUR, a_range]


def test_what_is_known_of_a_phase_is_shown_for_a_while_after_new_logs(
    routes: BackgroundRoutes, judge: FakeJudge
) -> None:
    routes.request(PHASE, HOUR, 1)
    routes.wait()
    later = Window(HOUR.start, HOUR.end + MAX_LAG_S)
    assert routes.known(PHASE, later) is not None
    assert routes.known(PHASE, Window(later.start, later.end + 60)) is None
    routes.request(PHASE, HOUR, 2)
    routes.wait()
    routes.request(PHASE, later, 2)
    routes.wait()
    assert judge.windows == [HOUR, HOUR, later]


def test_a_judgement_that_no_page_asks_for_any_more_is_given_up(
    routes: BackgroundRoutes, judge: FakeJudge, clock: list[float]
) -> None:
    judge.may_end.clear()
    routes.request(PHASE, HOUR, 1)
    clock[0] += UNWANTED_AFTER_S + 1
    judge.may_end.set()
    routes.wait()
    assert routes.known(PHASE, HOUR) is None


def test_a_failure_leaves_the_routes_unknown_and_is_tried_again_later(
    routes: BackgroundRoutes, judge: FakeJudge, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    judge.error = True
    for _ in range(2):
        routes.request(PHASE, HOUR, 1)
        routes.wait()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] and len(judge.windows) == 1
    assert routes.known(PHASE, HOUR) is None
    judge.error = False
    clock[0] += RETRY_AFTER_S
    routes.request(PHASE, HOUR, 1)
    routes.wait()
    assert routes.known(PHASE, HOUR) is not None
