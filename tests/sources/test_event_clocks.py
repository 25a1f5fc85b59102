"""A local clock that is ahead: every event source returns by how much, so that the archive covers no time that is not over."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from domain import Window, utc_now
from domain.window import HOUR_S
from sources.aws import client as aws_client
from sources.mackerel import client as mackerel_client
from tests.factories.proxied_sources import proxied_sources

AHEAD_S = 3 * HOUR_S


def wrong_clock() -> datetime:
    return utc_now() + timedelta(seconds=AHEAD_S)


def test_events_cover_nothing_that_is_not_over_by_the_clock_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_time = SimpleNamespace(time=lambda: wrong_clock().timestamp(), monotonic=time.monotonic)
    for module in (aws_client, mackerel_client):
        monkeypatch.setattr(module, "time", wrong_time)
    with proxied_sources(tmp_path) as proxied:
        sources = [source for source in proxied.create(wrong_clock) if hasattr(source, "events")]
        assert {source.name for source in sources} == {"ecs", "codedeploy", "cloudtrail", "mackerel_events"}
        for source in sources:
            events = source.events(Window.last(5 * 60, now=wrong_clock()))
            assert AHEAD_S - 10 < events.clock_ahead_s < AHEAD_S + 60, source.name
            assert events.covered and events.covered.end <= utc_now().timestamp() + 10, source.name
