"""The rollback: whether the baseline could take all of the traffic, and the command that sends it there."""

from datetime import datetime, timedelta

import streamlit as st

from analysis.deployments.rollback import FleetLoad, RollbackReadiness
from domain import Migration, Traffic
from messages import deployments as text
from messages import hero
from reports.templating import render
from services.deployments import DeploymentsView, deployments_view
from services.rollback import fleet_load
from ui.app_context import AppContext, cached_view
from ui.layout import note

NO_COMMAND_REASONS = ("all_on_baseline", "not_in_rule")


def read_deployments(
    app: AppContext, source: str, weights: Traffic | None, *, until: int, now: datetime
) -> DeploymentsView:
    """The deployments and the readiness for a rollback. `until`: a final minute (epoch seconds). Raises ArchiveError."""
    load = _load(app, source, until) if weights else None
    return deployments_view(
        app.migration, app.archive.events.deployment_state(), weights, load, now=int(now.timestamp())
    )


def _load(app: AppContext, source: str, until: int) -> FleetLoad:
    def read() -> FleetLoad:
        return _cached_load(app, source, until, app.archive.change_counter(source))

    return app.archive.last_view("load", source, None, read)


@cached_view(max_entries=8, ttl=timedelta(minutes=5))
def _cached_load(app: AppContext, source: str, until: int, change_counter: int) -> FleetLoad:
    return fleet_load(app.archive, app.migration, source, until=until)


def rollback_popover(migration: Migration, readiness: RollbackReadiness | None, *, is_urgent: bool) -> None:
    """A button that opens the command, which a refresh does not close. Disabled without a command."""
    popover = st.popover(
        str(hero.ROLLBACK),
        type="primary" if is_urgent else "secondary",
        key="rollback",
        on_change="rerun",
        disabled=readiness is None or readiness.reason in NO_COMMAND_REASONS,
    )
    if popover.open and readiness:
        with popover:
            rollback_command(migration, readiness)


def rollback_command(migration: Migration, readiness: RollbackReadiness) -> None:
    note(text.rollback_readiness(readiness, migration))
    command_to_copy(text.rollback_command_title(readiness, migration), readiness.command)
    note(str(text.NEVER_RUN))


def command_to_copy(title: str, command: str) -> None:
    """A command with its purpose; "" if it cannot be given."""
    st.html(render("deployments.step", title=title))
    if command:
        st.code(command, language="bash", wrap_lines=True)
    else:
        note(str(text.COMMAND_NOT_AVAILABLE))
