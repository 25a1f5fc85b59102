"""The list of sources: the state of each, its last success, and what to do about its problems."""

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from archive import SourceState
from messages import live as text
from messages import states
from messages.errors.sources import Message, format_problem
from reports.templating import render
from sources.base import SUPPLEMENTARY
from ui.layout import format_ago

SourceLine = tuple[str, str, str, str, Sequence[Message]]  # name, CSS class, state, last success, problems


def sources_table(title: str, lines: Sequence[SourceLine], note: str) -> Markup:
    return render("live.sources", title=title, rows=lines, note=note)


def source_line(state: SourceState, now: datetime) -> SourceLine:
    css = {"up": "good", "slow": "warn", "partial": "warn", "throttled": "warn"}.get(state.state, "bad")
    if state.source in SUPPLEMENTARY and css == "bad":
        css = "note"
    success = (
        text.last_success(format_ago(state.last_success_at, now))
        if state.last_success_at
        else str(text.NEVER_SUCCEEDED)
    )
    label = f"{states.STATE_LABELS[state.state]} {text.elapsed(state.took_s)}"
    problems = [format_problem(problem) for problem in state.problems]
    return states.source_name(state.source), css, label, success, problems
