"""The visitor of the session."""

import json
from contextlib import suppress

import streamlit as st

from domain.identity import Identity
from reports.templating import render
from ui.app_context import AppContext
from ui.server.sign_in import IDENTITY_HEADER
from ui.settings import sign_in_settings


def visitor_line() -> None:
    """Who is signed in, as what, and the link to sign out. Nothing without a sign-in."""
    sign_in = sign_in_settings()
    identity = _verified() if sign_in else None
    if sign_in and identity:
        has_sign_out = sign_in.method == "oidc" or bool(sign_in.sign_out_url)
        st.html(render("sign_in.visitor", identity=identity, has_sign_out=has_sign_out))


def current_identity(app: AppContext) -> Identity:
    """The visitor by the sign-in, which ui.server.sign_in has verified; else by the header that `author_header` names, whose roles are all.

    Not signed in if there is none of them, or the connection has none, or several; with a sign-in, that is a viewer.
    """
    if app.migration.sign_in:
        return _verified() or Identity(role="viewer")
    header = app.migration.server.author_header
    values = st.context.headers.get_all(header) if header else []
    if len(values) != 1:
        return Identity()
    with suppress(UnicodeError):  # ASGI decodes headers as Latin-1; proxies send UTF-8
        return Identity(values[0].encode("latin-1").decode().strip())
    return Identity(values[0].strip())


def _verified() -> Identity | None:
    """Who is signed in, as ui.server.sign_in has verified; None without."""
    verified = st.context.headers.get_all(IDENTITY_HEADER)
    return Identity(**json.loads(verified[0])) if len(verified) == 1 else None
