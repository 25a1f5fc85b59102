"""The decision on a phase: one rule for pages, commands, reports and the trace."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal

from analysis import Alarm, Judgement, Verdict
from analysis.parity.incidents import Incident
from archive import Archive
from domain import Criterion, Event, FleetName, Traffic, Window
from domain.decision import DecisionReason, ReasonedDecision, RoutesState, gate_criteria, judged_criteria
from domain.window import MINUTE_S
from services.endpoints import EndpointsView
from services.incidents import acknowledgements
from services.live import TrafficStatus

UNREAD_REASONS = ("unread", "unknown")  # of a criterion: counts that the source did not deliver


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on beside the judgement. `no_data`: why there is no verdict for now.

    `sources_down`: of those that the verdict rests on. `notes`: those that may acknowledge an incident. `regressed_routes`: those known so far,
    None without any counted log. `routes`: if they are not all judged, others may regress, too. `alarms`, `alerts`: those that are open now.
    `configured_shares`: the last ones that were read; `observed_share`: of the canary since they changed; both of now, else unknown.
    """

    no_data: Literal["unavailable", "stale"] | None = None
    sources_down: tuple[str, ...] = ()
    notes: tuple[Event, ...] = ()
    regressed_routes: tuple[str, ...] | None = None
    routes: RoutesState = "judged"
    alarms: tuple[Alarm, ...] = ()
    alerts: tuple[Event, ...] = ()
    sample_ratio_differs: bool = False
    configured_shares: Mapping[FleetName, float] = field(default_factory=dict)
    observed_share: float | None = None


NO_CIRCUMSTANCES = Circumstances()


def read_circumstances(
    archive: Archive,
    source: str,
    traffic: TrafficStatus | None,
    endpoints: EndpointsView | Literal["pending"] | None,
    *,
    routes: RoutesState = "judged",
    now: datetime,
) -> Circumstances:
    """Those of `now` that the archive has, for a verdict on data of `source`. `routes`: how far the logs are counted. Raises ArchiveError."""
    ratio = traffic.sample_ratio if traffic else None
    observed = ratio or traffic
    return Circumstances(
        sources_down=tuple(
            state.source
            for state in archive.events.source_states()
            if (state.role == "traffic" or (state.source, state.role) == (source, "metrics"))
            and state.last_success_at is not None
            and state.state in ("down", "denied")
        ),
        notes=archive.notes.read(),
        regressed_routes=regressed_routes(endpoints),
        routes="pending" if endpoints == "pending" else routes,
        alerts=archive.last_view("open alerts", None, None, partial(_open_alerts, archive, now)),
        sample_ratio_differs=ratio is not None and ratio.verdict == "differs",
        configured_shares=configured_shares(traffic.traffic if traffic else None),
        observed_share=observed.observed_share if observed else None,
    )


def configured_shares(traffic: Traffic | None) -> dict[FleetName, float]:
    """The fleets' configured shares (0–1), empty if they are unknown."""
    return {fleet: float(share) for fleet, share in traffic.configured_shares.items()} if traffic else {}


def _open_alerts(archive: Archive, now: datetime) -> tuple[Event, ...]:
    start = int(now.timestamp()) // MINUTE_S * MINUTE_S
    events = archive.events.read(Window(start, start + MINUTE_S))
    return tuple(event for event in events if event.kind == "alert" and event.open)


def regressed_routes(endpoints: EndpointsView | Literal["pending"] | None) -> tuple[str, ...] | None:
    """None if no route is judged (yet)."""
    if endpoints is None or endpoints == "pending":
        return None
    return tuple(item.route for item in endpoints.endpoints.routes if item.judgement.verdict == "regression")


def decide(
    judgement: Judgement, circumstances: Circumstances = NO_CIRCUMSTANCES, *, is_over: bool = False
) -> ReasonedDecision:
    """The decision on the judged phase. `is_over`: it is of the past, so what is open now says nothing about it, and nothing more is awaited."""
    reasons = [*_reasons_of_criteria(judgement, is_over=is_over)]
    reasons += _reasons_of_incidents(judgement.incidents, acknowledgements(judgement.incidents, circumstances.notes))
    reasons += [DecisionReason("route_regression", route) for route in circumstances.regressed_routes or ()]
    if circumstances.routes != "judged":
        reasons.append(DecisionReason("routes_pending" if circumstances.routes == "pending" else "routes_unreadable"))
    if circumstances.no_data:
        reasons.append(DecisionReason(circumstances.no_data))
    if not is_over:
        reasons += _reasons_of_now(circumstances)
    return ReasonedDecision(tuple(reasons))


def decide_minute(
    verdicts: Sequence[tuple[Criterion, Verdict]],
    incidents: Iterable[Incident],
    acknowledged: Collection[str] = frozenset(),
) -> ReasonedDecision:
    """What `decide` would have said at a minute of the past, by the verdicts of then and the incidents as they were known then."""
    reasons = (*_reasons_of_verdicts(verdicts), *_reasons_of_incidents(incidents, acknowledged))
    return ReasonedDecision(reasons)


def _reasons_of_criteria(judgement: Judgement, *, is_over: bool) -> Iterator[DecisionReason]:
    results = {result.criterion: result for result in judgement.criteria}
    gate = gate_criteria(tuple(results))
    gone = dict.fromkeys(fleet for result in judgement.criteria for fleet in result.gone)
    yield from (DecisionReason("fleet_gone", fleet) for fleet in gone)
    yield from (DecisionReason("unread", item.metric) for item in gate if results[item].reason in UNREAD_REASONS)
    for reason in _reasons_of_verdicts([(item, result.verdict) for item, result in results.items()]):
        if reason.code != "undecided":
            yield reason
        elif is_over:
            yield DecisionReason("inconclusive", reason.subject)
        else:
            yield DecisionReason("undecided", reason.subject, judgement[reason.subject].minutes_to_decision)


def _reasons_of_verdicts(verdicts: Sequence[tuple[Criterion, Verdict]]) -> Iterator[DecisionReason]:
    criteria = tuple(criterion for criterion, _verdict in verdicts)
    judged, gate = judged_criteria(criteria), gate_criteria(criteria)
    for criterion, verdict in verdicts:
        if verdict == "regression" and criterion in judged:
            yield DecisionReason("gate_regression" if criterion in gate else "regression", criterion.metric)
        elif verdict in ("undecided", "not enough data") and criterion in gate:
            yield DecisionReason("undecided", criterion.metric)


def _reasons_of_incidents(incidents: Iterable[Incident], acknowledged: Collection[str]) -> Iterator[DecisionReason]:
    """An incident that is over holds only if it is of the canary alone and has no note."""
    for incident in incidents:
        if incident.is_outage:
            yield DecisionReason("outage", incident.id)
        elif incident.open or (incident.own == "canary" and incident.id not in acknowledged):
            yield DecisionReason("incident", incident.id)


def _reasons_of_now(circumstances: Circumstances) -> Iterator[DecisionReason]:
    yield from (DecisionReason("alarm", f"{alarm.rule}:{alarm.fleet}") for alarm in circumstances.alarms)
    yield from (DecisionReason("alert", event.title) for event in circumstances.alerts)
    if circumstances.sample_ratio_differs:
        yield DecisionReason("sample_ratio")
    yield from (DecisionReason("source_down", source) for source in circumstances.sources_down)
