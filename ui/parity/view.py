"""The judgement of a phase for the pages, cached for all viewers until new data arrives."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pandas as pd

from analysis import Judgement, Phase
from analysis.parity.verdicts import close_judgement
from collector.access_log_ingest import routes_state
from domain import Window, utc_now
from domain.decision import RoutesState
from domain.window import MINUTE_S
from services.alarms import AlarmStatus
from services.decision import read_circumstances
from services.endpoints import log_window
from services.evaluation import Evaluation, build_evaluation, missing_data
from services.freshness import provisional_from
from services.live import as_of
from services.parity import WindowJudgement, judge_window, judgement_key
from services.phases import EVENT_HISTORY_S, PhaseCounts, count_phase, judged_phase, read_phases
from ui.app_context import AppContext, cached_view
from ui.controls import page_checkpoint
from ui.endpoints.ingest_progress import request_ingest
from ui.endpoints.view import last_day_so_far, last_day_view
from ui.live.alarms import alarm_status
from ui.live.view import traffic_view
from ui.sources import UNAVAILABLE


@dataclass(frozen=True, slots=True)
class JudgementView:
    """What was judged of `phase`, identified by `cache_key`, without forecasts if it is over; and the counts of all of it up to the same time."""

    phase: Phase
    phases: tuple[Phase, ...]
    source: str
    cache_key: Hashable
    judged: WindowJudgement
    counts: PhaseCounts

    @property
    def judgement(self) -> Judgement:
        return self.judged.judgement

    @property
    def trace(self) -> pd.DataFrame:
        """The judgement after each minute (analysis.TRACE_COLUMNS)."""
        assert self.judged.trace is not None
        return self.judged.trace


def judgement_view(app: AppContext, source: str, *, now: datetime, phase_start: str = "") -> JudgementView:
    """The judgement of the phase that started at `phase_start` (epoch seconds, as the URL has it), else of the current one. Raises ArchiveError."""
    read = partial(_read_judgement, app, source, now, phase_start)
    return app.archive.last_view("judgement", (source, phase_start), None, read)


def _read_judgement(app: AppContext, source: str, now: datetime, phase_start: str) -> JudgementView:
    phases = _phases(app, source, now)
    phase = next((phase for phase in phases if str(phase.window.start) == phase_start), phases[-1])
    cache_key = judgement_key(app.archive, app.migration, source, phase.window)
    judged, counts = _cached_judgement(app, source, phases, phase, cache_key)
    if phase.is_over:
        judged = replace(judged, judgement=close_judgement(judged.judgement))
    return JudgementView(phase, phases, source, cache_key, judged, counts)


def phase_evaluation(
    app: AppContext, view: JudgementView, *, now: datetime, with_all_routes: bool = False
) -> Evaluation:
    """The judged phase with its decision, as `judge` has it; many routes are pending at first, unless `with_all_routes`. Raises ArchiveError."""
    migration, phase = app.migration, view.phase
    data_time = as_of(app.archive, view.source, now)
    alarms, traffic = AlarmStatus((), None, ()), None
    if not phase.is_over:
        alarms = alarm_status(app, view.source, data_time)
        until = provisional_from(migration, data_time.timestamp())
        traffic = traffic_view(app, view.source, until=until)
    endpoints = (last_day_view if with_all_routes else last_day_so_far)(app, phase.window)
    routes: RoutesState = "judged"
    if app.sources.logs is not None and not phase.is_over:
        # Else the decision would depend on whether Endpoints was opened before.
        logs = log_window(phase.window)
        request_ingest(app, logs)
        routes = routes_state(app.collector.ingest_progress(logs), has_counts=endpoints is not None)
    circumstances = read_circumstances(app.archive, view.source, traffic, endpoints, routes=routes, now=now)
    circumstances = replace(circumstances, no_data=missing_data(view.judged.result, now=now), alarms=alarms.alarms)
    evaluation = build_evaluation(view.judged, migration, view.source, circumstances, phase=phase)
    return replace(evaluation, phase_number=phase.number, counts=view.counts)


def is_loading(app: AppContext, view: JudgementView) -> bool:
    """Whether there is no data yet because the source has not answered for the first time, which is not the same as none. Raises ArchiveError."""
    if view.judged.result.data_until is not None or not view.judged.result.missing:
        return False
    states = [state for state in app.source_states() if (state.source, state.role) == (view.source, "metrics")]
    return all(state.state not in UNAVAILABLE for state in states)


def current_phase(app: AppContext, *, now: datetime) -> Phase:
    """The current phase, cut to its judged part. Raises ArchiveError."""
    return judged_phase(_phases(app, app.source_names[0], now)[-1])


@dataclass(frozen=True, slots=True, eq=False)
class JudgeTrace:
    """The judgement after each minute (analysis.TRACE_COLUMNS), identified by `key`."""

    rows: pd.DataFrame
    key: Hashable


def live_trace(app: AppContext, source: str, fixed_window: Window | None, *, now: datetime) -> JudgeTrace:
    """The trace of the current phase, or of a range of the past, which is judged by itself. Raises ArchiveError."""
    if fixed_window is None:
        view = judgement_view(app, source, now=now)
        return JudgeTrace(view.trace, (view.phase.judged_window, view.cache_key))

    def read() -> JudgeTrace:
        key = judgement_key(app.archive, app.migration, source, fixed_window)
        return JudgeTrace(_cached_range_trace(app, source, fixed_window, key), (fixed_window, key))

    return app.archive.last_view("range_trace", (source, fixed_window), None, read)


@cached_view(max_entries=8, ttl=timedelta(hours=1))
def _cached_range_trace(app: AppContext, source: str, window: Window, cache_key: Hashable) -> pd.DataFrame:
    now = utc_now()
    judged = judge_window(app.archive, app.migration, source, window, now=now, trace_checkpoint=page_checkpoint())
    assert judged.trace is not None
    return judged.trace


def _phases(app: AppContext, source: str, now: datetime) -> tuple[Phase, ...]:
    _request_history(app)
    minute = now.replace(second=0, microsecond=0)

    def read() -> tuple[Phase, ...]:
        return _cached_phases(app, source, minute, app.archive.change_counter())

    return app.archive.last_view("phases", source, None, read)


@cached_view()
def _request_history(app: AppContext) -> None:
    """Requests the events in which phases start from every source, once per process."""
    for events in app.sources.events:
        app.collector.request_window(Window.last(EVENT_HISTORY_S // MINUTE_S, now=utc_now()), events.name)


@cached_view(max_entries=4, ttl=timedelta(minutes=5))
def _cached_phases(app: AppContext, source: str, now: datetime, change_counter: int) -> tuple[Phase, ...]:
    return read_phases(app.archive, source, now=now)


@cached_view(max_entries=8, ttl=timedelta(hours=1))
def _cached_judgement(
    app: AppContext, source: str, _phases: tuple[Phase, ...], phase: Phase, cache_key: Hashable
) -> tuple[WindowJudgement, PhaseCounts]:
    now, migration, checkpoint = utc_now(), app.migration, page_checkpoint()
    judged = judge_window(
        app.archive,
        migration,
        source,
        phase.judged_window,
        now=now,
        canary_share=phase.canary_share,
        trace_checkpoint=checkpoint,
    )
    checkpoint()
    counts = count_phase(app.archive, migration, source, _phases, phase, until=judged.final_until, now=now)
    return judged, counts
