"""The next step on Live: nothing is computed while it is closed."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import streamlit as st

from analysis.deployments.next_step import NextStep, StepForecast
from domain.decision import ReasonedDecision
from tests.factories.app_context import NOW
from tests.factories.html import ParsedHtml
from tests.factories.traffic import make_rule, make_traffic
from ui.app_context import AppContext
from ui.live import next_step as section

STEP = NextStep(
    "next",
    (StepForecast(0.1, {"error_rate": 300}, 12.0), StepForecast(0.25, {"error_rate": 90}, 21.0)),
    0.1,
    0.25,
    90,
    commands="aws elbv2 modify-rule",
    terraform="forward {\n}",
)


@pytest.fixture
def render(
    build_app: Callable[..., AppContext], rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., ParsedHtml]:
    def show(step: NextStep) -> ParsedHtml:
        monkeypatch.setattr(section, "next_step", lambda *_args, **_more: step)
        evaluation = SimpleNamespace(source="cloudwatch", decision=ReasonedDecision())
        traffic = make_traffic(make_rule(ec2=9, green=1))
        section.next_step_section(build_app(), evaluation, traffic, None, cache_key=step.reason, now=NOW)  # type: ignore[arg-type]
        return ParsedHtml(" ".join(rendered))

    return show


@pytest.fixture
def open_section(monkeypatch: pytest.MonkeyPatch) -> None:
    real = st.expander

    def expander(*args: object, **more: object) -> object:
        container = real(*args, **more)  # type: ignore[arg-type]
        monkeypatch.setattr(type(container), "open", True, raising=False)
        return container

    monkeypatch.setattr(st, "expander", expander)


def test_closed_it_computes_nothing(render: Callable[..., ParsedHtml], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section, "_cached_step", pytest.fail)
    assert render(STEP).text == ""


@pytest.mark.usefixtures("open_section")
def test_open_it_has_the_step_its_table_and_what_it_rests_on(render: Callable[..., ParsedHtml]) -> None:
    page = render(STEP)
    assert "Set ECS to 25%: the smallest larger weight that is decided within a day, in about 1h 30m." in page.text
    assert "25% · recommended" in page.text
    assert "A forecast, if all goes on as it did in this phase." in page.text
    assert "Set ECS to 25%" in page.text
    assert "Read-only: commands are never executed." in page.text


@pytest.mark.usefixtures("open_section")
def test_without_a_step_there_is_a_sentence_and_no_command(render: Callable[..., ParsedHtml]) -> None:
    page = render(NextStep("at_100", current=1.0))
    assert page.text.strip() == "ECS has all traffic: no step is left."
