"""The router: it opens the app contexts and runs the page of the URL, or shows why that is impossible."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import streamlit as st

from archive import ArchiveError
from domain import ConfigurationError
from messages import live as text
from messages.batches import BATCHES_TITLE
from messages.board import BOARD_TITLE, RELEASES_TITLE, no_such_release
from messages.endpoints import ENDPOINTS_TITLE
from messages.errors import config
from messages.frame import PAGE_HELP
from messages.hero import page_title
from messages.parity import PARITY_TITLE
from messages.retrospective import RETROSPECTIVE_TITLE
from messages.server import REACHABLE_FROM_OUTSIDE
from messages.setup import TITLE as SETUP_TITLE
from pages import batches, board, endpoints, live, parity, retrospective, setup
from ui import controls, layout
from ui.agents import is_agent
from ui.app_context import AppContexts, is_first_start, open_contexts
from ui.identity import visitor_line
from ui.language import chosen_language, language_switch
from ui.server.connections import is_unprotected
from ui.settings import server_settings, sign_in_settings
from ui.style import is_kiosk

BOARD_PATH, RELEASES_PATH, SETUP_PATH = "board", "releases", "setup"


def show_page(on_opened: Callable[[], object]) -> None:
    """`on_opened` is called when the archive is open, or cannot be opened."""
    try:
        try:
            contexts = open_contexts()
        finally:
            on_opened()
        slug = controls.choose_migration(contexts.find)
        awaited = _unknown_release(contexts)
        app = contexts.service_of(awaited) or contexts.find(slug) or contexts.only
    except ConfigurationError as error:
        messages = [config.format_config_issue(issue) for issue in error.issues]
        layout.error_page(text.configuration_error(str(error.path)), messages)
        st.button(str(text.TRY_AGAIN), key="try_again")
        return
    except ArchiveError as error:
        layout.archive_error_page(str(text.ARCHIVE_ERROR), error)
        st.button(str(text.TRY_AGAIN), key="try_again")
        return
    is_release_board = app is not None and app.migration.is_release_board
    visibility: Literal["visible", "hidden"] = "hidden" if is_release_board else "visible"
    board_page = st.Page(board.render, title=str(BOARD_TITLE), url_path=BOARD_PATH, help=_help(BOARD_PATH))
    releases_page = st.Page(
        board.render_releases, title=str(RELEASES_TITLE), url_path=RELEASES_PATH, help=_help(RELEASES_PATH)
    )
    pages = (
        (live.render, text.LIVE_TITLE, ""),
        (parity.render, PARITY_TITLE, "parity"),
        (endpoints.render, ENDPOINTS_TITLE, "endpoints"),
        (batches.render, BATCHES_TITLE, "batches"),
        (retrospective.render, RETROSPECTIVE_TITLE, "retrospective"),
        *([(setup.render, SETUP_TITLE, SETUP_PATH)] if is_first_start() else []),
    )
    page = st.navigation(
        [
            *([board_page] if contexts.is_list else []),
            *([releases_page] if app and (app.migration.releases or app.parent) else []),
            *(
                st.Page(
                    render, title=str(title), url_path=path, default=not path, visibility=visibility, help=_help(path)
                )
                for render, title, path in pages
            ),
        ],
        position="top" if app else "hidden",
    )
    is_board = app is None or (contexts.is_list and page.url_path == BOARD_PATH)
    is_releases = not is_board and (is_release_board or page.url_path == RELEASES_PATH or bool(awaited))
    if app and is_releases and (app.parent or awaited):
        app = app.parent or app
        slug = controls.show_migration(app.migration.slug)
    shown, title = (
        (board.render, str(BOARD_TITLE))
        if is_board
        else (partial(board.render_releases, awaited=awaited), str(RELEASES_TITLE))
        if is_releases
        else (page.run, page.title)
    )
    name = str(text.APP_TITLE) if is_board or app is None else app.migration.name
    layout.brand(name)
    st.set_page_config(page_title=page_title(title, name))
    kept = {} if is_board or not slug else {"migration": awaited or slug}
    controls.on_page_change("/".join([*kept.values(), page.url_path]), kept={"lang": chosen_language(), **kept})
    language_switch()
    if is_unprotected(server_settings(), sign_in_settings()):
        layout.warning(str(REACHABLE_FROM_OUTSIDE))
    if app and not awaited and (asked := controls.query_params().get("migration")) and contexts.find(asked) is None:
        layout.warning(no_such_release(asked[:80], name))
    shown()
    if not is_kiosk():
        visitor_line()


def _help(path: str) -> str | None:
    """For agents; readers need no tooltip on "Live"."""
    return str(PAGE_HELP[path]) if is_agent() else None


def _unknown_release(contexts: AppContexts) -> str:
    """The slug in the URL if it may be that of a release that is not known yet; else "". Raises ArchiveError."""
    asked = controls.query_params().get("migration", "")
    return asked if contexts.find(asked) is None and contexts.service_of(asked) else ""
