"""The board: one line for each of several migrations, a link to its Live page."""

from functools import partial

import streamlit as st
from markupsafe import Markup

from domain import utc_now
from messages import board as text
from messages.errors import config
from reports.templating import render as render_partial
from ui import layout
from ui.app_context import AppContexts, open_contexts
from ui.board.view import URGENT, board_line
from ui.controls import query_params
from ui.language import fragment

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
