"""The decision and the incidents of a phase in HTML, the same on every page."""

from datetime import datetime
from urllib.parse import urlencode

from markupsafe import Markup

from analysis.parity.incidents import Incident
from domain.decision import DecisionReason
from domain.window import HOUR_S, MINUTE_S
from messages import decision as text
from messages import parity
from messages.errors.sources import shorten
from reports.judgement_json import incident_rows, shown_reasons
from reports.templating import render
from services.evaluation import Evaluation
from ui.url import format_time
from ui.verdicts import criterion_tooltip

MAX_REASONS = 6
MAX_REASON_CHARS = 240
LIVE_LEAD_S = HOUR_S // 2  # of the Live page around an incident


def decision_hero(evaluation: Evaluation, *, rollback: str = "/#rollback", past: bool = False) -> Markup:
    """The decision with its reasons as links, the phase, and each criterion's verdict. `rollback`: the URL of the rollback command. `past`: the page
    shows another time than now, of which the decision is, and the section says so."""
    judgement, phase, decided = evaluation.judgement, evaluation.phase, evaluation.decision
    window = evaluation.window
    share = phase.canary_share if phase else None
    urls = {
        shorten(sentence, MAX_REASON_CHARS): reason_url(reason, evaluation)
        for sentence, reason in shown_reasons(evaluation).items()
    }
    return render(
        "decision.hero",
        decision=decided.decision,
        summary=text.in_short(decided, judgement, evaluation.outcome),
        reasons=list(urls.items())[:MAX_REASONS],
        more=text.more(len(urls) - MAX_REASONS) if len(urls) > MAX_REASONS else "",
        about=parity.about(share, (window.end - window.start) // MINUTE_S * MINUTE_S),
        criteria=[
            (result, criterion_tooltip(result, evaluation.labels, evaluation.zone)) for result in judgement.criteria
        ],
        of_now=text.OF_NOW if past else "",
        rollback=rollback if decided.decision == "roll_back" and not evaluation.is_over else "",
        note=parity.DEFAULT_CRITERIA if judgement.default_criteria else "",
    )


def reason_url(reason: DecisionReason, evaluation: Evaluation) -> str:
    """Where more is said about a reason."""
    if reason.code in ("outage", "incident"):
        found = (incident for incident in evaluation.judgement.incidents if incident.id == reason.subject)
        return next(map(incident_url, found), "/")
    if reason.code in ("route_regression", "routes_pending"):
        window = evaluation.window
        times = {"from": format_time(window.start), "to": format_time(window.end)}
        route = {"route": reason.subject} if reason.subject else {}
        return "/endpoints?" + urlencode(route | times)
    if reason.code in ("gate_regression", "regression", "undecided", "inconclusive"):
        phase = {"phase": evaluation.phase.window.start} if evaluation.phase and evaluation.is_over else {}
        return "/parity?" + urlencode({"criterion": reason.subject} | phase)
    return "/"


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
