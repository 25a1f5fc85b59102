"""The border: no reply makes a source raise, and no value that cannot be archived passes."""

import logging
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import Series, Window, utc_now
from domain.config.loader import load
from domain.frame import assemble, check_frame
from sources import registry
from sources.aws import calls, cloudtrail
from sources.aws.client import create_client
from sources.base import AnsweredRange, Events, Health, Problem, Pull, TrafficSnapshot
from sources.border import checked, guard
from sources.mackerel.client import MackerelApi
from sources.registry import Sources
from sources.triggers import TriggerSnapshot
from sources.window_latency import WindowLatency, WindowLatencySource
from tests.fakes.metric_source import minute_time
from tests.fakes.mutating_proxy import MutatingProxy, mutate, mutating_proxies
from tests.fakes.services import fake_services
from tests.fakes.traffic_model import SteadyTraffic

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
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sources, tuple[MutatingProxy, ...]]]:
    """Every configured source that the fakes can serve, each behind a proxy, without pauses between requests."""
    folder = tmp_path_factory.mktemp("border")
    with (
        fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as services,
        mutating_proxies(services.environment) as (environment, proxies),
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(calls, "create_client", partial(create_client, max_attempts=1))
        patch.setattr(cloudtrail, "_RATE_LIMITER", cloudtrail.RateLimiter(0))
        api = MackerelApi(environment["MACKEREL_APIKEY"], environment["MACKEREL_APIBASE"], backoff_s=0)
        patch.setattr(MackerelApi, "from_environment", classmethod(lambda _cls: api))
        config = folder / "migration.toml"
        config.write_text(services.config(str(folder / "archive.db")), encoding="utf-8")
        yield registry.create_sources(load(config)), proxies


def ask_all(sources: Sources) -> Iterator[Any]:
    window = Window.last(5, now=utc_now())
    for metrics in (*sources.metrics, *sources.batches):
        yield metrics.pull(window)
        yield metrics.check()
        if isinstance(metrics, WindowLatencySource):
            yield metrics.window_latency(window)
    for events in sources.events:
        yield events.events(window)
        yield events.check()
    assert sources.traffic
    yield sources.traffic.snapshot()
    yield sources.traffic.check()


def test_unchanged_replies_are_read(proxied: tuple[Sources, tuple[MutatingProxy, ...]]) -> None:
    sources, proxies = proxied
    for proxy in proxies:
        proxy.change = lambda reply: reply
    assert not [
        result
        for result in ask_all(sources)
        for problem in getattr(result, "problems", ())
        if problem.kind == "bad_reply"
    ]
    assert all(proxy.replies for proxy in proxies)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_reply_makes_a_source_raise(proxied: tuple[Sources, tuple[MutatingProxy, ...]], seed: int) -> None:
    sources, proxies = proxied
    mutations = random.Random(seed)
    for proxy in proxies:
        proxy.change = lambda reply: mutate(reply, mutations)
    for result in ask_all(sources):
        assert checked(result) == result if not isinstance(result, Pull) else check_frame(result.frame) is not None
