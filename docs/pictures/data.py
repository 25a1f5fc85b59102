"""What the judge says in small simulated worlds with fixed seeds: the data of the pictures in MATH.md."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import CriterionVerdict, Judgement, judge, prepare_grid, trace
from analysis.parity.incidents import Incident
from analysis.series.grid import FloatArray
from benchmarks.judge_worlds import ERRORS, START, Traffic, traffic, traffic_frame

HOUR = 60  # minutes
REQUESTS = (1000.0, 1000.0)  # of each fleet per minute
BASELINE_RATE = 20e-4
HEALTHY_WORLDS, HEALTHY_MINUTES = 20, 8 * HOUR
FIRST_LOOK = 10
INCIDENT_AT, INCIDENT_MINUTES, INCIDENT_RATE = 120, 6, 0.3
Z_95 = 1.96


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """One phase: its traffic, the trace of the error rate (one row a minute), the judgement at its end, and the true difference of the rates."""

    traffic: Traffic
    trace: pd.DataFrame
    judgement: Judgement
    truth: float

    @property
    def result(self) -> CriterionVerdict:
        return self.judgement.criteria[0]

    @property
    def verdicts(self) -> list[str]:
        """After each minute."""
        return self.trace["verdict"].tolist()

    @property
    def decided_after(self) -> int | None:
        """Minutes until the verdict that was kept to the end; None if the phase ended undecided."""
        verdicts = self.verdicts
        if verdicts[-1] == "undecided":
            return None
        return 1 + next(i for i in range(len(verdicts)) if set(verdicts[i:]) == {verdicts[-1]})


@cache
def three_phases() -> tuple[Phase, Phase, Phase]:
    """Six hours each: a canary that is as good as the baseline, one near the margin's edge, and one beyond it."""
    return _phase(1, 6 * HOUR, 0.5e-4), _phase(1, 6 * HOUR, 4e-4), _phase(1, 6 * HOUR, 11e-4)


@cache
def narrowing_phase() -> Phase:
    return _phase(21, 12 * HOUR, 1e-4)


@cache
def healthy_looks() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Worlds × minutes, the fleets being equal: whether a test for one look, repeated, excludes a difference of 0; and whether the judge does."""
    phases = [_phase(seed, HEALTHY_MINUTES, 0.0) for seed in range(1, HEALTHY_WORLDS + 1)]
    repeated = np.array([_excludes_zero_once(phase.traffic) for phase in phases])
    judged = np.array([(phase.trace["alarm_lower"] > 0) | (phase.trace["alarm_upper"] < 0) for phase in phases])
    return repeated, judged


@cache
def incident_phase() -> tuple[Phase, Incident]:
    """Equal fleets, but the canary fails a third of its requests for some minutes."""
    minute = np.arange(4 * HOUR)
    burst = (minute >= INCIDENT_AT) & (minute < INCIDENT_AT + INCIDENT_MINUTES)
    phase = _phase(31, 4 * HOUR, np.where(burst, INCIDENT_RATE, 0.0), truth=0.0)
    (incident,) = phase.judgement.incidents
    return phase, incident


def difference_of_all_minutes(phase: Phase) -> FloatArray:
    """The plain difference of the error rates so far, incidents included."""
    rates = [
        np.cumsum(errors) / np.cumsum(requests)
        for errors, requests in zip(phase.traffic.errors, phase.traffic.requests, strict=True)
    ]
    return rates[1] - rates[0]


def _phase(seed: int, minutes: int, difference: FloatArray | float, *, truth: float | None = None) -> Phase:
    random = np.random.default_rng(seed)
    world = traffic(random, minutes, (BASELINE_RATE, BASELINE_RATE + difference), REQUESTS)
    prepared = prepare_grid(traffic_frame(world, START), (ERRORS,))
    true_difference = float(np.mean(difference)) if truth is None else truth
    return Phase(world, trace(prepared), judge(prepared), true_difference)


def _excludes_zero_once(world: Traffic) -> npt.NDArray[np.bool_]:
    """The z test of two proportions at 95 %, as if each minute's look were the only one."""
    (b, c), (n_b, n_c) = (
        [np.cumsum(values) for values in world.errors],
        [np.cumsum(values) for values in world.requests],
    )
    pooled = (b + c) / (n_b + n_c)
    z = (c / n_c - b / n_b) / np.sqrt(pooled * (1 - pooled) * (1 / n_b + 1 / n_c))
    looks = np.arange(len(z)) >= FIRST_LOOK - 1
    excluded: npt.NDArray[np.bool_] = looks & (np.abs(z) > Z_95)
    return excluded
