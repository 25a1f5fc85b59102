"""The router: which pages there are, at which address, and what happens when the house cannot be opened. Streamlit runs this file."""

import streamlit as st

from archive import ArchiveError
from migration import ConfigurationError
from ui import controls, house, page
from words import live as words
from words import mistakes, problems
from words.batches import BATCHES_TITLE
from words.endpoints import ENDPOINTS_TITLE
from words.parity import PARITY_TITLE
from words.retrospective import RETROSPECTIVE_TITLE


def main() -> None:
    """Opens the house, then the page that the address asks for."""
    st.set_page_config(page_title=words.APP_TITLE, page_icon="⚖️", layout="wide", initial_sidebar_state="collapsed")
    page.style()
    try:
        here = house.house()
    except ConfigurationError as error:
        page.trouble(
            words.configuration_trouble(str(error.path)), [mistakes.say(mistake) for mistake in error.mistakes]
        )
        st.button(words.try_again(), key="try_again")
        return
    except ArchiveError as error:
        page.trouble(words.archive_trouble(), [problems.say_archive(error.kind, error.detail)])
        st.button(words.try_again(), key="try_again")
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
    controls.enter(chosen.url_path)
    chosen.run()


if __name__ == "__main__":
    main()
