"""Worlds in which a judge is easily wrong, as traffic of whole phases: what the real `judge` and `trace` say in them, beside other judges."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import judge, trace
from analysis.parity.confidence_sequences import Scatter, difference_scatter, rate_scatter
from analysis.parity.context import JudgeContext
from analysis.parity.incidents import Incident
from analysis.parity.samples import prepare_grid
from analysis.series.grid import FloatArray
from benchmarks import judge_peers
from benchmarks.worlds import ar1
from domain import Criterion, Series, Window, assemble, check_frame
from domain.decision import Decision
from domain.window import DAY_S, MINUTE_S
from services.decision import decide_minute

START = 1_790_000_000 // DAY_S * DAY_S
ERRORS = Criterion.model_validate({"metric": "error_rate", "margin": "0.05pp", "critical": True})
P95 = Criterion.model_validate({"metric": "latency_p95", "margin": "10%", "critical": True})
HISTORY_MINUTES = DAY_S // MINUTE_S
BREAK_AT = 420
EVERY_FIVE_MINUTES = slice(4, None, 5)
PEERS = ("GrowthBook", "savvi", "Kayenta", "threshold rule")


@dataclass(slots=True)
class Traffic:
    """Both fleets (baseline, canary), one value a minute: `requests` (NaN: no target received any), `errors`, and p95 in seconds.

    `shares`: the canary's configured share, from a minute on. The first `history` minutes are before the phase.
    """

    requests: tuple[FloatArray, FloatArray]
    errors: tuple[FloatArray, FloatArray]
    p95: tuple[FloatArray, FloatArray] | None = None
    shares: tuple[tuple[int, float], ...] = ((0, 0.5),)
    history: int = 0
    warm_up: tuple[tuple[int, int], ...] = ()
    criteria: tuple[Criterion, ...] = (ERRORS,)

    @property
    def minutes(self) -> int:
        return len(self.requests[0])


World = Callable[[np.random.Generator], Traffic]


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What was said after each minute of the phase: the verdict of each criterion, whether 0 was excluded, the decision; and the incidents."""

    verdicts: npt.NDArray[np.str_]  # criteria × minutes
    shown: npt.NDArray[np.bool_]
    decisions: npt.NDArray[np.str_]
    incidents: tuple[Incident, ...]
    traffic: Traffic

    def said(self, *verdicts: str) -> npt.NDArray[np.bool_]:
        """For each minute, whether any criterion had one of `verdicts`."""
        hits: npt.NDArray[np.bool_] = np.isin(self.verdicts, verdicts).any(axis=0)
        return hits

    def decided(self, *decisions: Decision) -> npt.NDArray[np.bool_]:
        hits: npt.NDArray[np.bool_] = np.isin(self.decisions, decisions)
        return hits


def replay(traffic: Traffic) -> Replay:
    """The judge, its trace, and the decisions over the phase."""
    start, criteria = START + traffic.history * MINUTE_S, traffic.criteria
    phase = _cut(traffic, slice(traffic.history, None))
    frame = traffic_frame(phase, start)
    context = JudgeContext(
        configured=tuple((START + minute * MINUTE_S, share) for minute, share in traffic.shares),
        warm_up=tuple(Window(start + a * MINUTE_S, start + b * MINUTE_S) for a, b in traffic.warm_up),
        scatter=_scatter(_cut(traffic, slice(0, traffic.history))) if traffic.history else {},
    )
    window = Window(start, start + phase.minutes * MINUTE_S)
    prepared = prepare_grid(frame, criteria, window=window, context=context)
    traced, incidents = trace(prepared), list(prepared.incidents_by_period())
    shape = (len(criteria), -1)
    shown = ((traced["alarm_lower"] > 0) | (traced["alarm_upper"] < 0)).to_numpy().reshape(shape)
    verdicts = traced["verdict"].to_numpy(dtype=str).reshape(shape)
    decisions = [
        decide_minute(list(zip(criteria, minute, strict=True)), known).decision
        for minute, known in zip(verdicts.T.tolist(), incidents, strict=True)
    ]
    return Replay(verdicts, shown, np.array(decisions), incidents[-1], phase)


def _cut(traffic: Traffic, minutes: slice) -> Traffic:
    p95 = traffic.p95 and (traffic.p95[0][minutes], traffic.p95[1][minutes])
    requests, errors = ((values[0][minutes], values[1][minutes]) for values in (traffic.requests, traffic.errors))
    return replace(traffic, requests=requests, errors=errors, p95=p95)


def _scatter(before: Traffic) -> dict[str, Scatter]:
    (n_b, n_c), (b, c) = before.requests, before.errors
    scatter = {"error_rate": rate_scatter(b, n_b, c, n_c)}
    if before.p95:
        scatter["latency_p95"] = difference_scatter(np.log(before.p95[1] / before.p95[0]))
    return scatter


def traffic_frame(traffic: Traffic, start: int) -> pd.DataFrame:
    """The tidy frame of CloudWatch's counts and percentiles, from `start` (epoch seconds) on."""
    series, columns = list[Series](), list[FloatArray]()
    for index, (fleet, group) in enumerate((("baseline", "ec2"), ("canary", "ecs"))):
        requests = traffic.requests[index]
        values = {
            ("requests", "sum"): requests,
            ("target_5xx", "sum"): np.where(np.isnan(requests), np.nan, traffic.errors[index]),
        }
        if traffic.p95:
            values |= {("latency", "p95"): traffic.p95[index], ("latency", "sample_count"): requests}
        for (metric, stat), column in values.items():
            series.append(Series("benchmark", fleet, group, metric, stat, ""))
            columns.append(column)
    present = ~np.isnan(np.vstack(columns))
    code, minute = np.nonzero(present)
    return check_frame(assemble(series, code, start + minute * MINUTE_S, np.vstack(columns)[present], MINUTE_S))


# Traffic.


def traffic(
    random: np.random.Generator,
    minutes: int,
    rates: tuple[FloatArray | float, FloatArray | float],
    requests: tuple[FloatArray | float, FloatArray | float] = (600.0, 600.0),
) -> Traffic:
    """Poisson requests, and binomial errors at `rates`."""
    counts = [random.poisson(np.broadcast_to(mean, minutes)) for mean in requests]
    errors = [random.binomial(n, np.minimum(rate, 1.0)) for n, rate in zip(counts, rates, strict=True)]
    return Traffic((counts[0] * 1.0, counts[1] * 1.0), (errors[0] * 1.0, errors[1] * 1.0))


def with_latency(
    random: np.random.Generator, base: Traffic, ratio: FloatArray | float, *, noise: float = 0.2, phi: float = 0.0
) -> Traffic:
    """p95 with lognormal `noise` per minute and fleet, the canary's `ratio` times as high."""
    b, c = (0.3 * np.exp(ar1(random, (1, base.minutes), phi, noise)[0]) for _ in range(2))
    return replace(base, p95=(b, c * ratio), criteria=(P95,))


def uncounted(random: np.random.Generator, *, every: int = 0, length: int, at: int = 0) -> Traffic:
    """No target of the canary for the last `length` of `every` minutes, or once `at`."""
    result, minute = traffic(random, 480, (2e-3, 2e-3)), np.arange(480)
    gone = minute % every >= every - length if every else (minute >= at) & (minute < at + length)
    result.requests = (result.requests[0], np.where(gone, np.nan, result.requests[1]))
    return result


def errors_break(random: np.random.Generator, *, factor: float) -> Traffic:
    """1,200 requests a minute, 2e-3 errors; the canary's rate is `factor` times as high from minute 420 of a day."""
    return traffic(random, 1440, (2e-3, 2e-3 * np.where(np.arange(1440) >= BREAK_AT, factor, 1.0)))


def latency_break(random: np.random.Generator, *, factor: float, hours: float = 0.0) -> Traffic:
    """The canary's p95 is `factor` times as high from minute 420 of a day, or drifts to it over `hours`."""
    since = np.arange(1440) - BREAK_AT
    ramp = np.clip(since / (hours * 60), 0, 1) if hours else (since >= 0) * 1.0
    return with_latency(random, traffic(random, 1440, (2e-3, 2e-3)), 1 + (factor - 1) * ramp)


def one_burst(random: np.random.Generator, *, size: int, canary: bool = True) -> Traffic:
    """One minute with `size` errors over one in ten minutes."""
    result = traffic(random, 480, (1 / 6000, 1 / 6000))
    result.errors[canary][240] += size
    return result


def slow_minute(random: np.random.Generator) -> Traffic:
    """p95 that scatters by 3% only, and one minute in which the canary's is ten times as high."""
    ratio = np.where(np.arange(480) == random.integers(60, 420), 10.0, 1.0)
    return with_latency(random, traffic(random, 480, (2e-3, 2e-3)), ratio, noise=0.03)


def storms(random: np.random.Generator) -> Traffic:
    """Each fleet has a minute with 1,000 to 4,000 errors in every other hour, at its own time."""
    result = traffic(random, 480, (1e-4, 1e-4), (6000.0, 6000.0))
    for errors in result.errors:
        for hour in range(0, 8, 2):
            errors[hour * 60 + random.integers(120)] += random.integers(1000, 4000)
    return result


def shared_incident(random: np.random.Generator) -> Traffic:
    """Both fleets fail 30% for 20 minutes, each at its own level (±20%)."""
    minute = np.arange(480)
    bad, levels = (minute >= 240) & (minute < 260), 0.3 * np.exp(0.2 * random.normal(size=2))
    return traffic(random, 480, (np.where(bad, levels[0], 2e-3), np.where(bad, levels[1], 2e-3)))


def weight_step(random: np.random.Generator) -> Traffic:
    """From 10 to 50% after two hours; before it, both fleets had twenty times the errors for a quarter of an hour."""
    minute = np.arange(240)
    rate = 2e-3 * np.where((minute >= 60) & (minute < 75), 20, 1)
    before = minute < 120
    result = traffic(random, 240, (rate, rate), (np.where(before, 1080, 600), np.where(before, 120, 600)))
    return replace(result, shares=((0, 0.1), (120, 0.5)))


def warm_up(random: np.random.Generator, *, slow: bool) -> Traffic:
    """p95 twice as high in the canary's first ten minutes, or not; ten minutes of warm-up in both cases."""
    result = with_latency(
        random, traffic(random, 600, (2e-3, 2e-3)), np.where(np.arange(600) < 10, 2.0, 1.0) if slow else 1.0
    )
    return replace(result, warm_up=((0, 10),) if slow else ())


def autocorrelated(
    random: np.random.Generator,
    *,
    per_minute: float,
    share: float = 0.5,
    shift: float = 0.0,
    history: int = HISTORY_MINUTES,
) -> Traffic:
    """Errors whose rates vary as a log-AR(1) of φ = 0.9 and a standard deviation of 0.3, independently in each fleet."""
    minutes, total = history + 480, 12_000.0
    own = [np.exp(ar1(random, (1, minutes), 0.9, 0.3)[0] - 0.045) * per_minute / 6000 for _ in range(2)]
    own[1] = own[1] + shift * (np.arange(minutes) >= history)
    result = traffic(random, minutes, (own[0], own[1]), (total * (1 - share), total * share))
    return replace(result, shares=((0, share),), history=history)


def wander_at_margin(random: np.random.Generator) -> Traffic:
    """p95 10% higher on average: white noise over a slow wander (φ = 0.95)."""
    return with_latency(
        random, traffic(random, 480, (1e-3, 1e-3)), 1.1 * np.exp(ar1(random, (1, 480), 0.95, 0.21)[0]), noise=0.29
    )


def outage(random: np.random.Generator, *, canary: float = 3000.0, minutes: int = 3) -> Traffic:
    """The canary, of so many requests a minute, fails every one for `minutes`."""
    result = traffic(random, 240, (1e-3, 1e-3), (3000.0, canary))
    result.errors[1][120 : 120 + minutes] = result.requests[1][120 : 120 + minutes]
    return replace(result, shares=((0, canary / (3000 + canary)),))


def everything(random: np.random.Generator) -> Traffic:
    """No difference for 24 hours: diurnal traffic, own bursts of errors, p95 with AR .7 over a shared wander, two releases of the canary."""
    minute = np.arange(HISTORY_MINUTES + 1440)
    day = 600 * (1 + 0.5 * np.sin(2 * np.pi * minute / 1440))
    bursts = [2e-3 * random.gamma(0.5, 2.0, len(minute)) for _ in range(2)]
    result = traffic(random, len(minute), (bursts[0], bursts[1]), (day, day))
    shared = np.exp(ar1(random, (1, len(minute)), 0.9, 0.2)[0])
    result = with_latency(random, result, 1.0, phi=0.7)
    assert result.p95
    p95 = (result.p95[0] * shared, result.p95[1] * shared)
    criteria = (ERRORS, P95, Criterion.model_validate({"metric": "target_5xx_rate", "margin": "50%"}))
    return replace(
        result, p95=p95, criteria=criteria, history=HISTORY_MINUTES, warm_up=((0, 10), (400, 410), (900, 910))
    )


# Outcomes: of a replay, and of a peer's signs where it says anything comparable.

Outcome = Callable[[Replay], float]
Goal = tuple[str, float | tuple[float, float]]  # "≤" or "≥" a number, "between" two
PeerOutcome = Callable[[npt.NDArray[np.int8]], float]


@dataclass(frozen=True, slots=True)
class WorldRow:
    """One row: the share (or, with `summary` "median", the median) of `outcome` over repetitions of `world`, and its `goal` in per cent or
    minutes. `peer`: the same of another judge; None if it says nothing comparable."""

    name: str
    world: World
    outcome: Outcome
    goal: Goal | None
    peer: PeerOutcome | None = None
    summary: str = "share"


def forecast_ratio(look: int) -> Outcome:
    """The forecast after `look` minutes over the minutes that it took to the first verdict from then on; NaN if there was one before."""

    def outcome(seen: Replay) -> float:
        decided = seen.said("parity", "regression", "improvement")
        if decided[:look].any() or not decided.any():
            return np.nan
        frame = traffic_frame(seen.traffic, START)
        window = Window(START, START + look * MINUTE_S)
        forecast = judge(prepare_grid(frame, seen.traffic.criteria, window=window)).criteria[0].minutes_to_decision
        return (np.inf if forecast is None else forecast) / (float(decided.argmax()) + 1 - look)

    return outcome


def says(*verdicts: str, start: int = 4) -> Outcome:
    """Whether any look, of one every five minutes from the minute `start` on, finds any of `verdicts`."""
    return lambda seen: float(seen.said(*verdicts)[start::5].any())


def shows_any(seen: Replay) -> float:
    return float(seen.shown.any(axis=0)[EVERY_FIVE_MINUTES].any())


def decides(*decisions: Decision, start: int = 0, minutes: int | None = None) -> Outcome:
    end = None if minutes is None else start + minutes
    return lambda seen: float(seen.decided(*decisions)[start:end].any())


def regression_within(minutes: int) -> Outcome:
    """Of a break at BREAK_AT, without a regression before."""
    return lambda seen: float(
        seen.said("regression")[BREAK_AT : BREAK_AT + minutes].any() and not seen.said("regression")[:BREAK_AT].any()
    )


def still_regression(hours: float) -> Outcome:
    return lambda seen: float(seen.said("regression")[BREAK_AT + round(hours * 60)])


def has_incident(seen: Replay) -> float:
    return float(any(incident.kind == "errors" for incident in seen.incidents))


def minutes_to_parity(seen: Replay) -> float:
    hits = seen.said("parity")
    return float(hits.argmax()) + 1 if hits.any() else np.inf


def peer_alarm(signs: npt.NDArray[np.int8]) -> float:
    return float((signs[EVERY_FIVE_MINUTES] != 0).any())


def peer_within(minutes: int) -> PeerOutcome:
    return lambda signs: float((signs[BREAK_AT : BREAK_AT + minutes] > 0).any() and not (signs[:BREAK_AT] > 0).any())


def peer_still(hours: float) -> PeerOutcome:
    return lambda signs: float(signs[BREAK_AT + round(hours * 60)] > 0)


def peer_signs(traffic: Traffic) -> dict[str, npt.NDArray[np.int8]]:
    """What each of PEERS says of the phase."""
    if traffic.p95:
        return {"Kayenta": judge_peers.kayenta(*traffic.p95)}
    n_b, n_c = (np.maximum(np.nan_to_num(values), 1e-9) for values in traffic.requests)
    b, c = (np.where(np.isnan(n), 0.0, k) for n, k in zip(traffic.requests, traffic.errors, strict=True))
    counts = (b, n_b, c, n_c)
    return {
        "GrowthBook": judge_peers.growthbook(*counts),
        "savvi": judge_peers.savvi(*counts),
        "Kayenta": judge_peers.kayenta(b / n_b, c / n_c),
        "threshold rule": judge_peers.threshold_rule(*counts),
    }


def groups() -> list[tuple[int, int]]:
    """The rows that share a world, as ranges [first, end) of indices: each world is simulated once for all of them."""
    table = rows()
    firsts = [index for index, row in enumerate(table) if not index or row.world is not table[index - 1].world]
    return list(zip(firsts, [*firsts[1:], len(table)], strict=True))


def simulate(group: tuple[int, int], random: np.random.Generator, reps: int) -> dict[tuple[int, str], list[float]]:
    """The outcome of each repetition by row and judge: "ours", and each peer that says something comparable."""
    table = rows()[slice(*group)]
    outcomes: dict[tuple[int, str], list[float]] = defaultdict(list)
    for _ in range(reps):
        seen = replay(table[0].world(random))
        signs = peer_signs(seen.traffic) if any(row.peer for row in table) else {}
        for index, row in enumerate(table, start=group[0]):
            outcomes[index, "ours"].append(row.outcome(seen))
            for peer, said in signs.items() if row.peer else ():
                outcomes[index, peer].append(row.peer(said) if row.peer else 0.0)
    return outcomes


def rows() -> list[WorldRow]:
    """The table. The seed of a row depends on its position."""
    return [
        *_uncounted_rows(),
        *_break_rows(),
        *_burst_rows(),
        *_autocorrelated_rows(),
        *_forecast_rows(),
        *_decision_rows(),
    ]


NEVER, ALWAYS = ("≤", 0.0), ("≥", 100.0)
VERDICTS = says("regression", "improvement")


def _uncounted_rows() -> Iterator[WorldRow]:
    for name, world, first in (
        ("3 of 20 min", partial(uncounted, every=20, length=3), 17),
        ("1 of 60 min", partial(uncounted, every=60, length=1), 59),
        ("once 30 min", partial(uncounted, length=30, at=200), 200),
    ):
        held = decides("hold", "roll_back", start=first, minutes=5)
        yield WorldRow(f"canary uncounted {name}: parity from the first on", world, says("parity", start=first), NEVER)
        yield WorldRow(f"canary uncounted {name}: HOLD or ROLL BACK within 5 min", world, held, ALWAYS)


def _break_rows() -> Iterator[WorldRow]:
    breaks: list[tuple[str, World, int, float]] = [
        ("errors × 3", partial(errors_break, factor=3), 60, 90),
        ("errors × 10", partial(errors_break, factor=10), 60, 90),
        ("p95 × 1.5", partial(latency_break, factor=1.5), 60, 90),
        ("p95 × 2", partial(latency_break, factor=2), 60, 90),
        ("p95 × 1.3", partial(latency_break, factor=1.3), 150, 90),
        ("errors × 2", partial(errors_break, factor=2), 240, 90),
        ("p95 drifts to × 2 over 12 h", partial(latency_break, factor=2, hours=12), 1020, 95),
    ]
    for name, world, minutes, share in breaks:
        said = f"{name} after 7 h: regression within {minutes} min"
        yield WorldRow(said, world, regression_within(minutes), ("≥", share), peer_within(minutes))
        for hours in (2, 4, 12) if minutes == 60 else ():
            yield WorldRow(
                f"… still regression after {hours} h", world, still_regression(hours), ("≥", 99), peer_still(hours)
            )


def _burst_rows() -> Iterator[WorldRow]:
    for size in (12, 100, 500):
        for canary in (True, False):
            world, name = (
                partial(one_burst, size=size, canary=canary),
                f"one burst of {size} on the {'canary' if canary else 'baseline'}",
            )
            yield WorldRow(f"{name}: regression or improvement", world, VERDICTS, NEVER, peer_alarm)
            yield WorldRow(f"{name}: an incident", world, has_incident, ALWAYS)
    name = "own storms of ≥ 1,000/min, every other hour, 8 h: verdicts"
    yield WorldRow(name, storms, VERDICTS, ("≤", 5), peer_alarm)
    yield WorldRow("shared incident, own level ±20%: verdicts", shared_incident, VERDICTS, ("≤", 10), peer_alarm)
    yield WorldRow("weight step, shared burst before it: verdicts", weight_step, VERDICTS, ("≤", 1), peer_alarm)
    for name, slow in (("no warm-up", False), ("p95 × 2 for 10 min of warm-up", True)):
        yield WorldRow(
            f"{name}: minutes to parity", partial(warm_up, slow=slow), minutes_to_parity, None, None, "median"
        )


def _autocorrelated_rows() -> Iterator[WorldRow]:
    name = "white noise over a slow wander, p95 at the margin: parity"
    yield WorldRow(name, wander_at_margin, says("parity"), ("≤", 5))
    for history, margins, counts in ((HISTORY_MINUTES, (1, 2, 6, 30), (1, 2, 5, 15, 60)), (0, (6,), (5, 15))):
        before = "" if history else ", without history"
        for per_minute in margins:
            world = partial(autocorrelated, per_minute=per_minute, shift=5e-4, history=history)
            name = f"errors AR(1) φ = 0.9, {per_minute}/min, truth at the margin{before}: parity"
            yield WorldRow(name, world, says("parity"), ("≤", 5) if history else None)
        for share in (0.5, 0.1):
            for per_minute in counts:
                world = partial(autocorrelated, per_minute=per_minute, share=share, history=history)
                name = f"errors AR(1) φ = 0.9, {per_minute}/min, canary {share:.0%}{before}"
                yield WorldRow(f"{name}: verdicts", world, VERDICTS, ("≤", 3) if history else None, peer_alarm)
                yield WorldRow(f"{name}: anything shown", world, shows_any, ("≤", 15) if history else None)


def _forecast_rows() -> Iterator[WorldRow]:
    def errors(rate_c: float, requests: tuple[float, float], random: np.random.Generator) -> Traffic:
        return traffic(random, 1440, (1e-3, rate_c), requests)

    def p95(ratio: float, noise: float, phi: float, random: np.random.Generator) -> Traffic:
        return with_latency(random, traffic(random, 1440, (2e-3, 2e-3)), ratio, noise=noise, phi=phi)

    worlds: dict[str, World] = {
        "equal errors": partial(errors, 1e-3, (3000.0, 3000.0)),
        "equal errors, canary 10%": partial(errors, 1e-3, (5400.0, 600.0)),
        "errors × 2": partial(errors, 2e-3, (1200.0, 1200.0)),
        "equal p95": partial(p95, 1.0, 0.2, 0.0),
        "p95 × 1.25": partial(p95, 1.25, 0.2, 0.0),
        "equal p95, AR(1) φ = 0.5": partial(p95, 1.0, 0.15, 0.5),
    }
    for name, world in worlds.items():
        said = f"time to decision, forecast / truth after 20 min: {name}"
        yield WorldRow(said, world, forecast_ratio(20), ("between", (0.7, 1.5)), None, "median")


def _decision_rows() -> Iterator[WorldRow]:
    name = "total outage of the canary for 3 min"
    yield WorldRow(f"{name}: ROLL BACK by its third minute", outage, decides("roll_back", start=120, minutes=3), ALWAYS)
    yield WorldRow("… an incident", outage, has_incident, ALWAYS)
    yield WorldRow("… ROLL BACK after it", outage, decides("roll_back", start=124), NEVER)
    name = "no difference, everything at once, 24 h"
    yield WorldRow(f"{name}: any ROLL BACK", everything, decides("roll_back"), ("≤", 1))
    yield WorldRow(f"{name}: any HOLD", everything, decides("hold"), ("≤", 5))
    small = partial(outage, canary=10.0, minutes=5)
    said = "total outage of a canary with 10 requests/min: ROLL BACK by its fifth minute"
    yield WorldRow(said, small, decides("roll_back", start=120, minutes=5), ("≥", 95))
    name = "one minute of p95 × 10 where p95 scatters by 3%: regression or improvement"
    yield WorldRow(
        name, slow_minute, lambda seen: float(seen.said("regression", "improvement").any()), NEVER, peer_alarm
    )
