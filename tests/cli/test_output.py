"""External text cannot control the terminal."""

import pytest
from rich.table import Table
from rich.text import Text

from commands.shared.output import console, echo, echo_text


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo_text("a\x1b]0;owned\x07\x1b[2J\u202eb\u200b\x9bc\r\n\td")
    assert capsys.readouterr().out == "a]0;owned[2Jbc\n\td\n"


def test_control_characters_are_removed_from_tables_too(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table.grid()
    table.add_row("a\x1b[2J", Text("\u202eb\x9b"))
    echo(table)
    assert capsys.readouterr().out == "a[2Jb\n"


def test_the_console_keeps_its_own_colours() -> None:
    segments = list(console().render(Text("a\x1b[2J", "red")))
    assert [(segment.text, str(segment.style)) for segment in segments] == [("a[2J", "red"), ("\n", "None")]
