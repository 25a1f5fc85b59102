"""The visitor of the session."""

from contextlib import suppress

import streamlit as st

from domain.identity import Identity
from ui.app_context import AppContext


def current_identity(app: AppContext) -> Identity:
    """The visitor by the header that `author_header` names; not signed in if none is configured, or the connection has none, or several."""
    header = app.migration.server.author_header
    values = st.context.headers.get_all(header) if header else []
    if len(values) != 1:
        return Identity()
    with suppress(UnicodeError):  # ASGI decodes headers as Latin-1; proxies send UTF-8
        return Identity(values[0].encode("latin-1").decode().strip())
    return Identity(values[0].strip())
