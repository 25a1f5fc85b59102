"""What commands print: JSON, or tables and text in which external text cannot control the terminal."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from archive import ArchiveProblem
from commands.shared.styles import FAINT, WARN
from domain import Migration
from domain.control_characters import remove_control
from domain.redaction import redact_userinfo
from messages import evidence
from messages.errors import sources as errors
from messages.errors.sources import Message
from messages.live import DEMO_MARK
from reports.judgement_json import SCHEMA
from services.evaluation import EXIT_UNAVAILABLE
from sources.base import Problem


def echo(output: dict[str, Any] | RenderableType) -> None:
    """Prints a dict as one line of ASCII JSON with its schema number, anything else as rich renders it."""
    if isinstance(output, dict):
        typer.echo(json.dumps({"schema": SCHEMA, **output}))
    else:
        console().print(output)


def echo_text(text: str, *, err: bool = False) -> None:
    """Prints lines as they are, but for control characters, which could steer the terminal."""
    typer.echo(remove_control(text), err=err)


class SafeConsole(Console):
    """A console that removes control characters from every text that it renders; those that rich adds for colours and cursor stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=remove_control(segment.text))


def console() -> Console:
    return SafeConsole(highlight=False, markup=False, emoji=False)


def live_display(*, as_json: bool) -> AbstractContextManager[Live | None]:
    """A table that is redrawn in place; None unless there is a terminal for it."""
    return nullcontext(None) if as_json or not console().is_terminal else Live(console=console(), auto_refresh=False)


@contextmanager
def live_output(*, as_json: bool) -> Iterator[Callable[[dict[str, Any] | RenderableType], None]]:
    """A function that prints its argument, or in a terminal draws it instead of the previous one."""
    with live_display(as_json=as_json) as display:
        yield echo if display is None else partial(display.update, refresh=True)


def repeat(action: Callable[[], None], interval_s: int) -> None:
    while True:
        action()
        time.sleep(interval_s)


def write_file(path: Path, content: bytes) -> None:
    """Exits with a message if the file cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        echo_text(evidence.not_written(str(path), error.strerror or str(error)), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None


def plain(text: str, style: str = "") -> Text:
    """External text on one line, without control characters and markup."""
    return Text(errors.shorten(text, 1000), style)


def title(migration: Migration, *parts: str) -> Text:
    """The first line: the name of the migration, the mark of the demo, and `parts`."""
    line = plain(migration.name, "bold")
    if migration.demo:
        line.append(f"  {DEMO_MARK}", WARN)
    for part in parts:
        line.append(f"  ·  {part}")
    return line


def message_lines(message: Message) -> Text:
    """The problem on one line, the next step on another."""
    line = plain(f"{message.title}. {message.text}")
    for shown in message.snippet:
        line.append(f"\n    {shown}")
    return line.append("\n→ ").append_text(plain(message.next_step)).append(f"  {message.anchor}", FAINT)


def problem_lines(
    problems: Sequence[Problem], archive_problem: ArchiveProblem | None = None, *, is_retried: bool = True
) -> list[Text]:
    lines = [message_lines(errors.format_problem(problem, is_retried=is_retried)) for problem in problems]
    if archive_problem:
        lines.append(message_lines(errors.format_archive_problem(archive_problem.kind, archive_problem.detail)))
    return lines


def redact_url(url: str) -> str:
    """A database URL without user, password and query."""
    return redact_userinfo(url).partition("?")[0]
