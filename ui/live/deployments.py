"""The Live page's line on deployments: how the services stand, what runs, whether one could start, and whether all traffic could be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import streamlit as st
from markupsafe import Markup

from analysis.deployments.health import stage_began, troubles
from analysis.deployments.preflight import Preflight, preflights
from analysis.deployments.rollback import Loads, TakeBack, take_back
from domain import FLEETS, FleetName, Migration, Traffic
from domain.deployments import Deployment, Service, Standing, traffic_shift
from domain.traffic import blue_green_blocked
from messages import deployments as words
from messages import times
from messages import traffic as traffic_words
from messages.errors import sources
from services import rollback
from ui.app_context import House

OLD_S = 300  # read once a minute


@dataclass(frozen=True, slots=True)
class DeploymentsView:
    """How everything stands, and what follows from it. `standing` is None where nobody has told yet."""

    standing: Standing | None
    preflights: tuple[Preflight, ...]
    take_back: TakeBack | None


def deployments_view(house: House, source: str, traffic: Traffic | None, *, until: int) -> DeploymentsView:
    """From the archive alone; `until` is a settled minute (epoch seconds)."""
    standing = house.archive.standing()
    if traffic is None:
        return DeploymentsView(standing, (), None)
    carried = _loads(house, source, until, house.archive.revision(source))
    return DeploymentsView(standing, preflights(traffic, standing), take_back(traffic, carried))


@st.cache_resource(max_entries=8, ttl=timedelta(minutes=5), show_spinner=False)
def _loads(_house: House, source: str, until: int, revision: int) -> Loads:
    proven = rollback.proven(_house.archive, _house.migration, source, until=until)
    return rollback.loads(_house.archive, source, until=until, proven=proven)


def deployments(house: House, source: str, traffic: Traffic | None, now: datetime, *, until: int) -> None:
    """One line a service, a sentence each on starting a deployment and on taking the traffic back, and the rest for whoever opens it."""
    migration = house.migration
    asked = migration.demo or migration.aws is not None  # without AWS nobody can tell of what is named there
    named = [
        fleet
        for fleet in FLEETS
        if asked and (migration.fleets[fleet].ecs_service or migration.fleets[fleet].codedeploy)
    ]
    view = deployments_view(house, source, traffic, until=until)
    parts = [_service(migration, view.standing, fleet, now) for fleet in named]
    facts = [*(_preflight(found) for found in view.preflights)]
    if named and not view.preflights and traffic and blue_green_blocked(traffic).blocked:
        sentence = traffic_words.blue_green(blue_green_blocked(traffic))
        facts.append(Markup("<span class='remark'>⚠ {}</span>").format(sentence))
    if view.take_back and (named or view.take_back.verdict != "ready"):
        facts.append(_take_back(view.take_back, migration))
    if not parts and not facts:
        return
    section = Markup("<section class='deployments' aria-label='{}'>{}<div class='facts'>{}</div></section>").format(
        words.title(), Markup("").join(parts), Markup("").join(facts)
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch"):
            st.html(section)
        opened = st.popover(words.commands_title(), type="tertiary", key="deployment_commands", on_change="rerun")
    if opened.open:
        with opened:
            _more(migration, view, now)


def _service(migration: Migration, standing: Standing | None, fleet: FleetName, now: datetime) -> Markup:
    """A service's line, its traffic shift while one is under way, and what is the matter with it."""
    service, latest = (standing.service(fleet), standing.latest(fleet)) if standing else (None, None)
    if standing is None or (service is None and latest is None):
        return Markup("<div class='line'><b>{}</b><span>{}</span></div>").format(
            words.title(), words.not_read(fleet, migration)
        )
    now_s = int(now.timestamp())
    said: list[str | Markup] = []
    if service:
        short = service.running < service.desired
        said += [
            _linked(service.name, service.link),
            Markup("<span class='{}'>{}</span>").format("warn" if short else "", words.counts(service)),
            Markup("<span title='{}'>{}</span>").format(words.images(service), words.definition(service)),
            words.strategy(service.strategy),
            words.rollout(service),
        ]
    if latest:
        began = stage_began(latest) if latest.running else latest.ended or latest.created
        text = words.latest(latest, age=times.ago(datetime.fromtimestamp(began, UTC), now=now))
        said.append(_linked(text, latest.link))
    if now_s - standing.asked_at > OLD_S:
        age = times.ago(datetime.fromtimestamp(standing.asked_at, UTC), now=now)
        said.append(Markup("<span class='warn'>{}</span>").format(words.last_seen(age)))
    line = Markup("").join(Markup("<span>{}</span>").format(one) for one in said if one)
    wrong = Markup("").join(
        Markup("<div class='bad'>⚠ {}</div>").format(
            sources.shortened(
                words.trouble(one, service, latest, stage_s=now_s - stage_began(latest) if latest else 0), 600
            )
        )
        for one in troubles(service, latest, now=now_s)
    )
    return Markup("<div class='line'><b>{}</b>{}</div>{}{}").format(words.title(), line, _shift(service, latest), wrong)


def _linked(text: str, link: str) -> Markup:
    if not link:
        return Markup("{}").format(text)
    return Markup("<a href='{}' target='_blank' rel='noopener'>{} ↗</a>").format(link, text)


def _shift(service: Service | None, deployment: Deployment | None) -> Markup:
    """How far the traffic of a running deployment has moved, as one bar: the tasks before, then the new ones."""
    parts = traffic_shift(service, deployment) if deployment and deployment.running else ()
    if not parts:
        return Markup("")
    bar = Markup("").join(
        Markup("<i class='{}' style='width:{:.2f}%'></i>").format("new" if part.new else "old", part.percent)
        for part in parts
    )
    told = " → ".join(words.shift(part.target_group, part.task_definition, part.percent) for part in parts)
    return Markup(
        "<div class='shift' role='img' aria-label='{}'><div class='bar'>{}</div><span>{}: {}</span></div>"
    ).format(f"{words.shift_title()}: {told}", bar, words.shift_title(), told)


def _preflight(found: Preflight) -> Markup:
    blocked = found.verdict == "blocked"
    mark = {"ready": "✓", "blocked": "⚠", "unknown": "?"}[found.verdict]
    return Markup("<span class='{}'>{} {}</span>").format("remark" if blocked else "", mark, words.preflight(found))


def _take_back(found: TakeBack, migration: Migration) -> Markup:
    looks = {"ready": ("", "✓"), "unproven": ("remark", "⚠"), "impossible": ("bad", "⚠"), "unknown": ("", "?")}
    kind, mark = looks[found.verdict]
    return Markup("<span class='{}'>{} {}</span>").format(kind, mark, words.take_back(found, migration))


def _more(migration: Migration, view: DeploymentsView, now: datetime) -> None:
    """The commands to copy, what was checked, the stages, and what the service said of itself."""
    commands: list[tuple[str, str]] = []
    for found in view.preflights:
        commands += [(words.purpose(step.purpose), step.text) for step in found.steps]
    if view.take_back and view.take_back.reason not in ("all_there", "not_in_rule"):
        commands.append((words.take_back_purpose(migration), view.take_back.command))
    if commands:
        ways = [words.never_run(), *(words.way(found, migration) for found in view.preflights)]
        st.html(Markup("<p class='note'>{}</p>").format(" ".join(way for way in ways if way)))
    for title, command in commands:
        st.html(Markup("<h3 class='step'>{}</h3>").format(title))
        if command:
            st.code(command, language="bash", wrap_lines=True)
        else:
            st.html(Markup("<p class='note'>{}</p>").format(words.not_told()))
    for found in view.preflights:
        st.html(_checks(found))
    for service in view.standing.services if view.standing else ():
        latest = view.standing.latest(service.fleet) if view.standing else None
        if latest and latest.stages:
            st.html(_table(words.stages_title(latest), _stage_rows(latest, migration, now)))
        rows = [(_clock(one.ts, migration, now), sources.shortened(one.text, 400)) for one in service.messages]
        if rows:
            st.html(_table(words.messages_title(service), rows))


def _checks(found: Preflight) -> Markup:
    marks = {True: "✓", False: "✗", None: "?"}
    rows = [(marks[one.holds], words.finding(one, found)) for one in found.findings]
    return _table(words.preflight(found), [*rows, ("", words.basis(found))])


def _stage_rows(deployment: Deployment, migration: Migration, now: datetime) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for stage in deployment.stages:
        began = _clock(stage.began, migration, now) if stage.began else ""
        took = times.duration(stage.ended - stage.began) if stage.began and stage.ended else ""
        rows.append((stage.name, stage.status, began, took))
    return rows


def _clock(ts: int, migration: Migration, now: datetime) -> str:
    return times.clock(datetime.fromtimestamp(ts, UTC), migration.zone, now=now)


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> Markup:
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row))
        for row in rows
    )
    return Markup("<h3 class='step'>{}</h3><table class='plain'>{}</table>").format(title, body)
