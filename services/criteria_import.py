"""Criteria from Mackerel's dashboards, for the command and the page: what is found, how it looks, and its [[criteria]]."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import analysis
from analysis import Comparison
from domain import Criterion, Migration, Window
from sources.base import Problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.criteria import MackerelCriteria
from sources.mackerel.dashboards import Discovery, Pair, discover, to_toml
from sources.mackerel.protocol import MackerelError

PREVIEW_MINUTES = 180


@dataclass(frozen=True, slots=True)
class PairPreview:
    """What a pair would compare in `window`: the criterion, its values, which may be all gaps, and why some are missing."""

    criterion: Criterion
    window: Window
    comparison: Comparison
    problems: tuple[Problem, ...]


def read_discovery(
    api: MackerelApi, migration: Migration, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> Discovery | Problem:
    """What the dashboards and monitors of the organization suggest, or why they cannot be read. `on_progress`: of the dashboards."""
    try:
        return discover(api, migration, on_progress)
    except MackerelError as error:
        return error.to_problem("mackerel")


def new_pairs(pairs: Iterable[Pair], migration: Migration) -> tuple[Pair, ...]:
    """Those whose name is not that of a configured criterion."""
    configured = {criterion.metric for criterion in migration.criteria}
    return tuple(pair for pair in pairs if pair.name not in configured)


def criteria_toml(pairs: Iterable[Pair]) -> str:
    """The [[criteria]] tables of the pairs, to be appended to a configuration."""
    return "\n".join(map(to_toml, pairs))


def preview_pair(api: MackerelApi, migration: Migration, pair: Pair, *, now: datetime) -> PairPreview:
    """The last hours of a pair, evaluated as the criterion would be. Mackerel's errors are problems."""
    criterion = _criterion(pair)
    alone = migration.model_copy(update={"criteria": (criterion,)})
    window = Window.last(PREVIEW_MINUTES, now=now)
    result = MackerelCriteria(alone, clock=lambda: now, api=api).pull(window)
    grid = analysis.finest_grid(result.frame, window)
    comparison = analysis.own_metric(grid, criterion.series_metric, is_rate=criterion.kind == "rate")
    problems = tuple(
        problem for problem in result.problems if problem.kind != "incomplete"
    )  # the others say which part
    return PairPreview(criterion, window, comparison, problems)


def _criterion(pair: Pair) -> Criterion:
    return Criterion(
        name=pair.name,
        metric=pair.name,
        source="mackerel",
        baseline=pair.baseline,
        canary=pair.canary,
        kind=pair.kind,
        better=pair.better,
        margin=pair.margin,
    )
