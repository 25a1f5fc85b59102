"""The strip while sources are unavailable."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from archive import SourceState
from collector.backfill import BackfillState, BackfillStatus
from collector.collector import CollectorConfig
from domain import Window
from sources.base import HealthState, Problem
from tests.factories.app_context import NOW
from tests.factories.html import ParsedHtml
from ui.app_context import AppContext
from ui.sources import filling_progress, is_unavailable, outage_strip

NOW_S = int(NOW.timestamp())
DIED = NOW_S - 600


def save_state(app: AppContext, name: str, role: str, state: HealthState) -> None:
    """The state of a source that answered when it died, and did or did not since."""
    problems = () if state == "up" else (Problem("timeout", name, "poll"),)
    for at, success in ((DIED, True), (NOW_S, state == "up")):
        found = SourceState(name, role, "up" if success else state, at, None, 0.1, () if success else problems)  # type: ignore[arg-type]
        app.archive.events.save_source_state(found, success=success)


def test_it_has_how_many_since_when_and_as_of_when(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    app = build_app()
    save_state(app, "cloudwatch", "metrics", "down")
    save_state(app, "load_balancer", "traffic", "up")
    outage_strip(app, DIED, now=NOW)
    text = ParsedHtml(rendered[0]).text
    assert "1 of 2 sources unavailable since 20:50 JST: CloudWatch" in text and "Decision as of 20:50 JST" in text
    assert "role='alert'" in rendered[0]


@pytest.mark.parametrize(
    ("state", "role", "expected"), [("denied", "metrics", True), ("up", "metrics", False), ("down", "events", False)]
)
def test_a_source_is_unavailable_by_the_state_of_its_metrics(
    build_app: Callable[..., AppContext], state: HealthState, role: str, expected: bool
) -> None:
    app = build_app()
    assert not is_unavailable(app, "cloudwatch")
    save_state(app, "cloudwatch", role, state)
    assert is_unavailable(app, "cloudwatch") == expected


def _status(state: BackfillState) -> BackfillStatus:
    return BackfillStatus(state, 30, 1440, NOW_S, Window(0, 60))


@pytest.mark.parametrize(
    ("backfill", "status", "progress", "expected"),
    [
        (True, None, None, (0, 0)),
        (True, _status("filling"), (5, 60), (30, 1440)),
        (True, _status("waiting"), None, (30, 1440)),
        (True, _status("done"), (59, 60), None),  # a minute that has just become final
        (False, None, (5, 60), (5, 60)),
        (False, None, None, None),
    ],
)
def test_the_archive_is_filled_by_the_backfill_or_the_newest_hours(
    backfill: bool, status: BackfillStatus | None, progress: tuple[int, int] | None, expected: tuple[int, int] | None
) -> None:
    collector = SimpleNamespace(
        config=CollectorConfig(backfill=backfill),
        backfill_status=lambda _source: status,
        progress=lambda _source: progress,
    )
    assert filling_progress(SimpleNamespace(collector=collector), "cloudwatch") == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "role"), [("load_balancer", "traffic"), ("cloudtrail", "events")])
def test_there_is_none_while_all_or_all_but_supplementary_sources_are_up(
    build_app: Callable[..., AppContext], rendered: list[str], name: str, role: str
) -> None:
    app = build_app()
    save_state(app, "cloudwatch", "metrics", "up")
    save_state(app, name, role, "up" if role == "traffic" else "denied")
    outage_strip(app, DIED, now=NOW)
    assert rendered == ["<div class='no-outage'></div>"]
