"""Where a page says more about a reason of the decision, and the incidents of a phase in HTML."""

from datetime import datetime
from urllib.parse import urlencode

from markupsafe import Markup

from analysis.parity.incidents import Incident
from domain.decision import DecisionReason, ReasonCode
from domain.window import HOUR_S
from reports.judgement_json import incident_rows
from reports.templating import render
from services.evaluation import Evaluation
from ui.url import format_time

# The parts of the Live page that say more; else its charts do.
_ANCHORS: dict[ReasonCode, str] = {
    "unavailable": "sources",
    "stale": "sources",
    "unread": "sources",
    "source_down": "sources",
    "sample_ratio": "traffic",
}
LIVE_LEAD_S = HOUR_S // 2  # of the Live page around an incident


def reason_url(reason: DecisionReason, evaluation: Evaluation) -> str:
    """Where more is said about a reason."""
    if reason.code in ("outage", "incident"):
        found = (incident for incident in evaluation.judgement.incidents if incident.id == reason.subject)
        return next(map(incident_url, found), "/")
    if reason.code in ("route_regression", "routes_unreadable", "routes_pending"):
        window = evaluation.window
        times = {"from": format_time(window.start), "to": format_time(window.end)}
        route = {"route": reason.subject} if reason.subject else {}
        return "/endpoints?" + urlencode(route | times)
    if reason.code in ("gate_regression", "regression", "undecided", "inconclusive"):
        phase = {"phase": evaluation.phase.window.start} if evaluation.phase and evaluation.is_over else {}
        return "/parity?" + urlencode({"criterion": reason.subject} | phase)
    return f"/#{_ANCHORS.get(reason.code, 'charts')}"


def incident_url(incident: Incident) -> str:
    """The Live page around an incident."""
    start, end = incident.window.start - LIVE_LEAD_S, incident.window.end + LIVE_LEAD_S
    return "/?" + urlencode({"from": format_time(start), "to": format_time(end)})


def incidents_table(evaluation: Evaluation, *, now: datetime) -> Markup:
    """One row per incident, the newest first; nothing without any."""
    rows = incident_rows(evaluation, now=now)
    if not rows:
        return Markup("")
    urls = {incident.id: incident_url(incident) for incident, _span, _note in rows}
    return render("decision.incidents", rows=rows, evaluation=evaluation, urls=urls)
