"""How far logs are counted: what is still to come, what went wrong, and nothing of it acts."""

from types import SimpleNamespace
from typing import Any

import pytest

from collector.access_log_ingest import Counting
from domain import Window
from sources.base import Problem
from tests.factories.log_counts import START
from ui.endpoints.ingest_progress import _troubles, counting_of, under_way

DAY, WEEK = Window(START, START + 86_400), Window(START, START + 7 * 86_400)
REFUSED = Problem("denied", "access_logs", "read", "logs<script>", "Permission denied")


class Keeper:
    def __init__(self, found: Counting | None) -> None:
        self.found, self.wanted = found, list[Window]()

    def want_logs(self, window: Window) -> None:
        self.wanted.append(window)

    def counting(self, window: Window) -> Counting | None:
        return self.found


def house(found: Counting | None, *, logs: object = "there are some") -> Any:
    return SimpleNamespace(keeper=Keeper(found), sources=SimpleNamespace(logs=logs))


@pytest.mark.parametrize(
    ("found", "comes"),
    [
        (None, True),  # wished for, and not yet its turn
        (Counting(DAY, "listing"), True),
        (Counting(DAY, "counting", files=3), True),
        (Counting(DAY, "busy"), True),
        (Counting(DAY, "stopped"), True),  # for a newer wish
        (Counting(DAY, "stopped", problems=(REFUSED,)), False),
        (Counting(DAY, "done", problems=(REFUSED,)), False),
    ],
)
def test_whether_more_comes(found: Counting | None, comes: bool) -> None:
    assert under_way(house(found), DAY) is comes


def test_up_to_a_day_is_counted_unasked_and_no_more() -> None:
    for window, wanted in ((DAY, [DAY]), (WEEK, [])):
        here = house(None)
        counting_of(here, window)
        assert here.keeper.wanted == wanted
    assert not under_way(house(None), WEEK)


def test_without_logs_nothing_is_wished_for() -> None:
    here = house(None, logs=None)
    assert counting_of(here, DAY) is None and here.keeper.wanted == [] and not under_way(here, DAY)


def test_what_went_wrong_has_its_next_step() -> None:
    off = Problem("not_enabled", "access_logs", "list", "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:x")
    text = _troubles(Counting(DAY, "stopped", changed=1, foreign=2, problems=(off, off, REFUSED)))
    assert text.count("Access logs are off") == 1 and "modify-load-balancer-attributes" in text
    assert "<script" not in text
    assert "1 file has grown" in text and "2 files beside them" in text
    assert _troubles(Counting(DAY, "done")) == ""
