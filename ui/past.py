"""What happened in a range or a phase of the past, in place of the decision of now."""

import streamlit as st
from markupsafe import Markup

from analysis.parity.incidents import Incident
from domain import FleetName, Migration
from domain.decision import DecisionReason
from messages import decision, verdicts
from messages import hero as hero_text
from messages import past as text
from reports.judgement_json import shown_reasons
from reports.templating import render
from services.evaluation import Evaluation
from ui.decision import incident_url, reason_url
from ui.favicon import favicon
from ui.hero import MAX_HIDDEN_REASONS, MAX_REASONS, about_phase, budget_chips, criteria_chips, routes_chip
from ui.verdicts import TONES


def past_hero(evaluation: Evaluation, *, note: str = "") -> Markup:
    """What happened, with the outcome of a phase; other incidents and regressed routes as links; a chip for each criterion and the routes."""
    css, sign, sentence = finding(evaluation)
    phase, has_data = evaluation.phase, evaluation.data_until is not None
    more = _more_findings(evaluation)
    return render(
        "hero.hero",
        css=f"past {css}",
        sign=sign,
        word=sentence,
        summary=decision.OUTCOMES[phase.outcome] if phase else "",
        reasons=more[:MAX_REASONS],
        hidden_reasons=more[MAX_REASONS : MAX_REASONS + MAX_HIDDEN_REASONS],
        more=decision.more(len(more) - MAX_REASONS),
        about=about_phase(evaluation) if phase else "",
        chips=[
            *criteria_chips(evaluation),
            routes_chip(evaluation, reason_url(DecisionReason("routes_pending"), evaluation)),
            *budget_chips(evaluation),
        ]
        if has_data
        else [],
        traffic="",
        note=" ".join(filter(None, (_not_judged(evaluation), note))) if has_data else "",
    )


def finding(evaluation: Evaluation) -> tuple[str, str, str]:
    """What happened: the CSS class of its tone, its sign, and a short sentence."""
    judgement = evaluation.judgement
    if evaluation.data_until is None:
        return "note", verdicts.SIGNS["not enough data"], str(text.NO_DATA)
    if found := incidents_by_weight(evaluation):
        tone = "warn" if found[0].own == "baseline" else "bad"
        return tone, verdicts.SIGNS["regression"], text.incident(found[0], evaluation.labels, evaluation.zone)
    if evaluation.phase and evaluation.phase.is_one_sided:
        fleet: FleetName = "canary" if evaluation.phase.canary_share else "baseline"
        return "note", verdicts.SIGNS["not enough data"], text.one_sided(evaluation.labels[fleet])
    verdict, sentence = text.verdict(judgement, evaluation.outcome)
    return TONES[verdict], verdicts.SIGNS[verdict], sentence


def _not_judged(evaluation: Evaluation) -> str:
    """Beside an incident: why criteria have too little data."""
    results = [item for item in evaluation.judgement.criteria if item.verdict == "not enough data"]
    reasons = dict.fromkeys(text.why_not_judged(item, evaluation.labels) for item in results)
    return text.not_judged(reasons) if reasons and evaluation.judgement.incidents else ""


def incidents_by_weight(evaluation: Evaluation) -> list[Incident]:
    """Those of the canary alone first, then by excess errors."""
    weight = {"canary": 0, None: 1, "baseline": 2}
    return sorted(evaluation.judgement.incidents, key=lambda item: (weight[item.own], -(item.excess or 0)))


def show_past_in_tab(migration: Migration, about: str, sentence: str, page: str = "") -> None:
    """`about`: the range or the phase; `sentence`: what happened in it. The icon is the mark, as no decision is shown."""
    st.set_page_config(
        page_title=hero_text.page_title(f"{about} · {sentence}", page, migration.name), page_icon=favicon()
    )


def _more_findings(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Sentences and their URLs."""
    incidents = [
        (text.incident(item, evaluation.labels, evaluation.zone), incident_url(item))
        for item in incidents_by_weight(evaluation)[1:]
    ]
    routes = [
        (sentence, reason_url(reason, evaluation))
        for sentence, reason in shown_reasons(evaluation).items()
        if reason.code == "route_regression"
    ]
    return incidents + routes
