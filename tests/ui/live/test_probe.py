"""The probes on the Live page: why a run failed, with the next step."""

from collections.abc import Callable

import pytest

from archive import ArchiveProblem
from sources.base import Problem
from tests.factories.app_context import NOW
from tests.factories.html import EVIL, ParsedHtml
from ui.app_context import AppContext
from ui.live.probe import probe_section

Show = Callable[..., ParsedHtml]


@pytest.fixture
def show(build_app: Callable[..., AppContext], rendered: list[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """The section after a run with these problems."""
    app = build_app("probe", [{"path": "/photos"}])
    assert app.probe_runner

    def section(*problems: Problem | ArchiveProblem) -> ParsedHtml:
        rendered.clear()
        monkeypatch.setattr(app.probe_runner, "_problems", problems)
        probe_section(app, now=NOW)
        return ParsedHtml(" ".join(rendered))

    return section


def test_a_failed_run_has_the_next_step(show: Show) -> None:
    page = show(Problem("internal_error", "probe", "run", detail=f"RuntimeError: {EVIL}"))
    assert (
        "The probes failedSending the probes raised an exception in this program. "
        f"Reported: “RuntimeError: {EVIL}”→ Send them again. If they fail again, report the traceback in the log."
    ) in page.text
    assert "x-evil" not in page.tags


def test_a_result_that_was_not_stored_is_to_be_sent_again(show: Show) -> None:
    text = show(ArchiveProblem("disk_full", "database or disk is full")).text
    assert "The disk is full" in text
    assert text.endswith("Then send the probes again: a result was not stored.")


def test_rules_that_could_not_be_read_are_not_retried_by_themselves(show: Show) -> None:
    text = show(Problem("denied", "load_balancer", "elasticloadbalancing:DescribeRules")).text
    assert "AWS denied elasticloadbalancing:DescribeRules." in text
    assert text.endswith("Then try again.")


def test_after_a_run_without_problems_there_is_no_message(show: Show) -> None:
    assert "→" not in show().text
