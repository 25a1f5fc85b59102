"""How far logs are counted: what is still to come, what went wrong, and nothing of it acts."""

from types import SimpleNamespace
from typing import Any

import pytest

from collector.access_log_ingest import IngestProgress
from domain import Window
from sources.base import Problem
from tests.factories.log_counts import START
from ui.endpoints.ingest_progress import _problems, is_ingesting, request_ingest

DAY, WEEK = Window(START, START + 86_400), Window(START, START + 7 * 86_400)
REFUSED = Problem("denied", "access_logs", "read", "logs<script>", "Permission denied")


class FakeCollector:
    def __init__(self, progress: IngestProgress | None) -> None:
        self.progress, self.requested = progress, list[Window]()

    def want_logs(self, window: Window) -> None:
        self.requested.append(window)

    def counting(self, window: Window) -> IngestProgress | None:
        return self.progress


def fake_app(progress: IngestProgress | None, *, logs: object = "there are some") -> Any:
    return SimpleNamespace(keeper=FakeCollector(progress), sources=SimpleNamespace(logs=logs))


@pytest.mark.parametrize(
    ("found", "comes"),
    [
        (None, True),  # wished for, and not yet its turn
        (IngestProgress(DAY, "listing"), True),
        (IngestProgress(DAY, "counting", files=3), True),
        (IngestProgress(DAY, "busy"), True),
        (IngestProgress(DAY, "stopped"), True),  # for a newer wish
        (IngestProgress(DAY, "stopped", problems=(REFUSED,)), False),
        (IngestProgress(DAY, "done", problems=(REFUSED,)), False),
    ],
)
def test_whether_more_comes(found: IngestProgress | None, comes: bool) -> None:
    assert is_ingesting(fake_app(found), DAY) is comes


def test_up_to_a_day_is_counted_unasked_and_no_more() -> None:
    for window, wanted in ((DAY, [DAY]), (WEEK, [])):
        here = fake_app(None)
        request_ingest(here, window)
        assert here.keeper.wanted == wanted
    assert not is_ingesting(fake_app(None), WEEK)


def test_without_logs_nothing_is_wished_for() -> None:
    here = fake_app(None, logs=None)
    assert request_ingest(here, DAY) is None and here.keeper.wanted == [] and not is_ingesting(here, DAY)


def test_what_went_wrong_has_its_next_step() -> None:
    off = Problem("not_enabled", "access_logs", "list", "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:x")
    text = _problems(IngestProgress(DAY, "stopped", changed=1, skipped=2, problems=(off, off, REFUSED)))
    assert text.count("Access logs are off") == 1 and "modify-load-balancer-attributes" in text
    assert "<script" not in text
    assert "1 file has grown" in text and "2 files beside them" in text
    assert _problems(IngestProgress(DAY, "done")) == ""
