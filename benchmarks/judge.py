"""The judge held to worlds whose truth is known, beside Kayenta's figures: `python -m benchmarks.judge --help`."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table

from analysis import judge, trace
from analysis.parity.confidence_sequences import running_differences, running_rates
from analysis.parity.intervals import SequentialIntervals, interval_verdicts, latency_intervals, rate_intervals
from analysis.parity.recent_regression import recent_difference_above_margin, recent_rate_above_margin
from domain import Criterion
from tests.factories.frames import tidy_frame

FloatArray = npt.NDArray[np.float64]
Simulation = Callable[
    [np.random.Generator, int], FloatArray
]  # the outcome of each repetition: 1 or 0, a delay, a ratio

CHUNK = 100  # repetitions at once
EVERY_FIVE_MINUTES = slice(4, None, 5)  # every five minutes
ERRORS = Criterion.model_validate({"metric": "error_rate", "margin": "0.05pp"})
LATENCY = Criterion.model_validate({"metric": "latency_p95", "margin": "10%"})


# Worlds: events of both sides in each minute (reps × minutes), or log latencies.


def simulate_rates(
    random: np.random.Generator,
    shape: tuple[int, int],
    rates: tuple[float, float],
    requests: tuple[float, float],
    *,
    bursts: str = "",
    criterion: Criterion = ERRORS,
) -> SequentialIntervals:
    """Errors at `rates` among `requests` a minute (baseline, canary); bursts (gamma, shape 0.5, new each minute) shared, or one a side."""
    own = [random.gamma(0.5, 2.0, shape) if bursts else np.ones(shape) for _ in rates]
    if bursts == "shared":
        own[1] = own[0]
    (b, c), (n_b, n_c) = (
        [random.poisson(r * n * g).astype(float) for r, n, g in zip(rates, requests, own, strict=True)],
        [np.full(shape, n) for n in requests],
    )
    return rate_intervals(criterion, running_rates(np.minimum(b, n_b), n_b, np.minimum(c, n_c), n_c), 1)


def simulate_autocorrelated_rates(
    random: np.random.Generator, shape: tuple[int, int], phi: float, errors_per_minute: float
) -> SequentialIntervals:
    """So many errors a minute of 6,000 requests, whose rate each side moves by itself: log-AR(1) with a standard deviation of 0.3."""
    n = np.full(shape, 6000.0)
    b, c = (
        random.poisson(errors_per_minute * np.exp(ar1(random, shape, phi, 0.3) - 0.045)).astype(float) for _ in range(2)
    )
    return rate_intervals(ERRORS, running_rates(b, n, c, n), 1)


def ar1(random: np.random.Generator, shape: tuple[int, int], phi: float, sd: float) -> FloatArray:
    """A stationary AR(1) with that standard deviation."""
    found = random.normal(size=shape) * sd
    for at in range(1, shape[1]):
        found[:, at] = phi * found[:, at - 1] + np.sqrt(1 - phi**2) * found[:, at]
    return found


def simulate_latency(
    random: np.random.Generator, shape: tuple[int, int], *, ratio: float = 1.0, noise: float = 0.3, phi: float = 0.0
) -> SequentialIntervals:
    """Latency of both sides, lognormal with a coefficient of variation of `noise` a minute and side, and memory `phi` each."""
    scale = float(np.sqrt(np.log1p(noise**2)))
    b, c = ar1(random, shape, phi, scale), ar1(random, shape, phi, scale)
    known = running_differences(c - b + np.log(ratio))
    return latency_intervals(LATENCY, known, np.exp(np.cumsum(b, axis=1) / known.minutes), 1)


def simulate_slow_drift(random: np.random.Generator, shape: tuple[int, int]) -> SequentialIntervals:
    """30 % noise without memory, and under it a slow wander (φ = 0.95) of half its size: what no judge can know within an hour."""
    known = running_differences(random.normal(size=shape) * 0.415 + ar1(random, shape, 0.95, 0.21))
    return latency_intervals(LATENCY, known, np.ones(shape), 1)


# Outcomes.


def worse(intervals: SequentialIntervals) -> npt.NDArray[np.bool_]:
    return intervals.is_known & (intervals.alarm_lower > 0)


def any_alarm(intervals: SequentialIntervals) -> FloatArray:
    """Whether anything but "no difference" was said at any look."""
    return (
        (worse(intervals) | intervals.is_known & (intervals.alarm_upper < 0))[:, EVERY_FIVE_MINUTES]
        .any(axis=1)
        .astype(float)
    )


def detected(intervals: SequentialIntervals) -> FloatArray:
    return worse(intervals).any(axis=1).astype(float)


def delay(hits: npt.NDArray[np.bool_]) -> FloatArray:
    """Minutes until the first hit; ∞ without one."""
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)


def reached(criterion: Criterion, intervals: SequentialIntervals, verdict: str, *, at_end: bool = False) -> FloatArray:
    hits = interval_verdicts(criterion, intervals) == verdict
    return (hits[:, -1] if at_end else hits.any(axis=1)).astype(float)


def parity_at_margin(random: np.random.Generator, reps: int, kind: str) -> FloatArray:
    shape = (reps, 480)
    if kind == "latency":
        return reached(LATENCY, simulate_latency(random, shape, ratio=1.1), "parity")
    base, requests, criterion = {
        "0.05 pp over 1e-3": (1e-3, (600.0, 600.0), ERRORS),
        "0.05 pp over 1e-5": (1e-5, (600.0, 600.0), ERRORS),
        "0.05 pp over 1e-3, canary at 1 %": (1e-3, (59_400.0, 600.0), ERRORS),
        "50 % over 2e-3": (2e-3, (600.0, 600.0), relative_margin(50)),
    }[kind]
    worse_rate = base + 5e-4 if criterion is ERRORS else base * 1.5
    return reached(
        criterion, simulate_rates(random, shape, (base, worse_rate), requests, criterion=criterion), "parity"
    )


def recent_regression_delay(random: np.random.Generator, reps: int, kind: str) -> FloatArray:
    """Minutes until the last minutes alone are said to be beyond the margin, on either side; from the break where there is one."""
    took = []
    for _ in range(reps):
        minutes, times = (240, np.where(np.arange(240) >= 180, 10.0, 1.0)) if "× 10" in kind else (480, np.ones(480))
        if kind.startswith("latency"):
            phi = float(kind.rpartition(" ")[2])
            b, c = (ar1(random, (1, minutes), phi, 0.294)[0] for _ in range(2))
            known = running_differences(c - b)
            hits = [
                recent_difference_above_margin(LATENCY, sign * (c - b), known, 1, last_only=False) for sign in (1, -1)
            ]
        else:
            each = (5940.0, 60.0) if "1 %" in kind else (600.0, 600.0)
            rate = 1e-3 if "1 %" in kind else 2e-3
            own = random.gamma(0.5, 2.0, (2, minutes)) if "bursts" in kind else np.ones((2, minutes))
            n_b, n_c = (np.full(minutes, one) for one in each)
            b, c = random.poisson(n_b * rate * own[0]) * 1.0, random.poisson(n_c * rate * times * own[1]) * 1.0
            known = running_rates(b, n_b, c, n_c)
            hits = [
                recent_rate_above_margin(ERRORS, sides, known, 1, last_only=False)
                for sides in ((b, n_b, c, n_c), (c, n_c, b, n_b))
            ]
        took.append(delay((hits[0] | hits[1])[None, :])[0] - (180 if "× 10" in kind else 0))
    return np.array(took)


def relative_margin(per_cent: float) -> Criterion:
    return Criterion.model_validate({"metric": "error_rate", "margin": f"{per_cent:g}%"})


def errors_to_parity(
    random: np.random.Generator, reps: int, per_cent: float, fixed: float, errors_per_minute: float
) -> FloatArray:
    """Errors a side until parity, over what a fixed-sample TOST (α 5 %, power 90 %) needs."""
    minutes = int(6 * fixed / errors_per_minute)
    criterion = relative_margin(per_cent)
    looks = simulate_rates(random, (reps, minutes), (errors_per_minute / 1e4,) * 2, (1e4, 1e4), criterion=criterion)
    return delay(interval_verdicts(criterion, looks) == "parity") * errors_per_minute / fixed


def one_sided_rule(
    random: np.random.Generator, reps: int, errors: int, errors_per_minute: float, *, bursts: bool
) -> FloatArray:
    """Whether a rule that says "worse" once one side has so many errors and the other none ever does so in eight healthy hours, on either side."""
    own = random.gamma(0.5, 2.0, (2, reps, 480)) if bursts else 1.0
    b, c = np.cumsum(random.poisson(errors_per_minute * own, (2, reps, 480)), axis=2)
    return (((b == 0) & (c >= errors)) | ((c == 0) & (b >= errors))).any(axis=1).astype(float)


def first_seven(random: np.random.Generator, reps: int, phi: float) -> FloatArray:
    """Whether the first seven minutes of a healthy difference with memory lie on one side of it, whichever."""
    first = ar1(random, (reps, 7), phi, 1.0) > 0
    return (first.all(axis=1) | ~first.any(axis=1)).astype(float)


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One line of the table. `goal`: ≤ or ≥ a bound of the summary; None where it is shown for honesty alone."""

    name: str
    simulation: Simulation
    kayenta: str
    goal: tuple[str, float] | None
    summary: str = "share"  # share, median, or 90 % (by when nine of ten worlds were decided)


def rows() -> list[BenchmarkRow]:
    day = (480,)
    even, one_per_cent = (600.0, 600.0), (5940.0, 60.0)
    h0 = (2e-3, 2e-3)
    table = [
        BenchmarkRow(
            "no difference, 8 h: Poisson",
            lambda r, n: any_alarm(simulate_rates(r, (n, *day), h0, even)),
            "2 %",
            ("≤", 5),
        ),
        BenchmarkRow(
            "… bursts shared",
            lambda r, n: any_alarm(simulate_rates(r, (n, *day), h0, even, bursts="shared")),
            "0.7 %",
            ("≤", 5),
        ),
        BenchmarkRow(
            "… bursts independent",
            lambda r, n: any_alarm(simulate_rates(r, (n, *day), h0, even, bursts="own")),
            "6.7 %",
            ("≤", 5),
        ),
        BenchmarkRow(
            "… bursts independent, 6,000 rpm",
            lambda r, n: any_alarm(simulate_rates(r, (n, *day), (1e-3, 1e-3), (6e3, 6e3), bursts="own")),
            "—",
            ("≤", 5),
        ),
    ]
    for phi, kayenta, bound in ((0.5, "27 % peeking", 5), (0.7, "19 % in one look", 5), (0.9, "52 % in one look", 10)):
        table += [
            BenchmarkRow(
                f"latency, own AR(1) φ = {phi}",
                lambda r, n, phi=phi: any_alarm(simulate_latency(r, (n, *day), phi=phi)),  # type: ignore[misc]
                kayenta,
                ("≤", bound),
            ),
            BenchmarkRow(
                f"errors, 30 a minute, own AR(1) φ = {phi} of the rate",
                lambda r, n, phi=phi: any_alarm(simulate_autocorrelated_rates(r, (n, *day), phi, 30.0)),  # type: ignore[misc]
                "—",
                ("≤", bound),
            ),
            BenchmarkRow(
                f"errors, 1.2 a minute, own AR(1) φ = {phi} of the rate, unseen",
                lambda r, n, phi=phi: any_alarm(simulate_autocorrelated_rates(r, (n, *day), phi, 1.2)),  # type: ignore[misc]
                "—",
                None,
            ),
        ]
    table += [
        BenchmarkRow(
            "canary at 1 %, 6,000 rpm, base 1e-3, × 5, 60 min: found",
            lambda r, n: detected(simulate_rates(r, (n, 60), (1e-3, 5e-3), one_per_cent)),
            "0 %",
            ("≥", 95),
        ),
        BenchmarkRow(
            "same, healthy: better or worse",
            lambda r, n: any_alarm(simulate_rates(r, (n, 60), (1e-3, 1e-3), one_per_cent)),
            "55 %",
            ("≤", 5),
        ),
        BenchmarkRow(
            "same, healthy, 8 h",
            lambda r, n: any_alarm(simulate_rates(r, (n, *day), (1e-3, 1e-3), one_per_cent)),
            "—",
            ("≤", 5),
        ),
        BenchmarkRow(
            "600 rpm a side, base 2e-4, × 10, 30 min: found",
            lambda r, n: detected(simulate_rates(r, (n, 30), (2e-4, 2e-3), even)),
            "50 %",
            ("≥", 95),
        ),
        BenchmarkRow(
            "600 rpm a side, base 2e-3, × 2: minutes to worse",
            lambda r, n: delay(worse(simulate_rates(r, (n, 240), (2e-3, 4e-3), even))),
            "37 min",
            ("≤", 30),
            "median",
        ),
        BenchmarkRow(
            "+20 % latency, 30 % noise: found by 60 min",
            lambda r, n: detected(simulate_latency(r, (n, 60), ratio=1.2)),
            "53 %",
            ("≥", 60),
        ),
        BenchmarkRow("… by 120 min", lambda r, n: detected(simulate_latency(r, (n, 120), ratio=1.2)), "—", ("≥", 95)),
        BenchmarkRow(
            "+0.5 % latency, margin 10 %, 24 h: regression (3 % noise)",
            lambda r, n: reached(LATENCY, simulate_latency(r, (n, 1440), ratio=1.005, noise=0.03), "regression"),
            "93 % High",
            ("≤", 1),
        ),
        BenchmarkRow(
            "… parity at the end (30 % noise)",
            lambda r, n: reached(LATENCY, simulate_latency(r, (n, 1440), ratio=1.005), "parity", at_end=True),
            "—",
            ("≥", 95),
        ),
    ]
    for kind in (
        "0.05 pp over 1e-3",
        "0.05 pp over 1e-5",
        "0.05 pp over 1e-3, canary at 1 %",
        "50 % over 2e-3",
        "latency",
    ):
        table.append(
            BenchmarkRow(
                f"truth at the margin, 8 h: parity ({kind})",
                lambda r, n, kind=kind: parity_at_margin(r, n, kind),  # type: ignore[misc]
                "—",
                ("≤", 5),
            )
        )
    for per_cent, fixed, a_minute in ((10, 2383, 6.0), (25, 435, 2.0), (50, 132, 1.0), (100, 46, 0.5)):
        for summary in ("median", "90 %"):
            table.append(
                BenchmarkRow(
                    f"errors for parity ±{per_cent} %, × TOST's {fixed} ({summary})",
                    lambda r, n, a=(per_cent, fixed, a_minute): errors_to_parity(r, n, *a),  # type: ignore[misc]
                    "—",
                    ("≤", 2.5),
                    summary,
                )
            )
    for kind in ("Poisson", "bursts", "canary at 1 %", "latency, own AR(1) φ = 0.7", "latency, own AR(1) φ = 0.9"):
        table.append(
            BenchmarkRow(
                f"no difference, 8 h, a look a minute, a break seen: {kind}",
                lambda r, n, kind=kind: np.isfinite(recent_regression_delay(r, n, kind)).astype(float),  # type: ignore[misc]
                "—",
                ("≤", 1),
            )
        )
    for kind in ("600 rpm a side, base 2e-3, × 10", "canary at 1 %, × 10"):
        table.append(
            BenchmarkRow(
                f"breaks after 3 h ({kind}): minutes to regression",
                lambda r, n, kind=kind: recent_regression_delay(r, n, kind),  # type: ignore[misc]
                "—",
                None,
                "median",
            )
        )
    table += [
        BenchmarkRow(
            "30 % noise over a slow wander: any alarm",
            lambda r, n: any_alarm(simulate_slow_drift(r, (n, *day))),
            "—",
            None,
        ),
        BenchmarkRow(
            "a rule: worse at 4 errors to none", lambda r, n: one_sided_rule(r, n, 4, 0.02, bursts=False), "—", None
        ),
        BenchmarkRow("a rule: worse at 7 to none", lambda r, n: one_sided_rule(r, n, 7, 0.3, bursts=False), "—", None),
        BenchmarkRow(
            "… bursts independent, 0.3 a minute", lambda r, n: one_sided_rule(r, n, 7, 0.3, bursts=True), "—", None
        ),
        BenchmarkRow("… 1 a minute", lambda r, n: one_sided_rule(r, n, 7, 1.0, bursts=True), "—", None),
        BenchmarkRow(
            "a rule: worse at the first 7 minutes of 10, φ = 0.9", lambda r, n: first_seven(r, n, 0.9), "—", None
        ),
    ]
    return table


def outcomes(seed: int, row: int, chunk: int, reps: int) -> tuple[int, FloatArray]:
    """One chunk of one row, from a seed of its own."""
    return row, rows()[row].simulation(np.random.default_rng([seed, row, chunk]), reps)


def summarize(row: BenchmarkRow, outcome: FloatArray) -> tuple[str, str, bool | None]:
    """Ours, the goal, and whether it is met."""
    if row.summary == "share":
        value, error = 100 * outcome.mean(), 100 * outcome.std() / np.sqrt(len(outcome))
        ours = f"{value:.1f} % ± {error:.1f}"
    else:
        value = float(np.quantile(outcome, 0.5 if row.summary == "median" else 0.9, method="higher"))
        ours = f"{value:.2f}" if value < 10 else f"{value:.0f}"
    if row.goal is None:
        return ours, "—", None
    sign, bound = row.goal
    unit = " %" if row.summary == "share" else ""
    return ours, f"{sign} {bound}{unit}", value <= bound if sign == "≤" else value >= bound


def speed(console: Console) -> None:
    """24 hours and 8 criteria through the same door as the pages: milliseconds of `judge` and `trace`."""
    random, n = np.random.default_rng(1), 1440

    def side(fleet: str) -> dict[tuple[str, str, str, str], list[float]]:
        bad = random.poisson(3.0, n)
        found = {
            (fleet, fleet, "requests", "sum"): [3000.0] * n,
            (fleet, fleet, "target_5xx", "sum"): list(bad.astype(float)),
            (fleet, fleet, "target_2xx", "sum"): list(3000.0 - bad),
            (fleet, fleet, "latency", "sample_count"): [3000.0] * n,
            (fleet, fleet, "latency", "within_0.3s"): list(1 - random.binomial(3000, 0.03, n) / 3000),
        }
        for at, stat in enumerate(("p50", "p90", "p95", "p99")):
            found[fleet, fleet, "latency", stat] = list(0.1 * (at + 1) * np.exp(0.2 * random.normal(size=n)))
        return found

    frame = tidy_frame({**side("baseline"), **side("canary")})
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
    for ask, bound in ((judge, 30), (trace, 300)):
        took = []
        for _ in range(11):
            began = time.perf_counter()
            ask(frame, criteria)
            took.append(1000 * (time.perf_counter() - began))
        console.print(f"{ask.__name__}: {np.median(took):.0f} ms (≤ {bound} ms), 24 h × 8 criteria")


def main(
    reps: Annotated[int, typer.Option(help="Repetitions of each world.")] = 1000,
    only: Annotated[str, typer.Option(help="Only the rows whose name contains this.")] = "",
    seed: Annotated[int, typer.Option(help="Other dice, the same worlds.")] = 11,
    processes: Annotated[int, typer.Option(help="How many at once.")] = 2,
) -> None:
    """Run every world so many times and print ours beside what is to be reached."""
    console, table = Console(width=150), rows()
    chosen = [at for at, row in enumerate(table) if only.lower() in row.name.lower()]
    done: dict[int, list[FloatArray]] = {at: [] for at in chosen}
    with ProcessPoolExecutor(processes) as pool:
        waiting = [
            pool.submit(outcomes, seed, at, chunk, min(CHUNK, reps - chunk))
            for at in chosen
            for chunk in range(0, reps, CHUNK)
        ]
        for number, one in enumerate(as_completed(waiting), start=1):
            at, outcome = one.result()
            done[at].append(outcome)
            print(f"\r{number} of {len(waiting)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    shown = Table("world", "ours", "to reach", "Kayenta", "met?", title=f"{reps} repetitions a row")
    for at in chosen:
        ours, goal, met = summarize(table[at], np.concatenate(done[at]))
        shown.add_row(table[at].name, ours, goal, table[at].kayenta, {True: "yes", False: "NO", None: "—"}[met])
    console.print(shown)
    if not only:
        speed(console)


if __name__ == "__main__":
    typer.run(main)
