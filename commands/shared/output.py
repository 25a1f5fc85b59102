"""What every command shows the same way: outside words made harmless, and problems with their next step."""

import re
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from archive import ArchiveProblem
from domain import Migration
from messages.errors import sources
from messages.errors.sources import Message
from messages.live import DEMO_MARK
from sources.base import Problem

# Colours of the sixteen that every terminal has, so that they follow its theme.
GOOD, WARN, BAD, FAINT, BASELINE, CANARY = "green", "yellow", "bold red", "dim", "blue", "magenta"


def plain(text: str, style: str = "") -> Text:
    """Words from anywhere, as they may be printed: on one line, no control characters, no markup."""
    return Text(sources.shorten(text, 1000), style)


def table(*headings: str) -> Table:
    """An empty table with the house's looks; `headings` are ours."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(headings), header_style=FAINT)
    for heading in headings:
        made.add_column(Text(heading))
    return made


def title(migration: Migration, *parts: str) -> Text:
    """The line above everything: which migration this is, and whether it is the demo."""
    line = plain(migration.name, "bold")
    if migration.demo:
        line.append(f"  {DEMO_MARK()}", WARN)
    for part in parts:
        line.append(f"  ·  {part}")
    return line


def message_lines(message: Message) -> Text:
    """A problem in two lines: what happened, and what to do."""
    line = plain(f"{message.title}. {message.text}")
    return line.append("\n→ ").append_text(plain(message.next_step)).append(f"  {message.anchor}", FAINT)


def message_json(message: Message) -> dict[str, str]:
    return {"title": message.title, "text": message.text, "next_step": message.next_step, "docs": message.anchor}


def problem_json(problem: Problem) -> dict[str, Any]:
    """A source's problem: its kind and particulars for programs, its sentences for people."""
    return {
        "kind": problem.kind,
        "source": problem.source,
        "operation": problem.operation,
        "about": problem.about,
        "detail": problem.detail,
        **message_json(sources.format_problem(problem)),
    }


def archive_problem_json(problem: ArchiveProblem) -> dict[str, Any]:
    return {
        "kind": problem.kind,
        "source": "archive",
        "operation": "",
        "about": "",
        "detail": problem.detail,
        **message_json(sources.format_archive_problem(problem.kind, problem.detail)),
    }


def iso_time(epoch_s: int | None) -> str | None:
    """A moment as JSON carries it: "2026-11-23T20:00:00Z"."""
    return None if epoch_s is None else f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def redact_url(url: str) -> str:
    """An archive's address as it may be shown: without user, password and options."""
    return re.sub(r"//.*@", "//", url.partition("?")[0])
