"""The border: no reply makes a source raise, and no value that cannot be archived passes."""

import logging
import random
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import Series, Window
from domain.frame import assemble, check_frame
from sources import registry
from sources.base import AnsweredRange, Events, Health, Problem, Pull, TrafficSnapshot
from sources.border import REQUESTS, checked, guard
from sources.triggers import TriggerSnapshot
from sources.window_latency import WindowLatency, WindowLatencySource
from tests.factories.proxied_sources import ProxiedSources, proxied_sources
from tests.fakes.metric_source import minute_time

WINDOW = Window(1_770_000_000, 1_770_000_600)
NOW_S = int(minute_time(0).timestamp())


class Failing:
    """A source of every kind whose every request raises."""

    name = "failing"
    retention_s = 60

    def __init__(self, error: Exception) -> None:
        self._error = error

    def pull(self, window: Window, series: Any = None) -> Pull:
        raise self._error

    def events(self, window: Window) -> Events:
        raise self._error

    def snapshot(self) -> TrafficSnapshot:
        raise self._error

    def window_latency(self, window: Window) -> WindowLatency:
        raise self._error

    def check(self) -> tuple[Health, ...]:
        raise self._error

    def download(self, file: str) -> Problem:
        raise self._error

    def count_day(self, day: str, *, should_stop: Any) -> Problem:
        should_stop()
        raise self._error


def guarded_failing(error: Exception, **options: Any) -> Failing:
    return guard(Failing(error), clock=lambda: minute_time(0), **options)


@pytest.mark.parametrize(
    "error", [KeyError("Error"), RecursionError("too deep"), MemoryError(), OverflowError("1e999")]
)
def test_exception_becomes_an_empty_result_with_a_problem(error: Exception) -> None:
    source = guarded_failing(error)
    results: list[Any] = [source.pull(WINDOW), source.events(WINDOW), source.snapshot(), source.window_latency(WINDOW)]
    assert [type(result) for result in results] == [Pull, Events, TrafficSnapshot, WindowLatency]
    for result in results:
        assert result.asked_at == NOW_S
        assert [problem.kind for problem in result.problems] == ["bad_reply"]
    assert source.pull(WINDOW).answered_ranges == ()
    assert not source.events(WINDOW).complete
    assert not source.window_latency(WINDOW).complete
    (health,) = source.check()
    assert health.state == "failed"
    assert isinstance(source.download("a"), Problem)
    assert isinstance(guarded_failing(error, snapshot=TriggerSnapshot).snapshot(), TriggerSnapshot)


def test_problem_has_the_reference_of_its_log_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        (problem,) = guarded_failing(KeyError("password=hunter2")).snapshot().problems
    (record,) = caplog.records
    reference = vars(record)["reference"]
    assert (problem.source, problem.operation) == ("failing", "snapshot")
    assert problem.detail == f"KeyError: '***' (log reference {reference})"
    assert record.exc_info
    assert vars(record)["source"] == "failing"


def test_exceptions_of_the_protocol_and_of_callbacks_are_raised() -> None:
    with pytest.raises(OSError, match="disk full"):
        guarded_failing(OSError("disk full")).download("a")
    with pytest.raises(ZeroDivisionError):
        guarded_failing(ValueError()).count_day("day", should_stop=lambda: 1 / 0)
    assert isinstance(guarded_failing(ValueError()).count_day("day", should_stop=lambda: False), Problem)


def test_other_members_are_those_of_the_source() -> None:
    source = guarded_failing(ValueError())
    assert (source.name, source.retention_s) == ("failing", 60)
    assert isinstance(source, WindowLatencySource)
    assert not hasattr(source, "series")


def make_series(stat: str) -> Series:
    return Series("failing", "baseline", "photo-ec2", "requests", stat, "Count")


def test_values_that_are_not_finite_are_not_answered() -> None:
    good, bad = make_series("Sum"), make_series("Average")
    frame = assemble((good, bad), np.array([0, 1, 0]), np.array([60, 60, 120]), np.array([1.0, float("inf"), 2.0]), 60)
    pull = checked(Pull(WINDOW, 1, frame, (AnsweredRange(frozenset({good, bad}), WINDOW, 60),)))
    assert pull.frame["value"].tolist() == [1.0, 2.0]
    assert [part.series for part in pull.answered_ranges] == [frozenset({good})]
    assert [(problem.kind, problem.about) for problem in pull.problems] == [
        ("bad_reply", "photo-ec2: requests Average")
    ]


def test_frame_that_is_not_tidy_is_a_bad_reply() -> None:
    class Untidy(Failing):
        def pull(self, window: Window, series: Any = None) -> Pull:
            return Pull(window, 1, pd.DataFrame({"value": [1.0]}))

    (problem,) = guard(Untidy(ValueError()), clock=lambda: minute_time(0)).pull(WINDOW).problems
    assert problem.kind == "bad_reply"


def test_text_that_cannot_be_stored_is_replaced_and_numbers_are_refused() -> None:
    problem = Problem("message", "failing", "a\x00b", "\ud800")
    assert checked((problem,)) == (Problem("message", "failing", "a\ufffdb", "\ufffd"),)
    for number in (float("inf"), float("nan"), 2**63):
        with pytest.raises(ValueError, match="number"):
            checked(Health("failing", "read", "up", number))


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedSources]:
    with proxied_sources(tmp_path_factory.mktemp("border")) as sources:
        yield sources


def test_every_source_is_behind_a_proxy(proxied: ProxiedSources) -> None:
    """A source that is added to the registry needs a service in tests/factories/proxied_sources.py."""
    classes = [item for item in vars(registry).values() if isinstance(item, type)]
    names = {
        item.name
        for item in classes
        if hasattr(item, "check") and hasattr(item, "name") and not item.__module__.startswith("sources.demo")
    }
    sources = registry.create_sources(proxied.migration)
    assert not [field.name for field in fields(sources) if not getattr(sources, field.name)]
    assert {source.name for source in proxied.create()} == names
    for source in proxied.create():
        guarded = {name for name in REQUESTS if hasattr(source, name)}
        assert guarded <= proxied.requests_of(source).keys()


def test_unchanged_replies_are_read(proxied: ProxiedSources) -> None:
    for source in proxied.create():
        n_replies = sum(proxy.replies for proxy in proxied.proxies)
        results = [result for request in proxied.requests_of(source).values() for result in items_of(request())]
        assert results
        assert not [result for result in results if isinstance(result, Problem) or getattr(result, "problems", ())]
        assert {result.state for result in results if isinstance(result, Health)} <= {"up", "never_reported"}
        assert sum(proxy.replies for proxy in proxied.proxies) > n_replies, source.name


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.2, 1.0]))
def test_no_reply_makes_a_source_raise(proxied: ProxiedSources, seed: int, share: float) -> None:
    mutations = random.Random(seed)
    for source in proxied.create():
        for request in proxied.requests_of(source).values():
            proxied.damage(mutations, share)
            for result in items_of(request()):
                assert check_frame(result.frame) is not None if isinstance(result, Pull) else checked(result) == result


def items_of(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)
