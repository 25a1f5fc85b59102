"""Graphs of Mackerel's dashboards as criteria: what they would compare, and what is written."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from domain import Criterion
from domain.config.criteria import Margin
from services.criteria_import import criteria_toml, new_pairs, preview_pair, read_discovery
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.dashboards import Discovery, Pair
from tests.factories.mackerel import make_migration
from tests.fakes.mackerel import API_KEY, FakeMackerel

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
END = int(NOW.timestamp())
MIGRATION = make_migration()
UPLOADS = Pair(
    "uploads",
    "service(photo, ec2)",
    "service(photo, ecs)",
    "value",
    "equal",
    Margin(value=10, unit="%"),
    "",
    "移行",
    "",
)
RATE = Pair(
    "5xx",
    "divide(service(photo, 5xx), service(photo, ec2))",
    "divide(service(photo, 5xx), service(photo, ecs))",
    "rate",
    "lower",
    Margin(value=1, unit="pp"),
    "",
    "移行",
    "",
)


@pytest.fixture
def mackerel() -> Iterator[FakeMackerel]:
    with FakeMackerel(clock=lambda: NOW) as fake:
        minutes = range(END - 7200, END, 60)
        fake.points["photo"] = {
            "ec2": dict.fromkeys(minutes, 40.0),
            "ecs": dict.fromkeys(minutes, 20.0),
            "5xx": dict.fromkeys(minutes, 2.0),
        }
        yield fake


@pytest.fixture
def api(mackerel: FakeMackerel) -> Iterator[MackerelApi]:
    api = MackerelApi(API_KEY, mackerel.url, backoff_s=0)
    yield api
    api.close()


@pytest.mark.parametrize(
    ("pair", "quantity", "baseline", "canary"), [(UPLOADS, "value", 40, 20), (RATE, "rate", 0.05, 0.1)]
)
def test_a_pair_is_previewed_as_it_would_be_judged(
    api: MackerelApi, pair: Pair, quantity: str, baseline: float, canary: float
) -> None:
    preview = preview_pair(api, MIGRATION, pair, now=NOW)
    assert preview.problems == () and preview.window.minutes == 180
    assert preview.comparison.quantity == quantity
    assert (np.nanmax(preview.comparison.values["baseline"]), np.nanmax(preview.comparison.values["canary"])) == (
        pytest.approx(baseline),
        pytest.approx(canary),
    )


def test_a_pair_of_what_is_gone_has_its_problem(api: MackerelApi, mackerel: FakeMackerel) -> None:
    mackerel.missing_metrics = {"ec2"}
    del mackerel.points["photo"]["ec2"]
    preview = preview_pair(api, MIGRATION, UPLOADS, now=NOW)
    assert {problem.kind for problem in preview.problems} == {"no_such_metric"}
    assert (
        np.isnan(preview.comparison.values["baseline"]).all()
        and not np.isnan(preview.comparison.values["canary"]).all()
    )


def test_progress_counts_dashboards_and_a_deleted_one_is_left_out(api: MackerelApi, mackerel: FakeMackerel) -> None:
    mackerel.dashboards = [{"id": name, "title": name, "widgets": []} for name in ("a", "b")]
    steps: list[tuple[int, int]] = []

    def on_progress(done: int, total: int) -> None:
        steps.append((done, total))
        mackerel.dashboards = mackerel.dashboards[:1]

    discovery = read_discovery(api, MIGRATION, on_progress)
    assert isinstance(discovery, Discovery) and [item.title for item in discovery.dashboards] == ["a"]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert [(item.threshold, item.expression) for item in discovery.monitors] == [
        ("> 5", 'avg(roleSlots("server:role","loadavg5"))')
    ]


def test_a_key_without_the_right_to_read_is_a_problem(api: MackerelApi, mackerel: FakeMackerel) -> None:
    mackerel.has_read_permission = False
    problem = read_discovery(api, MIGRATION)
    assert isinstance(problem, Problem) and problem.kind == "denied"


def test_configured_criteria_are_not_new() -> None:
    criterion = Criterion.model_validate(tomllib.loads(criteria_toml([UPLOADS]))["criteria"][0])
    migration = make_migration(criteria=(criterion,))
    assert new_pairs([UPLOADS, RATE], migration) == (RATE,)
    assert [table["name"] for table in tomllib.loads(criteria_toml([UPLOADS, RATE]))["criteria"]] == ["uploads", "5xx"]
