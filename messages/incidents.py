"""Messages for incidents: when, which fleets, how many requests failed."""

from collections.abc import Mapping
from datetime import datetime, tzinfo

from analysis.alarms.rules import other_fleet
from analysis.parity.incidents import Incident
from domain import FLEETS, Event, FleetName
from messages import notes, numbers, times
from messages.i18n import _, comma_list, lazy

TITLE = lazy("Incidents")
HEAD = (lazy("when"), lazy("what happened"), lazy("excess over the other fleet"), lazy("state"), lazy("acknowledged"))
EXPLAINED = lazy(
    "Periods with errors or latency far outside the margin. An incident of the canary alone means HOLD until it has a note."
)
ACKNOWLEDGE = lazy("Acknowledge an incident")
INCIDENT = lazy("Incident")
NOTE = lazy("What happened (saved as a note)")
SAVE = lazy("Acknowledge")
NOT_ACKNOWLEDGED = lazy("no note yet")


def span(incident: Incident, zone: tzinfo, *, now: datetime | None = None) -> str:
    return times.span(incident.window.starts_at, incident.window.ends_at, zone, now=now)


def fleets(incident: Incident, labels: Mapping[FleetName, str]) -> str:
    """ "ECS", "both fleets"."""
    return labels[incident.own] if incident.own else _("both fleets")


def cost(incident: Incident, labels: Mapping[FleetName, str]) -> str:
    """What happened: "failed: ECS 38.9% (42,050 of 108,000), EC2 0.25% (130 of 52,000)"; of a slow one "p95: ECS 840 ms, EC2 210 ms"."""
    shown = (incident.own, other_fleet(incident.own)) if incident.own else FLEETS
    if incident.p95_s is not None:
        p95 = comma_list(f"{labels[fleet]} {numbers.milliseconds(incident.p95_s[fleet])}" for fleet in shown)
        return _("p95: {values}").format(values=p95)
    counts = comma_list(_failed(incident, fleet, labels) for fleet in shown)
    text = _("failed: {counts}").format(counts=counts)
    if incident.uncounted:
        text = _("{text}; {n} of them reached no target of {fleet}").format(
            text=text, n=numbers.count(incident.uncounted), fleet=labels["canary"]
        )
    return text


def _failed(incident: Incident, fleet: FleetName, labels: Mapping[FleetName, str]) -> str:
    assert incident.requests is not None and incident.errors is not None
    return _("{fleet} {share} ({errors} of {requests})").format(
        fleet=labels[fleet],
        share=numbers.percent(incident.failed_share(fleet)),
        errors=numbers.count(incident.errors[fleet]),
        requests=numbers.count(incident.requests[fleet]),
    )


def excess(incident: Incident) -> str:
    return numbers.NONE if incident.excess is None else numbers.count(incident.excess)


def state(incident: Incident, *, phase_is_over: bool = False) -> str:
    if not incident.open:
        return _("over")
    return _("open at the end of the phase") if phase_is_over else _("open")


def acknowledged_by(note: Event | None, zone: tzinfo, *, now: datetime) -> str:
    """The note's text, author and time; "" without one."""
    if note is None:
        return ""
    parts = (note.title, notes.by_author(note.detail), times.clock_of(note.ts, zone, now=now))
    return " · ".join(filter(None, parts))


def sentence(incident: Incident, labels: Mapping[FleetName, str], zone: tzinfo, *, phase_is_over: bool = False) -> str:
    """ "10 Nov 15:19–15:34 JST, failed: ECS 38.9% (42,050 of 108,000), EC2 0.25% (130 of 52,000), over"."""
    return _("{span}, {cost}, {state}").format(
        span=span(incident, zone), cost=cost(incident, labels), state=state(incident, phase_is_over=phase_is_over)
    )


def option(incident: Incident, labels: Mapping[FleetName, str], zone: tzinfo) -> str:
    """The name of an incident in a list of choices."""
    return f"{span(incident, zone)} · {fleets(incident, labels)} · {incident.id}"
