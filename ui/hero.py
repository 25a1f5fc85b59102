"""The hero: the decision, why, and what it depends on. One component of the Live and the Parity page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from analysis.deployments.rollback import RollbackReadiness
from domain import Migration
from messages import alarms, decision, deployments, error_budget, live, numbers, outage, parity, states, times, verdicts
from messages import hero as text
from messages.errors.sources import shorten
from messages.i18n import LazyText
from reports.judgement_json import shown_reasons
from reports.templating import render
from services.alarms import AlarmStatus
from services.evaluation import Evaluation
from services.freshness import is_stale, provisional_from
from services.live import TrafficStatus, as_of
from ui.app_context import AppContext
from ui.components import top_line
from ui.decision import reason_url
from ui.favicon import favicon
from ui.layout import format_clock
from ui.live.alarms import alarm_status
from ui.live.traffic import split_bar
from ui.live.view import traffic_view
from ui.rollback import read_deployments, rollback_popover
from ui.verdicts import TONES, criterion_tooltip

MAX_REASONS, MAX_HIDDEN_REASONS = 3, 20
MAX_REASON_CHARS = 240
_CAPACITY = {"ready": ("", "✓"), "unproven": ("warn", "⚠"), "impossible": ("bad", "⚠"), "unknown": ("", "?")}

Fact = tuple[str, str, str]  # CSS class, text, tooltip


@dataclass(frozen=True, slots=True)
class Chip:
    """A subject and how it stands: "error rate ● parity", "routes ▲ 1 regressed". `css`: its tone. On a phone, `value` is hidden."""

    label: LazyText | str
    value: LazyText | str = ""
    css: str = ""
    sign: str = ""
    number: str = ""
    tooltip: LazyText | str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class CurrentStatus:
    """What the hero shows of now beside the evaluation."""

    alarms: AlarmStatus
    traffic: TrafficStatus
    readiness: RollbackReadiness | None


def hero_section(
    app: AppContext, source: str, evaluation: Evaluation, *, now: datetime, refresh_s: int, is_loading: bool = False
) -> None:
    """The hero of the current phase, with the age of the data and the rollback command. Raises ArchiveError.

    `is_loading`: there is no data of the phase yet.
    """
    with st.container(key="hero"):
        data_time = as_of(app.archive, source, now)
        until = provisional_from(app.migration, data_time.timestamp())
        traffic = traffic_view(app, source, until=until)
        readiness = read_deployments(app, source, traffic.traffic, until=until, now=now).rollback
        status = CurrentStatus(alarm_status(app, source, data_time), traffic, readiness)
        bar = split_bar(app, traffic, now, facts=_split_facts(app.migration, status))
        progress = app.collector.progress(source)
        note = live.reading(states.source_name(source), *progress) if progress else ""
        st.html(loading_hero(note, bar) if is_loading else decision_hero(evaluation, status, bar, note=note))
        freshness(app, source, evaluation.data_until, now=now, refresh_s=refresh_s)
        rollback_popover(app.migration, readiness, is_urgent=evaluation.decision.decision == "roll_back")


def decision_hero(evaluation: Evaluation, status: CurrentStatus, traffic: str = "", *, note: str = "") -> Markup:
    """The decision with its reasons as links, the phase, and a chip for each criterion, the routes and the alerts. `status`: of now."""
    judgement, decided = evaluation.judgement, evaluation.decision
    reasons, as_of, about = _reasons(evaluation), _as_of(evaluation), about_phase(evaluation)
    hidden = reasons[MAX_REASONS : MAX_REASONS + MAX_HIDDEN_REASONS]
    return render(
        "hero.hero",
        css=f"{decided.decision} aged" if as_of else decided.decision,
        sign=decision.SIGNS[decided.decision],
        word=decision.WORDS[decided.decision],
        summary=decision.in_short(decided, judgement, evaluation.outcome),
        reasons=reasons[:MAX_REASONS],
        hidden_reasons=hidden,
        more=decision.more(len(reasons) - MAX_REASONS),
        about=" · ".join(filter(None, [as_of, about])),
        chips=[
            *criteria_chips(evaluation),
            routes_chip(evaluation),
            _alerts_chip(evaluation, status),
            *budget_chips(evaluation),
        ],
        traffic=traffic,
        note=" · ".join(filter(None, [str(parity.DEFAULT_CRITERIA) if judgement.default_criteria else "", note])),
    )


def loading_hero(note: str, traffic: str = "") -> Markup:
    """Instead of a decision, while there is no data yet."""
    return render("hero.loading", note=note, traffic=traffic)


def show_in_tab(migration: Migration, evaluation: Evaluation, page: str = "", *, is_loading: bool = False) -> None:
    """Shows the decision in the title and the icon of the browser's tab. `page`: its name, which a title of the start page does not have."""
    if is_loading:
        st.set_page_config(page_title=text.page_title(str(text.LOADING), page, migration.name), page_icon=favicon())
        return
    decided = evaluation.decision
    summary = decision.in_short(decided, evaluation.judgement, evaluation.outcome)
    parts = filter(None, [decision.title(decided), summary, _as_of(evaluation)])
    title = text.page_title(" · ".join(parts), page, migration.name)
    st.set_page_config(page_title=title, page_icon=favicon(decided.decision))


def freshness(app: AppContext, source: str, until: int | None, *, now: datetime, refresh_s: int) -> None:
    """The end of the data (epoch seconds), its age, and the time to the next refresh, which are counted in the browser."""
    top_line(
        {
            **live.top_line(paused=not refresh_s),
            "now": now.timestamp(),
            "data_until": until,
            "until": live.data_until(format_clock(until, app.migration, now)) if until else "",
            "refresh": refresh_s,
            "stale": is_stale(app.migration, source, until, now),
        }
    )


def _as_of(evaluation: Evaluation) -> str:
    """The end of the data that the decision rests on, if a source of it is unavailable."""
    until = evaluation.data_until
    if not evaluation.circumstances.sources_down or until is None:
        return ""
    at = datetime.fromtimestamp(until, UTC)
    return outage.decision_as_of(times.clock(at, evaluation.zone, now=at))


def _reasons(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Sentences and their URLs, the weightiest first. Alarms with their counts."""
    by_subject = {f"{alarm.rule}:{alarm.fleet}": alarm for alarm in evaluation.circumstances.alarms}
    urls: dict[str, str] = {}
    for sentence, reason in shown_reasons(evaluation).items():
        alarm = by_subject.get(reason.subject) if reason.code == "alarm" else None
        shown = alarms.detail(alarm, evaluation.labels) if alarm else sentence
        urls[shorten(shown, MAX_REASON_CHARS)] = reason_url(reason, evaluation)
    return list(urls.items())


def about_phase(evaluation: Evaluation) -> str:
    """ "50:50 for 6h 10m": the weights, and for how long they were judged."""
    phase, window = evaluation.phase, evaluation.window
    ended = times.span(window.starts_at, window.ends_at, evaluation.zone) if phase and phase.is_over else ""
    return parity.about(phase.canary_share if phase else None, evaluation.length_s, ended=ended)


def criteria_chips(evaluation: Evaluation) -> Iterator[Chip]:
    """The verdict on each criterion."""
    for result in evaluation.judgement.criteria:
        yield Chip(
            verdicts.metric(result.criterion),
            verdicts.label(result.verdict),
            TONES[result.verdict],
            verdicts.SIGNS[result.verdict],
            tooltip=criterion_tooltip(result, evaluation.labels, evaluation.zone),
        )


def routes_chip(evaluation: Evaluation, url: str = "/endpoints") -> Chip:
    """The number of regressed routes."""
    regressed = evaluation.circumstances.regressed_routes
    if evaluation.circumstances.routes == "pending" and not regressed:
        return Chip(text.ROUTES, text.ROUTES_PENDING, "note", "◐", tooltip=text.ROUTES_PENDING_EXPLAINED)
    if evaluation.circumstances.routes == "unreadable" and not regressed:
        tooltip = text.ROUTES_UNREADABLE_EXPLAINED
        return Chip(text.ROUTES, text.ROUTES_UNREADABLE, "warn", "⚠", tooltip=tooltip, url="/endpoints")
    return Chip(
        text.ROUTES,
        "" if regressed is None else text.regressed(len(regressed)),
        "bad" if regressed else "note",
        verdicts.SIGNS["regression"] if regressed else "",
        numbers.NONE if regressed is None else numbers.count(len(regressed)),
        text.ROUTES_UNKNOWN if regressed is None else text.ROUTES_EXPLAINED,
        url,
    )


def budget_chips(evaluation: Evaluation) -> Iterator[Chip]:
    """The error budget that the phase burned, if there is an SLO."""
    counts = evaluation.counts_of_judged_phase
    if counts and counts.budget:
        burned = counts.budget.burned(counts.errors)
        css = "warn" if any(share is not None and share >= 1 for share in burned.values()) else "note"
        number = error_budget.burned(burned, evaluation.labels)
        yield Chip(error_budget.TITLE, css=css, number=number, tooltip=error_budget.explained(counts.budget))


def _alerts_chip(evaluation: Evaluation, status: CurrentStatus) -> Chip:
    alerts = [alert.title for alert in evaluation.circumstances.alerts]
    titles = [alarms.title(alarm, evaluation.labels) for alarm in evaluation.circumstances.alarms] + alerts
    if titles:
        tooltip = shorten(" · ".join(titles), MAX_REASON_CHARS)
        return Chip("", text.firing(len(titles)), "bad firing", "✕", tooltip=tooltip)
    if not status.alarms.is_known:
        return Chip(text.ALERTS, text.ALERTS_UNKNOWN, "warn", "?", tooltip=alarms.NOT_KNOWN)
    not_known = status.alarms.not_known
    tooltip = alarms.not_known(rule for rule, _fleet in not_known) if not_known else str(text.ALERTS_NONE)
    return Chip(text.ALERTS, css="note", number=numbers.count(0), tooltip=tooltip)


def _split_facts(migration: Migration, status: CurrentStatus) -> list[Fact]:
    """The capacity for a rollback."""
    readiness = status.readiness
    css, sign = _CAPACITY[readiness.verdict if readiness else "unknown"]
    tooltip = deployments.rollback_readiness(readiness, migration) if readiness else ""
    return [(css, f"{sign} {text.capacity(readiness)}", tooltip)]
