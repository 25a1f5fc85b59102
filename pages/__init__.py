"""The router: which pages there are, at which address, and what happens when the house cannot be opened. Streamlit runs this file."""

import streamlit as st

from archive import ArchiveError
from domain import ConfigurationError
from messages import live as words
from messages.batches import BATCHES_TITLE
from messages.endpoints import ENDPOINTS_TITLE
from messages.errors import config, sources
from messages.parity import PARITY_TITLE
from messages.retrospective import RETROSPECTIVE_TITLE
from ui import app_context, controls, layout


def main() -> None:
    """Opens the house, then the page that the address asks for."""
    st.set_page_config(page_title=words.APP_TITLE, page_icon="⚖️", layout="wide", initial_sidebar_state="collapsed")
    layout.apply_style()
    try:
        here = app_context.get_app_context()
    except ConfigurationError as error:
        layout.error_page(
            words.configuration_error(str(error.path)),
            [config.format_config_issue(mistake) for mistake in error.issues],
        )
        st.button(words.TRY_AGAIN(), key="try_again")
        return
    except ArchiveError as error:
        layout.error_page(words.ARCHIVE_ERROR(), [sources.format_archive_problem(error.kind, error.detail)])
        st.button(words.TRY_AGAIN(), key="try_again")
        return
    import pages.batches
    import pages.endpoints
    import pages.live  # once the house stands
    import pages.parity
    import pages.retrospective

    st.set_page_config(page_title=f"{here.migration.name} · {words.APP_TITLE}")
    chosen = st.navigation(
        [
            st.Page(pages.live.render, title=words.LIVE_TITLE, url_path="", default=True),
            st.Page(pages.parity.render, title=PARITY_TITLE, url_path="parity"),
            st.Page(pages.endpoints.render, title=ENDPOINTS_TITLE, url_path="endpoints"),
            st.Page(pages.batches.render, title=BATCHES_TITLE, url_path="batches"),
            st.Page(pages.retrospective.render, title=RETROSPECTIVE_TITLE, url_path="retrospective"),
        ],
        position="top",
    )
    controls.on_page_change(chosen.url_path)
    chosen.run()


if __name__ == "__main__":
    main()
