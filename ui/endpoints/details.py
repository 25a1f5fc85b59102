"""What was answered, and what failed or slow requests have in common: sections of the Endpoints page, and a line for others."""

from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta

from markupsafe import Markup

from analysis.endpoints.answers import ShareRow, SizeRow
from analysis.endpoints.endpoints import JudgedEndpoints
from analysis.endpoints.why import TroubleKind, Why
from analysis.parity.incidents import Incident
from archive.access_logs.store import ACCESS_LOGS
from domain import FleetName, Window
from messages import answers as text
from reports.templating import render
from services.endpoints import RequestFilter
from services.log_details import FAILED_ONLY, LogDetails, log_details, regressed_kinds, why_of
from ui.app_context import AppContext, cached_view
from ui.controls import page_checkpoint
from ui.endpoints.view import logs_cache_key

MAX_INCIDENTS = 3  # that are explained, the newest
MAX_HINTS = 2  # of each


def details_view(
    app: AppContext,
    window: Window,
    filters: RequestFilter,
    endpoints: JudgedEndpoints,
    *,
    counting: bool,
    now: datetime,
) -> LogDetails:
    """The details of a window. Raises ArchiveError."""
    kinds = regressed_kinds(endpoints)

    def read() -> LogDetails:
        key = logs_cache_key(app, window, counting=counting, now=now)
        return _cached_details(app, window, filters, kinds, key)

    return app.archive.last_view("log_details", (filters, kinds), window, read)


@cached_view(max_entries=12, ttl=timedelta(hours=1))
def _cached_details(
    app: AppContext, window: Window, filters: RequestFilter, kinds: tuple[TroubleKind, ...], cache_key: Hashable
) -> LogDetails:
    return log_details(
        app.archive,
        app.migration,
        window,
        filters,
        kinds=kinds or FAILED_ONLY,
        worse="canary" if kinds else None,
        checkpoint=page_checkpoint(),
    )


def why_section(details: LogDetails, labels: Mapping[FleetName, str], *, is_regression: bool) -> Markup:
    """What stands out; without anything, only if a criterion regressed."""
    shown = [why for why in details.why if why.common or is_regression]
    undetailed = text.undetailed(details.undetailed_hours, details.hours) if details.undetailed_hours else ""
    if not shown and not undetailed:
        return Markup("")
    return render("answers.why", items=[_why_item(why, labels) for why in shown], undetailed=undetailed)


def _why_item(why: Why, labels: Mapping[FleetName, str]) -> tuple[object, ...]:
    rows = [text.common_cells(item) for item in why.common]
    zones = str(text.ZONES_UNKNOWN) if "zone" in why.missing else ""
    nothing = str(text.NOTHING_IN_COMMON) if why.is_enough and not rows else ""
    return text.why_subject(why, labels), text.why_head(why, labels), rows, nothing, text.why_note(why), zones


def answers_section(details: LogDetails, route: str, labels: Mapping[FleetName, str]) -> Markup:
    """What one route answered."""
    answers = details.answers.of(route)
    found = [finding.row for finding in answers.findings]
    compared: tuple[SizeRow | ShareRow, ...] = (*answers.sizes, *answers.shares)
    rows = [(text.answer(row), text.answer_cells(row), text.requests(row), row in found) for row in compared]
    sentences = [text.finding(finding, labels) for finding in answers.findings]
    note = str(text.DIFFERS_ON_PURPOSE) if answers.excluded else text.answers_note()
    undetailed = text.undetailed(details.undetailed_hours, details.hours) if details.undetailed_hours else ""
    head = text.answers_head(labels)
    return render("answers.answers", head=head, rows=rows, findings=sentences, note=note, undetailed=undetailed)


def incident_hints(app: AppContext, incidents: tuple[Incident, ...]) -> list[tuple[Incident, list[str]]]:
    """What the failed requests of the newest incidents of one fleet have in common, as far as their logs were counted. Raises ArchiveError."""
    own = [incident for incident in reversed(incidents) if incident.own][:MAX_INCIDENTS]
    key = app.archive.change_counter(ACCESS_LOGS)
    found = []
    for incident in own:
        kind: TroubleKind = "failed" if incident.requests is not None else "slow"
        whys = _cached_why(app, incident.window, kind, incident.own, key)
        hints = [text.common(item) for why in whys for item in why.common[:MAX_HINTS]]
        found += [(incident, hints)] if hints else []
    return found


@cached_view(max_entries=24, ttl=timedelta(hours=1))
def _cached_why(
    app: AppContext, window: Window, kind: TroubleKind, worse: FleetName | None, cache_key: Hashable
) -> tuple[Why, ...]:
    return why_of(app.archive, app.migration, window, (kind,), worse=worse, checkpoint=page_checkpoint())
