"""One evaluation of a phase, a window or a CSV: the judgement, whether its data is current, and the exit code for a pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import analysis
from analysis import Judgement, Phase, Verdict
from analysis.parity.verdicts import close_judgement
from archive import Archive, ArchiveError, ArchiveProblem, MetricsResult
from domain import FLEETS, FleetName, Migration, Window, epoch_s
from domain.window import MINUTE_S
from services.parity import evidence_window, judge_result, known_phases, read_phases
from sources.base import MetricSource, Problem
from sources.csv_import import SOURCE, CsvData

MAX_JUDGED_DATA_AGE_S = 15 * MINUTE_S
PHASE_OVER_AFTER_S = (
    2 * MINUTE_S
)  # the current phase reaches to now; the next one begins in the second minute after a change
EXIT_UNAVAILABLE = 3
EXIT_CODES: dict[Verdict, int] = {
    "parity": 0,
    "improvement": 0,  # not equal, but no reason to stop
    "regression": 1,
    "undecided": 2,
    "not enough data": 2,
}


class NoSuchPhaseError(LookupError):
    """A phase number that is not between 1 and `n_known`."""

    def __init__(self, n_known: int) -> None:
        super().__init__(n_known)
        self.n_known = n_known


@dataclass(frozen=True, slots=True)
class JudgementInput:
    """The data to judge as of `now`, its phase (with the number it was selected by), and the problems of the other sources."""

    result: MetricsResult
    phase: Phase | None
    phase_number: int | None
    source_problems: tuple[Problem, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A judgement and its context. `name`: of the migration, or the path of a CSV (then `source` is "csv").

    `unavailable`: current data could not be fetched, so there is no verdict for now.
    """

    judgement: Judgement
    window: Window
    name: str
    source: str
    labels: Mapping[FleetName, str]
    zone: tzinfo
    demo: bool = False
    phase: Phase | None = None
    phase_number: int | None = None
    data_until: int | None = None
    unavailable: bool = False
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None

    @property
    def exit_code(self) -> int:
        return EXIT_UNAVAILABLE if self.unavailable else EXIT_CODES[self.judgement.verdict]

    @property
    def is_decided(self) -> bool:
        """Whether the verdict is final."""
        return not self.unavailable and self.judgement.verdict in ("parity", "regression", "improvement")


def read_phase(
    archive: Archive, metrics: MetricSource, phase: str, source_problems: tuple[Problem, ...], *, now: datetime
) -> JudgementInput:
    """The data of a phase: "" or "current", or a number from 1, the oldest known. Missing data is fetched.

    Raises NoSuchPhaseError.
    """
    try:
        phases = read_phases(archive, now=now)
    except ArchiveError:  # the result has it, too
        phases = known_phases((), end=int(now.timestamp()) // MINUTE_S * MINUTE_S)
    number = None if phase in ("", "current") else int(phase) if phase.isdecimal() else 0
    if number is not None and not 1 <= number <= len(phases):
        raise NoSuchPhaseError(len(phases))
    selected = phases[number - 1 if number else -1]
    result = archive.metrics.get(evidence_window(selected), metrics, now=now)
    return JudgementInput(result, selected, number, source_problems, now)


def evaluate(migration: Migration, source: str, data: JudgementInput) -> Evaluation:
    """Judges `data`."""
    result, oldest = data.result, int(data.now.timestamp()) - MAX_JUDGED_DATA_AGE_S
    stale = result.window.end > oldest > (result.last_asked_at or 0)
    failed = bool(result.problems or result.archive_problem) and result.data_until is None
    judgement = judge_result(migration, result, now=data.now).judgement
    is_over = data.phase is not None and data.now.timestamp() - result.window.end >= PHASE_OVER_AFTER_S
    return Evaluation(
        close_judgement(judgement) if is_over else judgement,
        result.window,
        migration.name,
        source,
        {fleet: migration.fleets[fleet].label for fleet in FLEETS},
        migration.zone,
        migration.demo,
        data.phase,
        data.phase_number,
        result.data_until,
        unavailable=stale or failed,
        problems=tuple(dict.fromkeys((*result.problems, *data.source_problems))),
        archive_problem=result.archive_problem,
    )


def evaluate_csv(name: str, csv: CsvData, migration: Migration | None, minutes: int | None) -> Evaluation:
    """Judges a CSV, or its last `minutes`, by the criteria and labels of `migration`."""
    starts = epoch_s(csv.frame)
    start, end = int(starts.min()), int((starts + csv.frame["period_s"].to_numpy()).max())
    window = Window(max(start, end - minutes * MINUTE_S) if minutes else start, end)
    fleets = migration.fleets if migration else None
    return Evaluation(
        analysis.judge(csv.frame, migration.criteria if migration else (), window=window, unknown=csv.unknown_counts),
        window,
        name,
        SOURCE,
        {fleet: fleets[fleet].label if fleets else fleet for fleet in FLEETS},
        migration.zone if migration else UTC,
        data_until=end,
    )
