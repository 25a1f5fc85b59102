"""The router. Streamlit runs this file: it opens the app context and runs the page of the URL, or shows why that is impossible."""

import streamlit as st

from archive import ArchiveError
from domain import ConfigurationError
from domain.trace import start_reference
from messages import live as text
from messages.batches import BATCHES_TITLE
from messages.board import BOARD_TITLE
from messages.endpoints import ENDPOINTS_TITLE
from messages.errors import config
from messages.hero import page_title
from messages.parity import PARITY_TITLE
from messages.retrospective import RETROSPECTIVE_TITLE
from messages.server import REACHABLE_FROM_OUTSIDE
from ui import controls, layout
from ui.app_context import get_app_context, open_contexts, server_settings
from ui.favicon import favicon
from ui.language import chosen_language, language_switch, use_language_of_reader
from ui.server.connections import is_unprotected

BOARD_PATH = "board"


def main() -> None:
    start_reference()
    st.set_page_config(
        page_title=str(text.APP_TITLE), page_icon=favicon(), layout="wide", initial_sidebar_state="collapsed"
    )
    use_language_of_reader()
    layout.apply_style()
    try:
        contexts = open_contexts()
    except ConfigurationError as error:
        messages = [config.format_config_issue(issue) for issue in error.issues]
        layout.error_page(text.configuration_error(str(error.path)), messages)
        st.button(str(text.TRY_AGAIN), key="try_again")
        return
    except ArchiveError as error:
        layout.archive_error_page(str(text.ARCHIVE_ERROR), error)
        st.button(str(text.TRY_AGAIN), key="try_again")
        return
    # Not before: they take long to import, and the error page does not need them.
    from pages import batches, board, endpoints, live, parity, retrospective

    slug = controls.choose_migration(contexts.by_slug) if contexts.is_list else None
    board_page = st.Page(board.render, title=str(BOARD_TITLE), url_path=BOARD_PATH)
    page = st.navigation(
        [
            *([board_page] if contexts.is_list else []),
            st.Page(live.render, title=str(text.LIVE_TITLE), url_path="", default=True),
            st.Page(parity.render, title=str(PARITY_TITLE), url_path="parity"),
            st.Page(endpoints.render, title=str(ENDPOINTS_TITLE), url_path="endpoints"),
            st.Page(batches.render, title=str(BATCHES_TITLE), url_path="batches"),
            st.Page(retrospective.render, title=str(RETROSPECTIVE_TITLE), url_path="retrospective"),
        ],
        position="hidden" if contexts.is_list and not slug else "top",
    )
    is_board = contexts.is_list and (not slug or page.url_path == BOARD_PATH)
    name = str(text.APP_TITLE) if is_board else get_app_context().migration.name
    layout.brand(name)
    st.set_page_config(page_title=page_title(str(BOARD_TITLE) if is_board else page.title, name))
    kept = {} if is_board or not slug else {"migration": slug}
    controls.on_page_change("/".join([*kept.values(), page.url_path]), kept={"lang": chosen_language(), **kept})
    language_switch()
    if is_unprotected(server_settings()):
        layout.warning(str(REACHABLE_FROM_OUTSIDE))
    if is_board and page.url_path != BOARD_PATH:
        board.render()
    else:
        page.run()


if __name__ == "__main__":
    main()
