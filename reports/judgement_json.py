"""Evaluations and problems as JSON, for `judge` and for the evidence file. docs/cli.md documents the shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Any

from analysis import ALARM_RULES, CriterionVerdict, Phase
from analysis.parity.context import JudgeContext
from analysis.parity.incidents import Incident
from analysis.retrospective.error_budget import ErrorBudget
from analysis.series.fleet_requests import FleetRequests
from archive import ArchiveProblem
from archive.events.notes import acknowledged_incident
from domain import ConfigIssue, Event, FleetName, Migration, Window
from domain.decision import DecisionReason
from messages import decision, events, fleet_requests, incidents, verdicts
from messages.alarms import sentence
from messages.errors import sources as errors
from messages.errors.sources import Message
from messages.parity import phase_counts, phase_name
from services.alarms import AlarmStatus
from services.csv_judgement import ReplayedMinute
from services.evaluation import Evaluation
from services.incidents import acknowledgements
from services.phases import counted_window
from sources.base import Problem
from sources.csv_import import CsvIssue

SCHEMA = 1


def iso_time(epoch_s: int | None) -> str | None:
    """ "2026-11-23T20:00:00Z"; None also for a time that no calendar has."""
    try:
        return None if epoch_s is None else f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None


def pick(item: object, *names: str) -> dict[str, Any]:
    """Attributes of `item` as JSON."""
    return {name: getattr(item, name) for name in names}


def migration_json(migration: Migration) -> dict[str, Any]:
    return {"migration": migration.name, "demo": migration.demo}


def window_json(window: Window) -> dict[str, str | None]:
    return {"from": iso_time(window.start), "to": iso_time(window.end)}


def event_json(event: Event) -> dict[str, Any]:
    """The title is a text, in the process's language."""
    return {"at": iso_time(event.ts), "kind": event.kind, "title": events.title(event), "open": event.open}


def message_json(message: Message) -> dict[str, str]:
    return {"title": message.title, "text": message.text, "next_step": message.next_step, "docs": message.anchor}


def issue_json(issue: ConfigIssue | CsvIssue, location: str, message: Message) -> dict[str, Any]:
    """`location`: the attribute with the key or the line of the issue."""
    return {**pick(issue, location, "code"), "params": dict(issue.params), **message_json(message)}


def problem_json(problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), **message_json(errors.format_problem(problem))}


def archive_problem_json(problem: ArchiveProblem) -> dict[str, Any]:
    return {
        **pick(problem, "kind", "detail"),
        **dict.fromkeys(("operation", "about"), ""),
        "source": "archive",
        **message_json(errors.format_archive_problem(problem.kind, problem.detail)),
    }


def problems_json(problems: Sequence[Problem], archive_problem: ArchiveProblem | None = None) -> list[dict[str, Any]]:
    archive_problems = [archive_problem_json(archive_problem)] if archive_problem else []
    return [*map(problem_json, problems), *archive_problems]


def alarms_json(alarms: AlarmStatus | None, labels: Mapping[FleetName, str]) -> dict[str, Any]:
    """`alarms`: null if they are not known, or (None) if the judged data is not of now."""
    if alarms is None or not alarms.is_known:
        return {"alarms": None, "alarms_not_known": [] if alarms is None else list(ALARM_RULES)}
    return {
        "alarms": [
            {
                **pick(alarm, "rule", "fleet"),
                "since": iso_time(alarm.start),
                "raised_at": iso_time(alarm.raised_at),
                "sentence": sentence(alarm, labels),
                "values": {fleet: pick(value, "value", "count", "total") for fleet, value in alarm.values.items()},
            }
            for alarm in alarms.alarms
        ],
        "alarms_not_known": list(dict.fromkeys(rule for rule, _fleet in alarms.not_known)),
    }


def decision_headline(evaluation: Evaluation) -> str:
    return decision.headline(evaluation.decision, evaluation.judgement, evaluation.outcome)


def reason_sentences(evaluation: Evaluation) -> list[str]:
    """The reasons of the decision, the weightiest first."""
    return [_sentence(reason, evaluation) for reason in evaluation.decision.reasons]


def shown_reasons(evaluation: Evaluation) -> dict[str, DecisionReason]:
    """The reasons of the decision by their sentences, for a reader: several incidents are one reason, with the last of them.

    Criteria without requests have the same sentence.
    """
    reasons = evaluation.decision.reasons
    of_incidents = [reason for reason in reasons if reason.code == "incident"]
    return {
        _sentence(reason, evaluation, max(len(of_incidents), 1)): reason
        for reason in reasons
        if reason not in of_incidents[:-1]
    }


def _sentence(reason: DecisionReason, evaluation: Evaluation, n: int = 1) -> str:
    return decision.reason(
        reason, evaluation.judgement, evaluation.labels, evaluation.zone, outcome=evaluation.outcome, n=n
    )


def decision_json(evaluation: Evaluation) -> dict[str, Any]:
    """The decision, its reasons by weight, and the incidents of the window."""
    decided, judgement = evaluation.decision, evaluation.judgement
    return {
        "decision": decided.decision,
        "reasons": [
            {**pick(reason, "code", "subject", "minutes"), "sentence": sentence}
            for reason, sentence in zip(decided.reasons, reason_sentences(evaluation), strict=True)
        ],
        "incidents": incidents_json(judgement.incidents, evaluation.circumstances.notes),
    }


def incidents_json(found: Sequence[Incident], notes: Sequence[Event]) -> list[dict[str, Any]]:
    acknowledged = acknowledgements(found, notes)
    return [
        {
            **pick(incident, "id", "kind", "fleets"),
            **window_json(incident.window),
            **pick(incident, "requests", "errors", "uncounted", "excess", "p95_s", "open", "is_outage"),
            "acknowledged_by": note_json(note) if (note := acknowledged.get(incident.id)) else None,
        }
        for incident in found
    ]


def incident_rows(evaluation: Evaluation, *, now: datetime) -> list[tuple[Incident, str, str]]:
    """Each incident, the newest first, with its time and the note that acknowledges it, in words."""
    found = evaluation.judgement.incidents
    acknowledged = acknowledgements(found, evaluation.circumstances.notes)
    return [
        (
            incident,
            incidents.span(incident, evaluation.zone, now=now),
            incidents.acknowledged_by(acknowledged.get(incident.id), evaluation.zone, now=now),
        )
        for incident in reversed(found)
    ]


def note_json(note: Event) -> dict[str, Any]:
    incident = acknowledged_incident(note) or None
    return {"at": iso_time(note.ts), "text": note.title, "author": note.detail, "key": note.key, "incident": incident}


def counts_sentence(evaluation: Evaluation) -> str:
    """The requests and errors of the whole phase, and how much of it was judged; "" if there is no phase."""
    if evaluation.phase is None or evaluation.counts is None:
        return ""
    window = counted_window(evaluation.phase, evaluation.final_until)
    return phase_counts(evaluation.counts, evaluation.judgement, window.minutes, evaluation.labels)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    phase = evaluation.phase
    return {
        "schema": SCHEMA,
        "ok": evaluation.decision.exit_code == 0,
        "exit_code": evaluation.decision.exit_code,
        "verdict": None if evaluation.unavailable else evaluation.judgement.verdict,
        "headline": decision_headline(evaluation),
        **decision_json(evaluation),
        "name": evaluation.name,
        "demo": evaluation.demo,
        "source": evaluation.source,
        "window": window_json(evaluation.window),
        "phase": _phase_json(evaluation, phase) if phase else None,
        "data_until": iso_time(evaluation.data_until),
        **shares_json(evaluation),
        "routes": routes_json(evaluation),
        "fleets": requests_json(evaluation.judgement.fleets, evaluation.labels),
        "context": context_json(evaluation.context),
        "default_criteria": evaluation.judgement.default_criteria,
        **alarms_json(evaluation.alarms, evaluation.labels),
        "criteria": [_criterion_json(evaluation, result) for result in evaluation.judgement.criteria],
        "problems": problems_json(evaluation.problems, evaluation.archive_problem),
    }


def shares_json(evaluation: Evaluation) -> dict[str, dict[FleetName, float]]:
    """The configured and the observed share (0–1) of each fleet; empty if they are not known, and of a phase of the past."""
    of_now, canary = evaluation.circumstances, evaluation.circumstances.observed_share
    if evaluation.is_over:
        return {"configured": {}, "observed": {}}
    observed: dict[FleetName, float] = {} if canary is None else {"baseline": 1 - canary, "canary": canary}
    return {"configured": dict(of_now.configured_shares), "observed": observed}


def routes_json(evaluation: Evaluation) -> dict[str, Any]:
    """Whether the phase's routes were judged, and those that regressed; `regressed`: null without any counted log."""
    regressed = evaluation.circumstances.regressed_routes
    return {"state": evaluation.circumstances.routes, "regressed": None if regressed is None else list(regressed)}


def context_json(context: JudgeContext) -> dict[str, Any]:
    """What the judge was given beside the data; `reports.context_json` reads it."""
    errors, requests = context.usual
    return {
        "configured": [
            {"since": iso_time(since), "share": None if isnan(share) else share} for since, share in context.configured
        ],
        "warm_up": [window_json(part) for part in context.warm_up],
        "counts_503": context.counts_503,
        "scatter": {
            metric: pick(known, "periods", "variance", "long_run", "weight")
            for metric, known in context.scatter.items()
        },
        "usual": {"errors": errors, "requests": requests},
    }


def replayed_minute_json(minute: ReplayedMinute) -> dict[str, Any]:
    return {
        "ts": iso_time(minute.ts),
        **pick(minute, "verdict", "decision"),
        "criteria": [
            {
                **pick(result, "metric", "verdict"),
                "estimate": result.estimate,
                "low": _finite(result.lower),
                "high": _finite(result.upper),
            }
            for result in minute.criteria
        ],
    }


def requests_json(fleets: Sequence[FleetRequests], labels: Mapping[FleetName, str]) -> dict[str, Any]:
    """The requests of each fleet; null unless they are known, with the reason."""
    return {
        requests.fleet: {
            "state": requests.state,
            "requests": requests.count,
            "sentence": None if requests.is_counted else fleet_requests.missing_explained((requests,), labels),
        }
        for requests in fleets
    }


def _phase_json(evaluation: Evaluation, phase: Phase) -> dict[str, Any]:
    number, counts = evaluation.phase_number, evaluation.counts
    return {
        "number": number,
        "name": None if number is None else phase_name(phase),
        **window_json(phase.window),
        **pick(phase, "canary_share", "started_by", "origin", "outcome"),
        "requests": counts and counts.requests,
        "errors": counts and counts.errors,
        "error_budget": counts and budget_json(counts.budget, counts.errors),
    }


def budget_json(budget: ErrorBudget | None, errors: Mapping[FleetName, int | None]) -> dict[str, Any] | None:
    """The error budget of a phase with its `errors`; null without an SLO."""
    if budget is None:
        return None
    burned = budget.burned(errors)
    return {"slo": str(budget.slo), "errors": budget.errors, "traffic_of_s": budget.covered_s, "burned": burned}


def _criterion_json(evaluation: Evaluation, result: CriterionVerdict) -> dict[str, Any]:
    intervals = pick(result, "estimate", "lower", "upper", "alarm_lower", "alarm_upper", "margin", "margin_lower")
    numbers = intervals | pick(result, "baseline", "canary")
    is_rate = result.criterion.quantity == "rate"
    return {
        **pick(result, "metric", "verdict", "reason"),
        "sentence": verdicts.sentence(result, evaluation.labels),
        **pick(result.criterion, "critical", "watch_only"),
        "source": result.criterion.source,
        "judged_as": "counts" if is_rate else "paired_differences",
        "margin_given": str(result.criterion.margin),
        **{name: _finite(value) for name, value in numbers.items()},
        "events": None if not is_rate else {"baseline": result.baseline_events, "canary": result.canary_events},
        "requests": {"baseline": result.baseline_requests, "canary": result.canary_requests},
        "unexplained": None
        if not is_rate
        else {"baseline": result.baseline_unexplained, "canary": result.canary_unexplained},
        "minutes": result.minutes,
        "excluded": dict(result.excluded or {}),
        **pick(result, "minutes_to_decision", "minutes_to_decision_even", "effective_minutes", "worst_hour_estimate"),
        "changed_at": iso_time(result.changed_at),
        "worst_hour": iso_time(result.worst_hour),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else value
