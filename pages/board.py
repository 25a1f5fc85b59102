"""The board: one line for each of several migrations, or for each release of a service, with links to its pages."""

from datetime import UTC, datetime
from functools import partial

import streamlit as st
from markupsafe import Markup

from archive import SourceState
from domain import utc_now
from messages import board as text
from messages import times
from messages.batches import SOURCES_TITLE
from messages.errors import config
from messages.errors.sources import shorten
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
AWAITED_REFRESH_S = 1
MAX_SLUG_CHARS = 120


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


def render_releases(*, awaited: str = "") -> None:
    """The releases of the page's migration. `awaited`: the slug of one in the URL that is not known yet, whose page follows when it is."""
    app = get_app_context()
    layout.page_title(app.migration, str(text.RELEASES_TITLE))
    layout.demo_banner(app.migration, _demo_text() if app.migration.demo else "")
    fragment(partial(_releases, awaited), run_every=AWAITED_REFRESH_S if awaited else REFRESH_S)


def _demo_text() -> Markup:
    migration = demo_migration()
    link = Markup("<a href='/?migration={}' target='_self'>{}</a>").format(migration.slug, migration.name)
    return Markup(" {} {}").format(text.RELEASES_DEMO, link)


def _releases(awaited: str) -> None:
    app, now, contexts = get_app_context(), utc_now(), open_contexts()
    with layout.archive_state(app.migration, app.archive, str(ARCHIVE_ERROR)):
        if awaited and contexts.find(awaited):
            st.rerun()
        service = app.migration.fleets[app.migration.release_fleet].ecs_service
        if awaited:
            layout.warning(_awaited_note(app, awaited, service))
        outage_strip(app, None, now=now)
        rows = app.release_board.rows()
        by_id = {deployment.id: deployment for deployment in app.archive.events.deployments()}
        not_followed = contexts.releases.not_followed
        lines = [
            release_line(
                app.migration,
                release,
                row,
                by_id.get(release.id),
                now=now,
                is_followed=release.slug not in not_followed,
            )
            for release, row in rows
        ]
        if lines:
            st.html(render_partial("board.releases", title=text.releases_summary(service, len(lines)), rows=lines))
        else:
            _no_releases(app, service, now)
        if problems := [state for state in app.source_states() if state.problems]:
            st.html(sources_table(str(SOURCES_TITLE), [source_line(state, now) for state in problems], ""))


def _no_releases(app: AppContext, service: str, now: datetime) -> None:
    """Whether there was none, or whether they could not be read."""
    start, problems = _deployments_since(app), _deployment_problems(app)
    if start is not None and not problems:
        since = times.date(datetime.fromtimestamp(start, UTC), app.migration.zone, now=now)
        layout.empty_state(text.no_releases(service, since))
        return
    layout.empty_state(text.unread_service(service) if problems else text.loading_service(service))


def _deployments_since(app: AppContext) -> int | None:
    """From when on all deployments were read (epoch seconds); None if some were not read yet. Raises ArchiveError."""
    names = [events.name for events in app.sources.events if events.name in DEPLOYMENT_SOURCES]
    covered = [app.archive.events.covered(name) for name in names]
    return max(min(window.start for window in windows) for windows in covered) if names and all(covered) else None


def _deployment_problems(app: AppContext) -> list[SourceState]:
    """The sources of deployments with a problem. Raises ArchiveError."""
    return [state for state in app.source_states() if state.source in DEPLOYMENT_SOURCES and state.problems]


def _awaited_note(app: AppContext, slug: str, service: str) -> str:
    """Why the release is not shown. Raises ArchiveError."""
    name = shorten(slug, MAX_SLUG_CHARS)
    if _deployment_problems(app):
        return text.unread_release(name, service)
    return (
        text.no_release(name, service) if _deployments_since(app) is not None else text.awaited_release(name, service)
    )
