"""The language of each visitor: `?lang=`, else the browser's, else English; and the switch between languages."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

import streamlit as st
from markupsafe import Markup
from streamlit.errors import StreamlitInvalidLayoutContextError

from domain.trace import current_reference, start_reference
from messages.i18n import ENGLISH, LANGUAGES, current_language, supported_language, use_language
from messages.live import LANGUAGE
from ui.components import page_language
from ui.controls import chosen_migration, query_params

_CHOSEN = "lang"


def use_language_of_reader() -> None:
    """Call at the start of each run. A choice in the URL stays for the session, because navigation drops the URL's parameters."""
    if (asked := query_params().get("lang", "")) in LANGUAGES:
        st.session_state[_CHOSEN] = asked
    use_language(st.session_state.get(_CHOSEN) or supported_language(st.context.locale or "") or ENGLISH)


def chosen_language() -> str:
    """The language that the URL asked for in this session; "" if it is the browser's."""
    return str(st.session_state.get(_CHOSEN, ""))


def fragment(content: Callable[[], None], *, run_every: float | None = None) -> None:
    """st.fragment in the reader's language and with a reference, which it would not have when it runs alone, in a thread of its own."""
    st.fragment(partial(_in_language_of_reader, content), run_every=run_every)()


def rerun_fragment() -> NoReturn:
    """Runs the fragment again; the whole page if that is what runs, because it was still loading when a button was pressed."""
    with suppress(StreamlitInvalidLayoutContextError):
        st.rerun(scope="fragment")
    st.rerun()


def _in_language_of_reader(content: Callable[[], None]) -> None:
    if not current_reference():
        start_reference()
    use_language_of_reader()
    content()


def language_switch() -> None:
    """Sets the language of the document, and links to the page in the other languages, which load it again with the same parameters."""
    current = current_language()
    links = Markup(" ").join(
        Markup("<a href='?lang={}' lang='{}' hreflang='{}' target='_self'>{}</a>").format(tag, tag, tag, name)
        for tag, name in LANGUAGES.items()
        if tag != current
    )
    st.html(Markup("<nav class='language' aria-label='{}'>{}</nav>").format(LANGUAGE, links))
    page_language(current, chosen=chosen_language(), migration=chosen_migration())
