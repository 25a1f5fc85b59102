"""The next step in worlds that go on as they did: is it decided within its dwell, and do errors stay below its worst case? `python -m benchmarks.next_step`."""

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from analysis import judge
from analysis.deployments.next_step import CanaryLoad, NextStep, candidate_shares, choose_step, step_forecasts
from analysis.parity.context import JudgeContext
from analysis.parity.samples import prepare_grid
from analysis.series.grid import FloatArray
from benchmarks.judge_worlds import ERRORS, P95, START, Traffic, replay, traffic, traffic_frame
from benchmarks.worlds import ar1
from domain import Window
from domain.decision import ReasonedDecision
from domain.window import MINUTE_S

# From minutes and the canary's share to the traffic of a phase.
World = Callable[[np.random.Generator, int, float], Traffic]
PHASE_MINUTES = 8 * 60
DECIDED_GOAL, WORST_GOAL = 0.80, 0.95


def world(
    random: np.random.Generator,
    minutes: int,
    share: float,
    *,
    total: float = 6000.0,
    rate: float = 2e-3,
    worse: float = 0.0,
    bursts: bool = False,
    rate_phi: float | None = None,
    noise: float | None = 0.05,
    responses: float = 0.0,
    phi: float = 0.0,
    ratio: float = 1.0,
) -> Traffic:
    """`total` requests a minute; the canary's error rate is higher by `worse`, its p95 `ratio` times as high.

    `bursts` of errors (gamma), or rates as a log-AR(1) of `rate_phi` with a standard deviation of 0.3, in each fleet. p95 (None: only errors) has `noise`
    per minute with an autocorrelation of `phi`, and `responses` / √requests of sampling.
    """
    own = [np.ones(minutes) for _ in range(2)]
    if bursts:
        own = [random.gamma(0.5, 2.0, minutes) for _ in range(2)]
    if rate_phi is not None:
        own = [np.exp(ar1(random, (1, minutes), rate_phi, 0.3)[0] - 0.045) for _ in range(2)]
    requests = total * (1 - share), total * share
    result = traffic(random, minutes, (own[0] * rate, own[1] * (rate + worse)), requests)
    result = replace(result, shares=((0, share),), criteria=(ERRORS,))
    if noise is None:
        return result
    b, c = (
        0.3 * np.exp(ar1(random, (1, minutes), phi, noise)[0] + responses / np.sqrt(n) * random.normal(size=minutes))
        for n in requests
    )
    return replace(result, p95=(b, c * ratio), criteria=(ERRORS, P95))


WORLDS: dict[str, tuple[World, float]] = {
    "no difference, 10%": (world, 0.1),
    "no difference, 1%": (partial(world, total=30_000), 0.01),
    "no difference, 50%": (world, 0.5),
    "errors only, 600/min, 10%": (partial(world, total=600, rate=2e-4, noise=None), 0.1),
    "errors only, few (1e-4), 2%": (partial(world, rate=1e-4, noise=None), 0.02),
    "bursts of errors, 5%": (partial(world, total=30_000, rate=5e-4, bursts=True, noise=None), 0.05),
    "rates wander (φ = 0.9), 10%": (partial(world, rate=5e-4, rate_phi=0.9, noise=None), 0.1),
    "rates wander (φ = 0.9), 0.5%": (partial(world, total=30_000, rate=5e-4, rate_phi=0.9, noise=None), 0.005),
    "p95 scatters 30%, 10%": (partial(world, noise=0.3), 0.1),
    "p95 scatters 10%, φ = 0.7, 5%": (partial(world, rate=5e-4, noise=0.1, phi=0.7), 0.05),
    "p95 scatters by few responses, 10%": (partial(world, noise=0.02, responses=3.0), 0.1),
    "p95 × 1.05, 10%": (partial(world, ratio=1.05, noise=0.1), 0.1),
    "errors + 0.02 pp, 10%": (partial(world, worse=2e-4, noise=None, total=30_000), 0.1),
}


def step_in(phase: Traffic, share: float) -> NextStep:
    """The step that is recommended after a phase of `phase`, were it decided."""
    window = Window(START, START + phase.minutes * MINUTE_S)
    context = JudgeContext(configured=((START, share),))
    prepared = prepare_grid(traffic_frame(phase, START), phase.criteria, window=window, context=context)
    judgement = judge(prepared)
    rows = step_forecasts(prepared, judgement, candidate_shares(share), CanaryLoad(), lead_minutes=0)
    return choose_step(rows, share, ReasonedDecision(), judgement, elapsed=phase.minutes)


def one_step(name: str, seed: int) -> tuple[float, ...]:
    """Whether a step to a split was recommended, its dwell in minutes, the part of it that the decision took (1: none in that time), whether it was
    decided, and whether errors stayed below the worst."""
    make, share = WORLDS[name]
    random = np.random.default_rng([seed, list(WORLDS).index(name)])
    phase = make(random, PHASE_MINUTES, share)
    step = step_in(phase, share)
    if step.reason != "next" or step.row is None or step.minutes is None or step.row.extra_errors is None:
        return 0.0, np.nan, np.nan, np.nan, np.nan
    following = make(random, step.minutes, step.row.share)
    said = replay(_joined(phase, following, share, step.row.share))
    decisive = np.isin(said.verdicts, ("parity", "regression", "improvement"))
    took = max(row.argmax() + 1 if row.any() else len(row) for row in decisive) / step.minutes
    (n_b, n_c), (b, c) = following.requests, following.errors
    extra = c.sum() - n_c.sum() * b.sum() / n_b.sum()
    return 1.0, float(step.minutes), took, float(decisive.any(axis=1).all()), float(extra <= step.row.extra_errors)


def _joined(before: Traffic, after: Traffic, old: float, new: float) -> Traffic:
    def both(
        first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])

    return Traffic(
        both(before.requests, after.requests),
        both(before.errors, after.errors),
        both(before.p95, after.p95) if before.p95 and after.p95 else None,
        ((0, old), (before.minutes, new)),
        before.minutes,
        criteria=before.criteria,
    )


def main(
    reps: Annotated[int, typer.Option(help="Repetitions of each world.")] = 200,
    only: Annotated[str, typer.Option(help="Only the worlds whose name contains this.")] = "",
    processes: Annotated[int, typer.Option(help="Number of processes.")] = 2,
) -> None:
    """Take the recommended step in every world. Exits with 1 if it is decided in time in less than 80 %, or errors stay below the worst in less than 95 %."""
    names = [name for name in WORLDS if only in name]
    table = Table("world", "steps", "dwell (median)", "took", "decided within it", "errors below the worst")
    outcomes = []
    with ProcessPoolExecutor(processes) as pool:
        for name in names:
            outcome = np.array(list(pool.map(partial(one_step, name), range(reps), chunksize=10)))
            taken = outcome[outcome[:, 0] == 1, 1:]
            outcomes.append(taken)
            median = f"{np.median(taken[:, 0]):.0f} min" if len(taken) else "–"
            took = f"{np.median(taken[:, 1]):.2f} of it" if len(taken) else "–"
            shares = [f"{100 * value:.1f}%" for value in taken[:, 2:].mean(axis=0)] if len(taken) else ["–", "–"]
            table.add_row(name, f"{len(taken)} of {reps}", median, took, *shares)
    decided, below = np.concatenate(outcomes)[:, 2:].mean(axis=0)
    table.add_row("all", "", "", "", f"{100 * decided:.1f}% (≥ 80%)", f"{100 * below:.1f}% (≥ 95%)")
    Console(width=120).print(table)
    sys.exit(0 if decided >= DECIDED_GOAL and below >= WORST_GOAL else 1)


if __name__ == "__main__":
    typer.run(main)
