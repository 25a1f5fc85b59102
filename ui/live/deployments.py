"""Deployments on the Live page: the services, what is being deployed, and whether a deployment or a rollback could start."""

from datetime import datetime

import streamlit as st
from markupsafe import Markup

from analysis.deployments.health import stage_started_at
from analysis.deployments.preflight import Preflight
from domain import FleetName, Migration, Traffic
from domain.deployments import Deployment, DeploymentState, traffic_shift
from domain.traffic import blue_green_blocked
from messages import deployments as text
from messages import hero, times, traffic
from messages.errors.sources import shorten
from reports.templating import render
from services.deployments import DeploymentsView, configured_fleets, fleet_deployment
from ui.app_context import AppContext
from ui.layout import format_ago, format_clock, note
from ui.live.traffic import Fact
from ui.rollback import command_to_copy

MAX_STATE_AGE_S = 300  # read once a minute
MAX_ISSUE_CHARS, MAX_EVENT_CHARS = 600, 400


def deployments_section(app: AppContext, view: DeploymentsView, weights: Traffic | None, now: datetime) -> None:
    """One line per service, a sentence each on deployment and rollback, and a popover with the steps of a deployment and details."""
    migration = app.migration
    fleets = configured_fleets(migration)
    lines = [_service_line(migration, view.state, fleet, now) for fleet in fleets]
    facts = [_preflight_fact(preflight) for preflight in view.preflights]
    if fleets and not view.preflights and weights and blue_green_blocked(weights).blocked:
        facts.append(("", f"⚠ {traffic.blue_green(blue_green_blocked(weights))}"))
    if view.rollback and (fleets or view.rollback.verdict != "ready"):
        css, sign = {"ready": ("", "✓"), "unproven": ("remark", "⚠"), "impossible": ("bad", "⚠"), "unknown": ("", "?")}[
            view.rollback.verdict
        ]
        facts.append((css, f"{sign} {text.rollback_readiness(view.rollback, migration)}"))
    if not lines and not facts:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch"):
            st.html(render("deployments.section", lines=lines, items=facts))
        popover = st.popover(str(hero.DEPLOYMENT_STEPS), type="tertiary", key="deployment_steps", on_change="rerun")
    if popover.open:
        with popover:
            _commands(migration, view)
            _details(migration, view, now)


def _service_line(migration: Migration, state: DeploymentState | None, fleet: FleetName, now: datetime) -> Markup:
    """A service, its newest deployment with the traffic shift, and their issues."""
    item = fleet_deployment(state, fleet, now=int(now.timestamp())) if state else None
    if state is None or item is None:
        return render("deployments.unknown", sentence=text.state_unknown(fleet, migration))
    service, latest = item.service, item.deployment
    sentence = ""
    if latest:
        ts = stage_started_at(latest) if latest.running else latest.ended or latest.created
        sentence = text.latest(latest, age=format_ago(ts, now))
    # A wait has a line of its own, above the charts.
    issues = (
        text.deployment_issue(issue, service, latest, stage_s=item.stage_s) for issue in item.issues if issue != "waits"
    )
    is_old = now.timestamp() - state.asked_at > MAX_STATE_AGE_S
    return render(
        "deployments.line",
        item=item,
        latest=sentence,
        age=text.read_age(format_ago(state.asked_at, now)) if is_old else "",
        shift=traffic_shift(service, latest) if latest and latest.running else (),
        issues=[shorten(issue, MAX_ISSUE_CHARS) for issue in issues],
    )


def _preflight_fact(preflight: Preflight) -> Fact:
    sign = {"ready": "✓", "blocked": "⚠", "unknown": "?"}[preflight.verdict]
    return "", f"{sign} {text.preflight(preflight)}"


def _commands(migration: Migration, view: DeploymentsView) -> None:
    """The commands of a deployment to copy, each with its purpose."""
    steps = [step for preflight in view.preflights for step in preflight.steps]
    if steps:
        intros = (text.commands_intro(preflight, migration) for preflight in view.preflights)
        note(" ".join([str(text.NEVER_RUN), *filter(None, intros)]))
    for step in steps:
        command_to_copy(str(text.PURPOSES[step.purpose]), step.command)


def _details(migration: Migration, view: DeploymentsView, now: datetime) -> None:
    """The checks, the stages of the newest deployments, and the services' own events."""
    signs = {True: "✓", False: "✗", None: "?"}
    for preflight in view.preflights:
        rows = [(signs[check.passed], text.finding(check)) for check in preflight.checks]
        st.html(render("deployments.table", title=text.preflight(preflight), rows=[*rows, ("", text.basis(preflight))]))
    for service in view.state.services if view.state else ():
        latest = view.state.latest(service.fleet) if view.state else None
        if latest and latest.stages:
            st.html(
                render("deployments.table", title=text.stages_title(latest), rows=_stage_rows(latest, migration, now))
            )
        if service.events:
            events = [
                (format_clock(event.ts, migration, now), shorten(event.text, MAX_EVENT_CHARS))
                for event in service.events
            ]
            st.html(render("deployments.table", title=text.messages_title(service), rows=events))


def _stage_rows(deployment: Deployment, migration: Migration, now: datetime) -> list[tuple[str, ...]]:
    return [
        (
            stage.name,
            stage.status,
            format_clock(stage.began, migration, now) if stage.began else "",
            times.duration(stage.ended - stage.began) if stage.began and stage.ended else "",
        )
        for stage in deployment.stages
    ]
