"""Simulations of the judge with known truth, beside Kayenta's figures: `python -m benchmarks.judge --help`."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from analysis import AlarmData, SplitShares, TimeGrid, find_alarms, judge, prepare_grid, trace
from analysis.parity.confidence_sequences import (
    NO_HISTORY,
    RunningDifferences,
    difference_scatter,
    running_differences,
    running_rates,
)
from analysis.parity.intervals import SequentialIntervals, interval_verdicts, intervals
from analysis.series.grid import FleetSeries, FloatArray
from benchmarks import judge_worlds
from benchmarks.worlds import ar1, before_after, cost, routes, sample_ratio
from domain import FLEETS, Criterion, FleetName
from domain.window import MINUTE_S
from tests.factories.frames import tidy_frame

# From a number of repetitions to the outcome of each: 1 or 0, a delay, or a ratio.
Simulation = Callable[[np.random.Generator, int], FloatArray]

CHUNK = 100  # repetitions at once
WORLD_CHUNK = 25
EVERY_FIVE_MINUTES = slice(4, None, 5)
ERRORS = Criterion.model_validate({"metric": "error_rate", "margin": "0.05pp"})
LATENCY = Criterion.model_validate({"metric": "latency_p95", "margin": "10%"})


# Scenarios: events of both fleets per minute (reps × minutes), or log latencies.


def simulate_rates(
    random: np.random.Generator,
    shape: tuple[int, int],
    rates: tuple[float, float],
    requests: tuple[float, float],
    *,
    bursts: str = "",
    criterion: Criterion = ERRORS,
) -> SequentialIntervals:
    """Errors at `rates` among `requests` per minute (baseline, canary), with bursts (gamma, shape 0.5) per minute: "shared" or each fleet's "own"."""
    own = [random.gamma(0.5, 2.0, shape) if bursts else np.ones(shape) for _ in rates]
    if bursts == "shared":
        own[1] = own[0]
    (b, c), (n_b, n_c) = (
        [random.poisson(r * n * g).astype(float) for r, n, g in zip(rates, requests, own, strict=True)],
        [np.full(shape, n) for n in requests],
    )
    return intervals(criterion, running_rates(np.minimum(b, n_b), n_b, np.minimum(c, n_c), n_c), 1)


def simulate_autocorrelated_rates(
    random: np.random.Generator, shape: tuple[int, int], phi: float, errors_per_minute: float
) -> SequentialIntervals:
    """Errors among 6,000 requests per minute; each fleet's rate varies as a log-AR(1) with a standard deviation of 0.3."""
    n = np.full(shape, 6000.0)
    b, c = (
        random.poisson(errors_per_minute * np.exp(ar1(random, shape, phi, 0.3) - 0.045)).astype(float) for _ in range(2)
    )
    return intervals(ERRORS, running_rates(b, n, c, n), 1)


def simulate_latency(
    random: np.random.Generator, shape: tuple[int, int], *, ratio: float = 1.0, noise: float = 0.3, phi: float = 0.0
) -> SequentialIntervals:
    """Latency of both fleets: lognormal with a coefficient of variation `noise` per minute, and autocorrelation `phi`."""
    sd = float(np.sqrt(np.log1p(noise**2)))
    b, c = ar1(random, shape, phi, sd), ar1(random, shape, phi, sd)
    running = running_differences(c - b + np.log(ratio))
    return intervals(LATENCY, running, 1, np.exp(np.cumsum(b, axis=1) / running.minutes))


def simulate_slow_drift(random: np.random.Generator, shape: tuple[int, int]) -> SequentialIntervals:
    """30% independent noise over a slow drift (φ = 0.95) of half its size, which cannot be recognised within an hour."""
    running = running_differences(random.normal(size=shape) * 0.415 + ar1(random, shape, 0.95, 0.21))
    return intervals(LATENCY, running, 1, np.ones(shape))


def simulate_answers(
    random: np.random.Generator, shape: tuple[int, int], *, ratio: float, history: int = 0
) -> SequentialIntervals:
    """p95 of every minute from 600 answers of each fleet (lognormal, σ = 0.5), as from access logs; after `history` minutes with ratio 1."""
    minutes = history + shape[1]
    p95 = np.log(
        [
            np.quantile(np.exp(0.5 * random.normal(size=(minutes, 600))), 0.95, axis=1, method="inverted_cdf")
            for _ in range(2 * shape[0])
        ]
    )
    b, c = p95[: shape[0]], p95[shape[0] :]
    judged = [
        running_differences(
            c[i, history:] - b[i, history:] + np.log(ratio),
            None,
            difference_scatter(c[i, :history] - b[i, :history]) if history else NO_HISTORY,
        )
        for i in range(shape[0])
    ]
    running = RunningDifferences(
        *(np.stack([getattr(one, field.name) for one in judged]) for field in fields(RunningDifferences))
    )
    return intervals(LATENCY, running, 1, np.ones(shape))


# Worlds for the alarm: the counts and p95 of both fleets in each minute of a day, after the three hours that the rules look back.

ALARM_LEAD_IN, DAY_MINUTES = 180, 1440
OUTAGE_AT = ALARM_LEAD_IN + 60  # the minute of the step to the outage's share


@dataclass(frozen=True, slots=True)
class AlarmWorld:
    """Both fleets' `requests` per minute (baseline, canary; Poisson), error `rates` and p95.

    `bursts` of errors as in `simulate_rates`; `rate_phi`: log-AR(1) of the rates with a standard deviation of 0.3; `unanswered`: share of
    requests without an answer that is no failure, as web sockets are. `noise`, `phi`: coefficient of variation and autocorrelation of p95.
    `outage`: what one fleet does from OUTAGE_AT on: "5xx", "no response" (the load balancer's 504), "clients give up" (not even that),
    "no targets" (the load balancer's 503, and no requests of the group), "p95 × 3".
    """

    requests: tuple[float, float] = (600.0, 600.0)
    rates: tuple[float, float] = (2e-3, 2e-3)
    bursts: str = ""
    rate_phi: float | None = None
    unanswered: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.05
    phi: float = 0.0
    outage: str = ""
    broken: FleetName = "canary"
    outage_requests: tuple[float, float] | None = None  # from OUTAGE_AT on

    @property
    def split(self) -> SplitShares:
        b, c = self.outage_requests or self.requests
        settled_at = (OUTAGE_AT + 1) * MINUTE_S if self.outage_requests else 0
        return SplitShares({"baseline": b / (b + c), "canary": c / (b + c)}, settled_at)

    def day(self, random: np.random.Generator) -> TimeGrid:
        minutes = ALARM_LEAD_IN + DAY_MINUTES
        after = np.arange(minutes) >= OUTAGE_AT
        bursts = [random.gamma(0.5, 2.0, minutes) if self.bursts else np.ones(minutes) for _ in FLEETS]
        if self.bursts == "shared":
            bursts[1] = bursts[0]
        alb_5xx = random.poisson(0.1, minutes).astype(float)
        fleets: dict[FleetName, FleetSeries] = {}
        for index, fleet in enumerate(FLEETS):
            mean = np.where(after, (self.outage_requests or self.requests)[index], self.requests[index])
            requests = random.poisson(mean).astype(float)
            if self.rate_phi is not None:
                bursts[index] = np.exp(ar1(random, (1, minutes), self.rate_phi, 0.3)[0] - 0.045)
            errors = random.binomial(requests.astype(int), np.minimum(self.rates[index] * bursts[index], 1)) * 1.0
            answers = requests - random.binomial(requests.astype(int), self.unanswered[index])
            p95 = 0.3 * np.exp(ar1(random, (1, minutes), self.phi, float(np.sqrt(np.log1p(self.noise**2))))[0])
            outage = self.outage if fleet == self.broken else ""
            if outage == "5xx":
                errors = np.where(after, requests, errors)
            elif outage == "p95 × 3":
                p95 = np.where(after, 3 * p95, p95)
            elif outage:
                alb_5xx += after * requests * (outage != "clients give up")
                answers, errors, p95 = (
                    np.where(after, gone, values) for values, gone in ((answers, 0), (errors, 0), (p95, np.nan))
                )
                if outage == "no targets":
                    requests = np.where(after, np.nan, requests)
            errors = np.minimum(errors, answers)
            counts = {
                "requests": requests,
                "target_2xx": answers - errors,
                "target_5xx": errors,
                "sample_count": answers,
            }
            counts |= dict.fromkeys(("target_3xx", "target_4xx", "connection_errors"), np.zeros(minutes))
            fleets[fleet] = FleetSeries(counts, {"p95": p95}, {}, np.zeros(minutes, dtype=bool))
        ts = np.arange(minutes) * MINUTE_S
        return TimeGrid(
            ts,
            MINUTE_S,
            fleets,
            {"alb_5xx": alb_5xx, "alb_503": alb_5xx * (self.outage == "no targets")},
            np.full(minutes, MINUTE_S),
        )


def alarm_days(random: np.random.Generator, reps: int, world: AlarmWorld) -> FloatArray:
    """Whether there is an alarm in a day."""
    states = (find_alarms(AlarmData(world.day(random), world.split)) for _ in range(reps))
    start = ALARM_LEAD_IN * MINUTE_S
    return np.array([float(any(alarm.raised_at > start for alarm in state.alarms)) for state in states])


def alarm_delay(random: np.random.Generator, reps: int, world: AlarmWorld) -> FloatArray:
    """Minutes of data from the outage until the alarm is raised; ∞ without one."""
    delays = []
    for _ in range(reps):
        state = find_alarms(AlarmData(world.day(random), world.split))
        raised = [alarm.raised_at for alarm in state.alarms if alarm.fleet == world.broken]
        first = min((at for at in raised if at > OUTAGE_AT * MINUTE_S), default=np.inf)
        delays.append((first - OUTAGE_AT * MINUTE_S) / MINUTE_S)
    return np.array(delays)


HEALTHY_WORLDS: dict[str, AlarmWorld] = {
    "Poisson": AlarmWorld(),
    "bursts shared": AlarmWorld(bursts="shared"),
    "bursts independent": AlarmWorld(bursts="own"),
    "bursts independent, 6,000/min": AlarmWorld((6e3, 6e3), (1e-3, 1e-3), bursts="own"),
    "errors, 30/min, own AR(1) φ = 0.9 of the rate": AlarmWorld((6e3, 6e3), (5e-3, 5e-3), rate_phi=0.9),
    "canary at 1%, 6,000/min": AlarmWorld((5940.0, 60.0), (1e-3, 1e-3)),
    "canary at 1%, 600/min, bursts independent": AlarmWorld((594.0, 6.0), bursts="own"),
    "6/min per fleet, base 2e-2, bursts independent": AlarmWorld((6.0, 6.0), (2e-2, 2e-2), bursts="own"),
    "WebSockets, 10% and 20%": AlarmWorld(unanswered=(0.1, 0.2)),
    "WebSockets of the canary alone, 20%": AlarmWorld(unanswered=(0.0, 0.2)),
    "latency, own AR(1) φ = 0.5": AlarmWorld(noise=0.3, phi=0.5),
    "latency, own AR(1) φ = 0.7": AlarmWorld(noise=0.3, phi=0.7),
    "latency, own AR(1) φ = 0.9": AlarmWorld(noise=0.3, phi=0.9),
}
_STEP = (250.0, 750.0)  # from 50% to 75% of 1,000/min
OUTAGE_WORLDS: dict[str, AlarmWorld] = {
    "canary responds with 5xx, step to 75%": AlarmWorld((500.0, 500.0), outage="5xx", outage_requests=_STEP),
    "canary does not respond, step to 75%": AlarmWorld((500.0, 500.0), outage="no response", outage_requests=_STEP),
    "… and its clients give up first": AlarmWorld((500.0, 500.0), outage="clients give up", outage_requests=_STEP),
    "canary has no targets, step to 75%": AlarmWorld((500.0, 500.0), outage="no targets", outage_requests=_STEP),
    "canary does not respond, at 1% of 6,000/min": AlarmWorld((5940.0, 60.0), outage="no response"),
    "canary does not respond, at 1% of 600/min": AlarmWorld((594.0, 6.0), outage="no response"),
    "baseline does not respond": AlarmWorld(outage="no response", broken="baseline"),
    "p95 × 3": AlarmWorld(outage="p95 × 3"),
}


# Outcomes.


def worse(intervals: SequentialIntervals) -> npt.NDArray[np.bool_]:
    return intervals.is_known & (intervals.alarm_lower > 0)


def any_alarm(intervals: SequentialIntervals) -> FloatArray:
    """Whether 0 was excluded on either side at any look."""
    alarms = worse(intervals) | intervals.is_known & (intervals.alarm_upper < 0)
    return alarms[:, EVERY_FIVE_MINUTES].any(axis=1).astype(float)


def detected(intervals: SequentialIntervals) -> FloatArray:
    return worse(intervals).any(axis=1).astype(float)


def delay(hits: npt.NDArray[np.bool_]) -> FloatArray:
    """Minutes until the first hit; ∞ without one."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)


def reached(criterion: Criterion, intervals: SequentialIntervals, verdict: str, *, at_end: bool = False) -> FloatArray:
    hits = interval_verdicts(criterion, intervals) == verdict
    return (hits[:, -1] if at_end else hits.any(axis=1)).astype(float)


def parity_at_margin(random: np.random.Generator, reps: int, kind: str) -> FloatArray:
    """Whether a true difference equal to the margin is ever called parity in eight hours."""
    shape = (reps, 480)
    if kind == "latency":
        return reached(LATENCY, simulate_latency(random, shape, ratio=1.1), "parity")
    base, requests, criterion = MARGIN_KINDS[kind]
    worse_rate = base + 5e-4 if criterion is ERRORS else base * 1.5
    intervals = simulate_rates(random, shape, (base, worse_rate), requests, criterion=criterion)
    return reached(criterion, intervals, "parity")


def relative_margin(per_cent: float) -> Criterion:
    return Criterion.model_validate({"metric": "error_rate", "margin": f"{per_cent:g}%"})


def errors_to_parity(
    random: np.random.Generator, reps: int, per_cent: float, fixed: float, errors_per_minute: float
) -> FloatArray:
    """Errors per fleet until parity, over those of a fixed-sample TOST (α 5%, power 90%)."""
    minutes = int(6 * fixed / errors_per_minute)
    criterion = relative_margin(per_cent)
    looks = simulate_rates(random, (reps, minutes), (errors_per_minute / 1e4,) * 2, (1e4, 1e4), criterion=criterion)
    return delay(interval_verdicts(criterion, looks) == "parity") * errors_per_minute / fixed


def one_sided_rule(
    random: np.random.Generator, reps: int, errors: int, errors_per_minute: float, *, bursts: bool
) -> FloatArray:
    """Whether one fleet ever has `errors` errors and the other none in eight healthy hours: the alarms of such a rule."""
    own = random.gamma(0.5, 2.0, (2, reps, 480)) if bursts else 1.0
    b, c = np.cumsum(random.poisson(errors_per_minute * own, (2, reps, 480)), axis=2)
    return (((b == 0) & (c >= errors)) | ((c == 0) & (b >= errors))).any(axis=1).astype(float)


def first_seven(random: np.random.Generator, reps: int, phi: float) -> FloatArray:
    """Whether the first seven minutes of a healthy autocorrelated difference have the same sign."""
    first = ar1(random, (reps, 7), phi, 1.0) > 0
    return (first.all(axis=1) | ~first.any(axis=1)).astype(float)


MARGIN_KINDS: dict[str, tuple[float, tuple[float, float], Criterion]] = {
    "0.05 pp over 1e-3": (1e-3, (600.0, 600.0), ERRORS),
    "0.05 pp over 1e-5": (1e-5, (600.0, 600.0), ERRORS),
    "0.05 pp over 1e-3, canary at 1%": (1e-3, (59_400.0, 600.0), ERRORS),
    "50% over 2e-3": (2e-3, (600.0, 600.0), relative_margin(50)),
}


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One row of the table. `goal`: ≤ or ≥ a bound of the summary, None without one. `summary`: share, median, or the 90% quantile ("90%")."""

    name: str
    simulation: Simulation
    kayenta: str
    goal: tuple[str, float] | None
    summary: str = "share"


def _row(
    name: str,
    goal: tuple[str, float] | None,
    kayenta: str,
    outcome: Callable[[SequentialIntervals], FloatArray],
    simulate: Callable[..., SequentialIntervals],
    *arguments: Any,
    minutes: int = 480,
    summary: str = "share",
    **options: Any,
) -> BenchmarkRow:
    def simulation(random: np.random.Generator, reps: int) -> FloatArray:
        return outcome(simulate(random, (reps, minutes), *arguments, **options))

    return BenchmarkRow(name, simulation, kayenta, goal, summary)


def rows() -> list[BenchmarkRow]:
    """The table. The seed of a row depends on its position."""
    rates, latency = simulate_rates, simulate_latency
    even, one_per_cent, equal, equal_3 = (600.0, 600.0), (5940.0, 60.0), (2e-3, 2e-3), (1e-3, 1e-3)
    most_5, least_95 = ("≤", 5), ("≥", 95)
    table = [
        _row("no difference, 8 h: Poisson", most_5, "2%", any_alarm, rates, equal, even),
        _row("… bursts shared", most_5, "0.7%", any_alarm, rates, equal, even, bursts="shared"),
        _row("… bursts independent", most_5, "6.7%", any_alarm, rates, equal, even, bursts="own"),
        _row("… bursts independent, 6,000/min", most_5, "—", any_alarm, rates, equal_3, (6e3, 6e3), bursts="own"),
    ]
    for phi, kayenta, bound in ((0.5, "27% peeking", 5), (0.7, "19% in one look", 5), (0.9, "52% in one look", 10)):
        own, goal, errors = f"own AR(1) φ = {phi}", ("≤", bound), simulate_autocorrelated_rates
        table += [
            _row(f"latency, {own}", goal, kayenta, any_alarm, latency, phi=phi),
            _row(f"errors, 30/min, {own} of the rate", goal, "—", any_alarm, errors, phi, 30.0),
            _row(f"errors, 1.2/min, {own} of the rate, unseen", None, "—", any_alarm, errors, phi, 1.2),
        ]
    found = "canary at 1%, 6,000/min, base 1e-3, × 5, 60 min: found"
    regression = partial(reached, LATENCY, verdict="regression")
    parity_at_end = partial(reached, LATENCY, verdict="parity", at_end=True)
    small = {"minutes": 1440, "ratio": 1.005}
    table += [
        _row(found, least_95, "0%", detected, rates, (1e-3, 5e-3), one_per_cent, minutes=60),
        _row("same, healthy: better or worse", most_5, "55%", any_alarm, rates, equal_3, one_per_cent, minutes=60),
        _row("same, healthy, 8 h", most_5, "—", any_alarm, rates, equal_3, one_per_cent),
        _row("600/min per fleet, base 2e-4, × 10, 30 min: found", least_95, "50%", detected, rates, (2e-4, 2e-3), even, minutes=30),
        _row(
            "600/min per fleet, base 2e-3, × 2: minutes to worse", ("≤", 30), "37 min",
            lambda intervals: delay(worse(intervals)), rates, (2e-3, 4e-3), even, minutes=240, summary="median",
        ),
        _row("+20% latency, 30% noise: found by 60 min", ("≥", 60), "53%", detected, latency, minutes=60, ratio=1.2),
        _row("… by 120 min", least_95, "—", detected, latency, minutes=120, ratio=1.2),
        _row("+0.5% latency, margin 10%, 24 h: regression (3% noise)", ("≤", 1), "93% High", regression, latency, noise=0.03, **small),
        _row("… parity at the end (30% noise)", least_95, "—", parity_at_end, latency, **small),
    ]  # fmt: skip
    table += [
        BenchmarkRow(f"truth at the margin, 8 h: parity ({kind})", partial(parity_at_margin, kind=kind), "—", most_5)
        for kind in (*MARGIN_KINDS, "latency")
    ]
    table += [
        BenchmarkRow(
            f"errors for parity ±{per_cent}%, × TOST's {fixed} ({summary})",
            partial(errors_to_parity, per_cent=per_cent, fixed=fixed, errors_per_minute=per_minute),
            "—",
            ("≤", 2.5),
            summary,
        )
        for per_cent, fixed, per_minute in ((10, 2383, 6.0), (25, 435, 2.0), (50, 132, 1.0), (100, 46, 0.5))
        for summary in ("median", "90%")
    ]
    table.append(_row("30% noise over a slow drift: any alarm", None, "—", any_alarm, simulate_slow_drift))
    for name, errors_, per_minute, bursts in (
        ("a rule: worse at 4 errors to none", 4, 0.02, False),
        ("a rule: worse at 7 to none", 7, 0.3, False),
        ("… bursts independent, 0.3/min", 7, 0.3, True),
        ("… 1/min", 7, 1.0, True),
    ):
        rule = partial(one_sided_rule, errors=errors_, errors_per_minute=per_minute, bursts=bursts)
        table.append(BenchmarkRow(name, rule, "—", None))
    last = partial(first_seven, phi=0.9)
    table.append(BenchmarkRow("a rule: worse at the first 7 minutes of 10, φ = 0.9", last, "—", None))
    table += [
        BenchmarkRow(f"healthy, 24 h: an alarm ({kind})", partial(alarm_days, world=world), "—", ("≤", 1))
        for kind, world in HEALTHY_WORLDS.items()
    ]
    table += [
        BenchmarkRow(
            f"outage: minutes of data to the alarm ({kind})",
            partial(alarm_delay, world=world),
            "—",
            ("≤", bound),
            "90%",
        )
        for kind, world in OUTAGE_WORLDS.items()
        # The minute of a weight change does not count; of six failures a minute, ten take two or three.
        for bound in [4 if "no targets" in kind else 5 if "600/min" in kind else 3]
    ]
    for module in (sample_ratio, cost, before_after, routes):
        table += [BenchmarkRow(*row) for row in module.rows()]
    for history, name in ((0, ""), (240, ", with four hours of history")):
        table.append(
            _row(
                f"p95 × 1.2 from 600 raw responses/min: minutes to worse{name}", ("≤", 10), "—",
                lambda intervals: delay(worse(intervals)), simulate_answers, ratio=1.2, history=history, minutes=60, summary="median",
            )
        )  # fmt: skip
    return table


def outcomes(seed: int, row: int, chunk: int, reps: int) -> tuple[int, FloatArray]:
    """One chunk of one row, with its own seed."""
    return row, rows()[row].simulation(np.random.default_rng([seed, row, chunk]), reps)


def summarize(row: BenchmarkRow | judge_worlds.WorldRow, outcome: FloatArray) -> tuple[str, str, bool | None]:
    """Ours, the goal, and whether it is met."""
    outcome = outcome[~np.isnan(outcome)]
    if row.summary == "share":
        value, error = 100 * outcome.mean(), 100 * outcome.std() / np.sqrt(len(outcome))
        ours = f"{value:.1f}% (±{error:.1f})"
    else:
        value = float(np.quantile(outcome, 0.5 if row.summary == "median" else 0.9, method="higher"))
        ours = f"{value:.2f}" if value < 10 else f"{value:.0f}"
    if row.goal is None:
        return ours, "—", None
    sign, bound = row.goal
    if isinstance(bound, tuple):
        return ours, f"{bound[0]:g} … {bound[1]:g}", bound[0] <= value <= bound[1]
    unit = "%" if row.summary == "share" else ""
    return ours, f"{sign} {bound:g}{unit}", value <= bound if sign == "≤" else value >= bound


def speed(console: Console) -> None:
    """Milliseconds of `judge` and `trace` for 24 hours and 8 criteria, called as the pages do."""
    random, n = np.random.default_rng(1), 1440

    def fleet_rows(fleet: str) -> dict[tuple[str, str, str, str], list[float]]:
        errors = random.poisson(3.0, n)
        rows = {
            (fleet, fleet, "requests", "sum"): [3000.0] * n,
            (fleet, fleet, "target_5xx", "sum"): list(errors.astype(float)),
            (fleet, fleet, "target_2xx", "sum"): list(3000.0 - errors),
            (fleet, fleet, "latency", "sample_count"): [3000.0] * n,
            (fleet, fleet, "latency", "within_0.3s"): list(1 - random.binomial(3000, 0.03, n) / 3000),
        }
        for index, stat in enumerate(("p50", "p90", "p95", "p99")):
            rows[fleet, fleet, "latency", stat] = list(0.1 * (index + 1) * np.exp(0.2 * random.normal(size=n)))
        return rows

    frame = tidy_frame({**fleet_rows("baseline"), **fleet_rows("canary")})
    criteria = [
        Criterion.model_validate({"metric": metric, "margin": margin})
        for metric, margin in (
            ("error_rate", "0.05pp"),
            ("unanswered_rate", "0.01pp"),
            ("target_5xx_rate", "10%"),
            ("latency_p50", "10%"),
            ("latency_p90", "10%"),
            ("latency_p95", "20ms"),
            ("latency_p99", "1%"),
            ("slow_0.3s", "0.5pp"),
        )
    ]
    values = frame["value"].to_numpy()
    yardstick_ms = _cpu_ms(lambda: np.cumsum(values))
    judge_ms = _cpu_ms(lambda: judge(prepare_grid(frame, criteria)))
    trace_ms = _cpu_ms(lambda: trace(prepare_grid(frame, criteria)))
    for name, cpu_ms, bound in (("judge", judge_ms, 30), ("trace", trace_ms, 300)):
        ratio = f"{cpu_ms / yardstick_ms:,.0f} × numpy's cumsum over the same {len(values):,} values"
        console.print(f"{name}: {cpu_ms:.0f} ms of CPU (≤ {bound} ms), 24 h × 8 criteria; {ratio}")


def _cpu_ms(function: Callable[[], object]) -> float:
    """The median of eleven calls, in milliseconds of CPU."""
    durations_ms = []
    for _ in range(11):
        started = time.process_time()
        function()
        durations_ms.append(1000 * (time.process_time() - started))
    return float(np.median(durations_ms))


# A row of the table "intervals" or "worlds", and a judge: the outcomes of all repetitions.
Results = dict[tuple[str, int, str], list[FloatArray]]


def _simulate_intervals(seed: int, index: int, chunk: int, reps: int) -> dict[tuple[str, int, str], FloatArray]:
    return {("intervals", index, "ours"): outcomes(seed, index, chunk, reps)[1]}


def _simulate_worlds(
    seed: int, group: tuple[int, int], chunk: int, reps: int
) -> dict[tuple[str, int, str], FloatArray]:
    found = judge_worlds.simulate(group, np.random.default_rng([seed, 1, group[0], chunk]), reps)
    return {("worlds", index, judge_name): np.array(values) for (index, judge_name), values in found.items()}


def main(
    reps: Annotated[int, typer.Option(help="Repetitions of each scenario of the intervals.")] = 1000,
    world_reps: Annotated[int, typer.Option(help="Repetitions of each world.")] = 300,
    only: Annotated[str, typer.Option(help="Only the rows whose name contains this.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 11,
    processes: Annotated[int, typer.Option(help="Number of processes.")] = 2,
) -> None:
    """Simulate every scenario and print the results beside the goals, and beside other judges. Exits with 1 if a goal is missed."""
    console, tables = Console(width=170), {"intervals": rows(), "worlds": judge_worlds.rows()}
    chosen = {
        name: [index for index, row in enumerate(table) if only.lower() in row.name.lower()]
        for name, table in tables.items()
    }
    sizes = {"intervals": reps, "worlds": world_reps}
    results: Results = defaultdict(list)
    with ProcessPoolExecutor(processes) as pool:
        futures = [
            pool.submit(_simulate_intervals, seed, index, chunk, min(CHUNK, reps - chunk))
            for index in chosen["intervals"]
            for chunk in range(0, reps, CHUNK)
        ]
        futures += [
            pool.submit(_simulate_worlds, seed, group, chunk, min(WORLD_CHUNK, world_reps - chunk))
            for group in judge_worlds.groups()
            if set(range(*group)) & set(chosen["worlds"])
            for chunk in range(0, world_reps, WORLD_CHUNK)
        ]
        for n_done, future in enumerate(as_completed(futures), start=1):
            for key, values in future.result().items():
                results[key].append(values)
            print(f"\r{n_done} of {len(futures)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    missed = False
    for name, table in tables.items():
        peers = ["Kayenta"] if name == "intervals" else list(judge_worlds.PEERS)
        output = Table("scenario", "ours", "to reach", *peers, "met?", title=f"{name}: {sizes[name]} repetitions a row")
        for index in chosen[name]:
            row = table[index]
            values = {key[2]: np.concatenate(parts) for key, parts in results.items() if key[:2] == (name, index)}
            ours, goal, met = summarize(row, values["ours"])
            missed |= met is False
            theirs = [summarize(row, values[peer])[0] if peer in values else "—" for peer in peers]
            if isinstance(row, BenchmarkRow):
                theirs = [row.kayenta]
            output.add_row(row.name, ours, goal, *theirs, {True: "yes", False: "NO", None: "—"}[met])
        if chosen[name]:
            console.print(output)
    if not only:
        speed(console)
    raise typer.Exit(int(missed))


if __name__ == "__main__":
    typer.run(main)
