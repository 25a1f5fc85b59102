"""The Live page's line on deployments: how the services stand, what runs, whether one could start, and whether all traffic could be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st
from markupsafe import Markup

from analysis.deployments.health import deployment_issues, stage_started_at
from analysis.deployments.preflight import Preflight, preflights
from analysis.deployments.rollback import FleetLoad, RollbackReadiness, rollback_readiness
from domain import FLEETS, FleetName, Migration, Traffic
from domain.deployments import Deployment, DeploymentState, EcsService, traffic_shift
from domain.traffic import blue_green_blocked
from messages import deployments as words
from messages import times
from messages import traffic as traffic_words
from messages.errors import sources
from services import rollback
from ui.app_context import AppContext

MAX_STATE_AGE_S = 300  # read once a minute


@dataclass(frozen=True, slots=True)
class DeploymentsView:
    """How everything stands, and what follows from it. `standing` is None where nobody has told yet."""

    state: DeploymentState | None
    preflights: tuple[Preflight, ...]
    rollback: RollbackReadiness | None


def deployments_view(app: AppContext, source: str, traffic: Traffic | None, *, until: int) -> DeploymentsView:
    """From the archive alone; `until` is a settled minute (epoch seconds)."""
    standing = app.archive.events.deployment_state()
    if traffic is None:
        return DeploymentsView(standing, (), None)
    carried = _cached_loads(app, source, until, app.archive.change_counter(source))
    return DeploymentsView(standing, preflights(traffic, standing), rollback_readiness(traffic, carried))


@st.cache_resource(max_entries=8, ttl=timedelta(minutes=5), show_spinner=False)
def _cached_loads(_app: AppContext, source: str, until: int, change_counter: int) -> FleetLoad:
    proven = rollback.max_load_per_target(_app.archive, _app.migration, source, until=until)
    return rollback.fleet_load(_app.archive, source, until=until, max_load=proven)


def deployments_section(app: AppContext, source: str, traffic: Traffic | None, now: datetime, *, until: int) -> None:
    """One line a service, a sentence each on starting a deployment and on taking the traffic back, and the rest for whoever opens it."""
    migration = app.migration
    asked = migration.demo or migration.aws is not None  # without AWS nobody can tell of what is named there
    named = [
        fleet
        for fleet in FLEETS
        if asked and (migration.fleets[fleet].ecs_service or migration.fleets[fleet].codedeploy)
    ]
    view = deployments_view(app, source, traffic, until=until)
    parts = [_service_line(migration, view.state, fleet, now) for fleet in named]
    facts = [*(_preflight_sentence(found) for found in view.preflights)]
    if named and not view.preflights and traffic and blue_green_blocked(traffic).blocked:
        sentence = traffic_words.blue_green(blue_green_blocked(traffic))
        facts.append(Markup("<span class='remark'>⚠ {}</span>").format(sentence))
    if view.rollback and (named or view.rollback.verdict != "ready"):
        facts.append(_rollback_sentence(view.rollback, migration))
    if not parts and not facts:
        return
    section = Markup("<section class='deployments' aria-label='{}'>{}<div class='facts'>{}</div></section>").format(
        words.TITLE(), Markup("").join(parts), Markup("").join(facts)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch"):
            st.html(section)
        opened = st.popover(words.COMMANDS_TITLE(), type="tertiary", key="deployment_commands", on_change="rerun")
    if opened.open:
        with opened:
            _details(migration, view, now)


def _service_line(migration: Migration, state: DeploymentState | None, fleet: FleetName, now: datetime) -> Markup:
    """A service's line, its traffic shift while one is under way, and what is the matter with it."""
    service, latest = (state.service(fleet), state.latest(fleet)) if state else (None, None)
    if state is None or (service is None and latest is None):
        return Markup("<div class='line'><b>{}</b><span>{}</span></div>").format(
            words.TITLE(), words.state_unknown(fleet, migration)
        )
    now_s = int(now.timestamp())
    said: list[str | Markup] = []
    if service:
        short = service.running < service.desired
        said += [
            _linked(service.name, service.link),
            Markup("<span class='{}'>{}</span>").format("warn" if short else "", words.counts(service)),
            Markup("<span title='{}'>{}</span>").format(words.images(service), words.task_definition(service)),
            words.strategy(service.strategy),
            words.rollout(service),
        ]
    if latest:
        began = stage_started_at(latest) if latest.running else latest.ended or latest.created
        text = words.latest(latest, age=times.ago(datetime.fromtimestamp(began, UTC), now=now))
        said.append(_linked(text, latest.link))
    if now_s - state.asked_at > MAX_STATE_AGE_S:
        age = times.ago(datetime.fromtimestamp(state.asked_at, UTC), now=now)
        said.append(Markup("<span class='warn'>{}</span>").format(words.read_age(age)))
    line = Markup("").join(Markup("<span>{}</span>").format(one) for one in said if one)
    wrong = Markup("").join(
        Markup("<div class='bad'>⚠ {}</div>").format(
            sources.shorten(
                words.deployment_issue(one, service, latest, stage_s=now_s - stage_started_at(latest) if latest else 0),
                600,
            )
        )
        for one in deployment_issues(service, latest, now=now_s)
    )
    return Markup("<div class='line'><b>{}</b>{}</div>{}{}").format(
        words.TITLE(), line, _shift_bar(service, latest), wrong
    )


def _linked(text: str, link: str) -> Markup:
    if not link:
        return Markup("{}").format(text)
    return Markup("<a href='{}' target='_blank' rel='noopener'>{} ↗</a>").format(link, text)


def _shift_bar(service: EcsService | None, deployment: Deployment | None) -> Markup:
    """How far the traffic of a running deployment has moved, as one bar: the tasks before, then the new ones."""
    parts = traffic_shift(service, deployment) if deployment and deployment.running else ()
    if not parts:
        return Markup("")
    bar = Markup("").join(
        Markup("<i class='{}' style='width:{:.2f}%'></i>").format("new" if part.new else "old", part.percent)
        for part in parts
    )
    told = " → ".join(words.shift_part(part.target_group, part.task_definition, part.percent) for part in parts)
    return Markup(
        "<div class='shift' role='img' aria-label='{}'><div class='bar'>{}</div><span>{}: {}</span></div>"
    ).format(f"{words.TRAFFIC_SHIFT_TITLE()}: {told}", bar, words.TRAFFIC_SHIFT_TITLE(), told)


def _preflight_sentence(preflight: Preflight) -> Markup:
    blocked = preflight.verdict == "blocked"
    mark = {"ready": "✓", "blocked": "⚠", "unknown": "?"}[preflight.verdict]
    return Markup("<span class='{}'>{} {}</span>").format("remark" if blocked else "", mark, words.preflight(preflight))


def _rollback_sentence(readiness: RollbackReadiness, migration: Migration) -> Markup:
    looks = {"ready": ("", "✓"), "unproven": ("remark", "⚠"), "impossible": ("bad", "⚠"), "unknown": ("", "?")}
    kind, mark = looks[readiness.verdict]
    return Markup("<span class='{}'>{} {}</span>").format(kind, mark, words.rollback_readiness(readiness, migration))


def _details(migration: Migration, view: DeploymentsView, now: datetime) -> None:
    """The commands to copy, what was checked, the stages, and what the service said of itself."""
    commands: list[tuple[str, str]] = []
    for found in view.preflights:
        commands += [(words.purpose(step.purpose), step.command) for step in found.steps]
    if view.rollback and view.rollback.reason not in ("all_there", "not_in_rule"):
        commands.append((words.rollback_command_title(migration), view.rollback.command))
    if commands:
        ways = [words.NEVER_RUN(), *(words.commands_intro(found, migration) for found in view.preflights)]
        st.html(Markup("<p class='note'>{}</p>").format(" ".join(way for way in ways if way)))
    for title, command in commands:
        st.html(Markup("<h3 class='step'>{}</h3>").format(title))
        if command:
            st.code(command, language="bash", wrap_lines=True)
        else:
            st.html(Markup("<p class='note'>{}</p>").format(words.COMMAND_NOT_AVAILABLE()))
    for found in view.preflights:
        st.html(_findings_table(found))
    for service in view.state.services if view.state else ():
        latest = view.state.latest(service.fleet) if view.state else None
        if latest and latest.stages:
            st.html(_plain_table(words.stages_title(latest), _stage_rows(latest, migration, now)))
        rows = [(_clock(one.ts, migration, now), sources.shorten(one.text, 400)) for one in service.events]
        if rows:
            st.html(_plain_table(words.messages_title(service), rows))


def _findings_table(preflight: Preflight) -> Markup:
    marks = {True: "✓", False: "✗", None: "?"}
    rows = [(marks[one.passed], words.finding(one, preflight)) for one in preflight.checks]
    return _plain_table(words.preflight(preflight), [*rows, ("", words.basis(preflight))])


def _stage_rows(deployment: Deployment, migration: Migration, now: datetime) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for stage in deployment.stages:
        began = _clock(stage.began, migration, now) if stage.began else ""
        took = times.duration(stage.ended - stage.began) if stage.began and stage.ended else ""
        rows.append((stage.name, stage.status, began, took))
    return rows


def _clock(ts: int, migration: Migration, now: datetime) -> str:
    return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)


def _plain_table(title: str, rows: Sequence[tuple[str, ...]]) -> Markup:
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in rows
    )
    return Markup("<h3 class='step'>{}</h3><table class='plain'>{}</table>").format(title, body)
