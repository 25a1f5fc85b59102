"""The progress of counting access logs: what is still to come, and the problems."""

from types import SimpleNamespace
from typing import Any

import pytest

from collector.access_log_ingest import IngestProgress
from domain import Window
from sources.base import Problem
from tests.factories.log_counts import START
from ui.endpoints.ingest_progress import _problems, is_ingesting, request_ingest

DAY, WEEK = Window(START, START + 86_400), Window(START, START + 7 * 86_400)
DENIED = Problem("denied", "access_logs", "read", "logs<script>", "Permission denied")


class FakeCollector:
    def __init__(self, progress: IngestProgress | None) -> None:
        self.progress, self.requested = progress, list[Window]()

    def request_access_logs(self, window: Window) -> None:
        self.requested.append(window)

    def ingest_progress(self, window: Window) -> IngestProgress | None:
        return self.progress


def fake_app(progress: IngestProgress | None, *, logs: object = "configured") -> Any:
    return SimpleNamespace(collector=FakeCollector(progress), sources=SimpleNamespace(logs=logs))


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (None, True),  # requested, but not started
        (IngestProgress(DAY, "listing"), True),
        (IngestProgress(DAY, "counting", files=3), True),
        (IngestProgress(DAY, "busy"), True),
        (IngestProgress(DAY, "stopped"), True),  # interrupted for a newer request
        (IngestProgress(DAY, "stopped", problems=(DENIED,)), False),
        (IngestProgress(DAY, "done", problems=(DENIED,)), False),
    ],
)
def test_is_ingesting(progress: IngestProgress | None, expected: bool) -> None:
    assert is_ingesting(fake_app(progress), DAY) is expected


def test_only_windows_of_up_to_a_day_are_counted_without_a_request() -> None:
    for window, requested in ((DAY, [DAY]), (WEEK, [])):
        app = fake_app(None)
        request_ingest(app, window)
        assert app.collector.requested == requested
    assert not is_ingesting(fake_app(None), WEEK)


def test_nothing_is_requested_without_logs() -> None:
    app = fake_app(None, logs=None)
    request_ingest(app, DAY)
    assert app.collector.requested == [] and not is_ingesting(app, DAY)


def test_problems_have_a_next_step_and_are_escaped() -> None:
    off = Problem("not_enabled", "access_logs", "list", "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:x")
    html = _problems(IngestProgress(DAY, "stopped", changed=1, skipped=2, problems=(off, off, DENIED)))
    assert html.count("Access logs are off") == 1 and "modify-load-balancer-attributes" in html
    assert "<script" not in html
    assert "1 file grew after it was processed" in html and "2 files excluded: not access logs" in html
    assert _problems(IngestProgress(DAY, "done")) == ""
