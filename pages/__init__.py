"""The script that Streamlit runs: the frame of all pages, and in it the page of the URL."""

import streamlit as st
from markupsafe import Markup

from domain.trace import start_reference
from messages.frame import OPENING
from messages.live import APP_TITLE
from ui.favicon import favicon
from ui.language import use_language_of_reader
from ui.opening import archive_opened, notice_shown
from ui.style import apply_style


def main() -> None:
    start_reference()
    st.set_page_config(page_title=str(APP_TITLE), page_icon=favicon(), layout="wide", initial_sidebar_state="collapsed")
    use_language_of_reader()
    apply_style()
    notice = st.empty()  # in each run, so that what follows keeps its place
    if not archive_opened.is_set():
        notice.html(Markup("<div class='empty' role='status'>{}</div>").format(OPENING))
        notice_shown.set()
    from pages.router import show_page  # what it imports takes seconds at the start of the server

    show_page(on_opened=notice.empty)


if __name__ == "__main__":
    main()
