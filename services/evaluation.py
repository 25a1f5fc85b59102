"""One evaluation of a phase, a window or a CSV: the judgement, whether its data is current, and the exit code for a pipeline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Literal
from weakref import WeakKeyDictionary

from analysis import Judgement, Phase, PhaseOutcome
from analysis.parity.context import JudgeContext
from analysis.parity.verdicts import close_judgement
from archive import Archive, ArchiveError, ArchiveProblem, MetricsResult
from archive.access_logs.store import ACCESS_LOGS
from domain import FLEETS, FleetName, Migration, Window
from domain.decision import EXIT_CODES, ReasonedDecision, RoutesState
from domain.series import is_request_count
from domain.sign_offs import Ledger
from domain.window import MINUTE_S
from messages.parity import phase_share
from services.alarms import AlarmStatus, alarm_window, read_alarms
from services.decision import NO_CIRCUMSTANCES, Circumstances, decide, read_circumstances
from services.endpoints import EndpointsView, judge_logs, log_window
from services.fleet_requests import constant_share
from services.freshness import final_until, provisional_from
from services.live import read_sample_ratio, traffic_status
from services.parity import WindowJudgement, judge_result, judge_window
from services.phases import PhaseCounts, count_phase, known_phases, read_phases
from services.versioned_cache import VersionedCache
from sources.base import MetricSource, Problem

MAX_JUDGED_DATA_AGE_S = 15 * MINUTE_S
CURRENT_PHASE = ("", "current")
RoutesOf = Callable[[Window, bool], RoutesState]  # of a window of access logs, by whether any of it was counted
EXIT_UNAVAILABLE = EXIT_CODES["no_data"]


class NoSuchPhaseError(LookupError):
    """A phase number that is not between 1 and `n_known`."""

    def __init__(self, n_known: int) -> None:
        super().__init__(n_known)
        self.n_known = n_known


@dataclass(frozen=True, slots=True)
class JudgementInput:
    """The data to judge as of `now`, its phase (with the number it was selected by), and the problems of the other sources.

    `counts`: of the whole phase; None for a window, or if the archive cannot be read. `alarms`, `ledger`: of now; None likewise. `context`: of the data.
    `endpoints`: the counted logs of its last day. `circumstances`: as the archive has them; the alarms and what is known of the data are added.
    """

    result: MetricsResult
    phase: Phase | None
    phase_number: int | None
    source_problems: tuple[Problem, ...]
    now: datetime
    counts: PhaseCounts | None = None
    alarms: AlarmStatus | None = None
    context: JudgeContext = field(default_factory=JudgeContext)
    endpoints: EndpointsView | None = None
    circumstances: Circumstances = NO_CIRCUMSTANCES
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A judgement, its circumstances and the decision. `name`: of the migration, or the path of a CSV (then `source` is "csv").

    `counts`: of the whole phase up to `final_until` (epoch seconds), after which data was not judged. `alarms`: of now; None for a CSV and for
    a phase of the past. `context`: what the judge was given beside the data. `ledger`: all sign-offs of the migration; None if they were not read.
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
    counts: PhaseCounts | None = None
    data_until: int | None = None
    final_until: int = 0
    circumstances: Circumstances = NO_CIRCUMSTANCES
    problems: tuple[Problem, ...] = ()
    archive_problem: ArchiveProblem | None = None
    alarms: AlarmStatus | None = None
    context: JudgeContext = field(default_factory=JudgeContext)
    ledger: Ledger | None = None

    @property
    def counts_of_judged_phase(self) -> PhaseCounts | None:
        """`counts`, unless the phase's start is unknown: then its last day is judged, and its counts are of all data before."""
        return None if self.phase is None or self.phase.started_by == "window" else self.counts

    @property
    def length_s(self) -> int:
        """From the start of the window to its newest data, in whole minutes: a phase without data does not go on."""
        end = self.window.end if self.data_until is None else min(self.window.end, self.data_until)
        return max(end - self.window.start, 0) // MINUTE_S * MINUTE_S

    @property
    def is_over(self) -> bool:
        """Whether it is of a phase of the past, about which what is open now says nothing."""
        return self.phase is not None and self.phase.is_over

    @property
    def decision(self) -> ReasonedDecision:
        return decide(self.judgement, self.circumstances, is_over=self.is_over)

    @property
    def unavailable(self) -> bool:
        """Whether current data could not be fetched, so that there is no verdict for now."""
        return self.circumstances.no_data is not None

    @property
    def outcome(self) -> PhaseOutcome | None:
        return self.phase.outcome if self.phase else None

    @property
    def is_decided(self) -> bool:
        """Whether nothing is awaited: neither data, nor a note, nor the end of an alarm."""
        return self.decision.decision in ("continue", "roll_back")


def read_phase(
    archive: Archive,
    migration: Migration,
    metrics: MetricSource,
    choice: str,
    source_problems: tuple[Problem, ...],
    *,
    now: datetime,
) -> JudgementInput:
    """The data of a phase: "" or "current", or a number from 1, the oldest known, or a name ("2 · 10.0 %"). Missing data is fetched.

    Raises NoSuchPhaseError.
    """
    try:
        phases = read_phases(archive, metrics.name, now=now)
    except ArchiveError:  # the result has it, too
        phases = known_phases((), end=int(now.timestamp()) // MINUTE_S * MINUTE_S)
    phase = select_phase(phases, choice)
    result = archive.metrics.get(phase.judged_window, metrics, now=now)
    if phase.started_by != "window":  # else only the judged part is sure to be of this phase
        for window in phase.window.subtract((phase.judged_window,)):
            archive.metrics.get(window, metrics, now=now)
    try:
        until = final_until(migration, result, now=now)
        counts = count_phase(archive, migration, metrics.name, phases, phase, until=until, now=now)
    except ArchiveError:
        counts = None
    number = None if choice in CURRENT_PHASE else phase.number
    return JudgementInput(result, phase, number, source_problems, now, counts)


def select_phase(phases: Sequence[Phase], choice: str) -> Phase:
    """The phase with this number or name; the current one for "" or "current". Raises NoSuchPhaseError."""
    if choice in CURRENT_PHASE:
        return phases[-1]
    number, _, share = (part.strip() for part in choice.partition("·"))
    phase = next((phase for phase in phases if number.isdecimal() and phase.number == int(number)), None)
    if phase is None or (share and not _is_name_of_share(share, phase.canary_share)):
        raise NoSuchPhaseError(len(phases))
    return phase


def _is_name_of_share(text: str, share: float | None) -> bool:
    """Whether `text` is a share as in a phase's name; "10 %" is as good as "10.0 %"."""
    if text == phase_share(share):
        return True
    try:
        return share is not None and abs(float(text.rstrip(" %")) - share * 100) < 0.05
    except ValueError:
        return False


def evaluate(migration: Migration, source: str, data: JudgementInput) -> Evaluation:
    """Judges `data`."""
    result, phase = data.result, data.phase
    share = phase.canary_share if phase else None
    judged = judge_result(migration, source, result, now=data.now, canary_share=share, context=data.context)
    circumstances = replace(
        data.circumstances,
        no_data=missing_data(result, now=data.now),
        alarms=data.alarms.alarms if data.alarms else (),
    )
    return replace(
        build_evaluation(judged, migration, source, circumstances, phase=phase),
        phase_number=data.phase_number,
        counts=data.counts,
        problems=tuple(dict.fromkeys((*result.problems, *data.source_problems))),
        archive_problem=result.archive_problem,
        alarms=None if phase and phase.is_over else data.alarms,
        ledger=data.ledger,
    )


def evaluate_archived(
    archive: Archive,
    migration: Migration,
    source: str,
    phase: Phase,
    *,
    now: datetime,
    routes_of: RoutesOf | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Evaluation:
    """The evaluation of a phase by what is archived, without its counts. `checkpoint` may raise to give up. Raises ArchiveError.

    `routes_of`: of the running phase; without it, any counted log is enough.
    """
    judged = judge_window(archive, migration, source, phase.judged_window, now=now, canary_share=phase.canary_share)
    logs = log_window(phase.window)
    routes: RoutesState = "judged"
    if phase.is_over:
        endpoints = judge_logs(archive, migration, logs, checkpoint=checkpoint)
    else:
        endpoints = _judge_current_logs(archive, migration, logs, checkpoint)
        if routes_of:
            routes = routes_of(logs, endpoints is not None)
        elif endpoints is None and migration.access_logs:
            routes = "pending"
    circumstances = archived_circumstances(
        archive, migration, source, endpoints, routes=routes, now=now, is_over=phase.is_over
    )
    alarms = None if phase.is_over else read_alarms(archive, migration, source, now=now)
    if alarms:
        newest = archive.metrics.read(alarm_window(now), source, now=now, series_filter=is_request_count)
        circumstances = replace(circumstances, no_data=missing_data(newest, now=now), alarms=alarms.alarms)
    evaluation = build_evaluation(judged, migration, source, circumstances, phase=phase)
    return replace(evaluation, phase_number=phase.number, alarms=alarms)


def _judge_current_logs(
    archive: Archive, migration: Migration, window: Window, checkpoint: Callable[[], None]
) -> EndpointsView | None:
    """`judge_logs`, cached until the window moves or logs are counted."""
    cache = _current_logs.setdefault(archive, VersionedCache())
    version = window, migration.criteria, archive.change_counter(ACCESS_LOGS)
    endpoints = cache.get(CURRENT_PHASE, version)
    if endpoints is None and (endpoints := judge_logs(archive, migration, window, checkpoint=checkpoint)):
        cache.put(CURRENT_PHASE, version, endpoints)
    return endpoints


def build_evaluation(
    judged: WindowJudgement,
    migration: Migration | None,
    source: str,
    circumstances: Circumstances = NO_CIRCUMSTANCES,
    *,
    phase: Phase | None = None,
    name: str = "",
) -> Evaluation:
    """The evaluation of what was judged; without forecasts for a `phase` of the past. `name`: of a CSV, which may have no `migration`."""
    return Evaluation(
        close_judgement(judged.judgement) if phase and phase.is_over else judged.judgement,
        judged.window,
        name or (migration.name if migration else ""),
        source,
        migration.labels if migration else {fleet: fleet for fleet in FLEETS},
        migration.zone if migration else UTC,
        migration is not None and migration.demo,
        phase,
        data_until=judged.result.data_until,
        final_until=judged.final_until,
        circumstances=circumstances,
        context=judged.context,
    )


def evaluate_window(
    archive: Archive, migration: Migration, source: str, window: Window, *, now: datetime
) -> Evaluation:
    """The evaluation of a range of the past by what is archived, without its routes and whatever is of now. Raises ArchiveError."""
    share = constant_share(archive, window)
    judged = judge_window(archive, migration, source, window, now=now, canary_share=share)
    closed = replace(judged, judgement=close_judgement(judged.judgement))
    return build_evaluation(closed, migration, source, Circumstances(notes=archive.notes.read()))


def archived_circumstances(
    archive: Archive,
    migration: Migration,
    source: str,
    endpoints: EndpointsView | None,
    *,
    routes: RoutesState = "judged",
    now: datetime,
    is_over: bool = False,
) -> Circumstances:
    """The circumstances of now but for alarms; see `read_circumstances`. Raises ArchiveError.

    `is_over`: of a phase of the past, which the weights and the traffic of now do not concern.
    """
    until = provisional_from(migration, now.timestamp())
    sample_ratio = partial(read_sample_ratio, archive, source)
    traffic = None if is_over else traffic_status(archive, until=until, sample_ratio=sample_ratio)
    return read_circumstances(archive, source, traffic, endpoints, routes=routes, now=now)


def missing_data(result: MetricsResult, *, now: datetime) -> Literal["unavailable", "stale"] | None:
    """Why `result` does not say how things are now; None if it does, or if it is of the past."""
    oldest = int(now.timestamp()) - MAX_JUDGED_DATA_AGE_S
    is_stale = result.window.end > oldest > (result.last_asked_at or 0)
    if result.data_until is None:
        return "unavailable" if is_stale or result.problems or result.archive_problem else None
    return "stale" if is_stale else None


_current_logs: WeakKeyDictionary[Archive, VersionedCache[EndpointsView]] = WeakKeyDictionary()
