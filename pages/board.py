"""The board: one line for each of several migrations, or for each release of a service, with links to its pages."""

from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from domain import utc_now
from messages import board as text
from messages import times
from messages.errors import config
from messages.live import ARCHIVE_ERROR
from reports.templating import render as render_partial
from sources.aws import codedeploy, ecs
from sources.demo import deployments
from sources.demo.sources import demo_migration
from ui import layout
from ui.app_context import AppContext, AppContexts, get_app_context, open_contexts
from ui.board.releases import release_line
from ui.board.view import URGENT, board_line
from ui.controls import query_params
from ui.language import fragment
from ui.sources import outage_strip, source_line, sources_table

DEPLOYMENT_SOURCES = (ecs.SOURCE, codedeploy.SOURCE, deployments.SOURCE)
REFRESH_S = 5  # a row is read in the background, several a second


def render() -> None:
    contexts = open_contexts()
    st.html(Markup("<h1 class='page-title hidden'>{}</h1>").format(text.BOARD_TITLE))
    slug = query_params().get("migration")
    if slug and slug not in contexts.by_slug:  # a link to the board in a new tab has the migration of its page
        layout.warning(text.no_such_migration(slug))
    fragment(partial(_content, contexts), run_every=REFRESH_S)
    for error in contexts.errors:
        layout.error_page(f"{text.NOT_RUNNING} ({error.path})", map(config.format_config_issue, error.issues))


def _content(contexts: AppContexts) -> None:
    now, rows = utc_now(), contexts.board.rows()
    lines = [board_line(app, rows.get(slug), now) for slug, app in contexts.by_slug.items()]
    decisions = [line.evaluation.decision.decision for line in lines if line.evaluation]
    summary = text.summary(len(lines), sum(decision in URGENT for decision in decisions))
    st.html(render_partial("board.table", title=summary, rows=sorted(lines, key=lambda line: line.urgency)))


def render_releases() -> None:
    """The releases of the page's migration."""
    app = get_app_context()
    layout.page_title(app.migration, str(text.RELEASES_TITLE))
    layout.demo_banner(app.migration, _demo_text() if app.migration.demo else "")
    fragment(_releases, run_every=REFRESH_S)


def _demo_text() -> Markup:
    migration = demo_migration()
    link = Markup("<a href='/?migration={}' target='_self'>{}</a>").format(migration.slug, migration.name)
    return Markup(" {} {}").format(text.RELEASES_DEMO, link)


def _releases() -> None:
    app, now = get_app_context(), utc_now()
    with layout.archive_state(app.migration, app.archive, str(ARCHIVE_ERROR)):
        outage_strip(app, None, now=now)
        rows = app.release_board.rows()
        by_id = {deployment.id: deployment for deployment in app.archive.events.deployments()}
        lines = [release_line(app.migration, release, row, by_id.get(release.id), now=now) for release, row in rows]
        service = app.migration.fleets[app.migration.release_fleet].ecs_service
        if lines:
            st.html(render_partial("board.releases", title=text.releases_summary(service, len(lines)), rows=lines))
        else:
            _no_releases(app, service, now)


def _no_releases(app: AppContext, service: str, now: datetime) -> None:
    """Whether there was none, or whether they could not be read."""
    names = [events.name for events in app.sources.events if events.name in DEPLOYMENT_SOURCES]
    problems = [state for state in app.source_states() if state.source in names and state.problems]
    covered = [app.archive.events.covered(name) for name in names]
    if all(covered) and names and not problems:
        start = max(min(window.start for window in windows) for windows in covered)
        since = times.date(datetime.fromtimestamp(start, UTC), app.migration.zone, now=now)
        layout.empty_state(text.no_releases(service, since))
        return
    layout.empty_state(str(text.NO_SERVICE))
    if problems:
        st.html(sources_table("", [source_line(state, now) for state in problems], ""))
