"""External text cannot control the terminal."""

import pytest

from commands.shared.output import echo_text


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    echo_text("a\x1b]0;owned\x07\x1b[2J\u202eb\u200b\x9bc\r\n\td")
    assert capsys.readouterr().out == "a]0;owned[2Jbc\n\td\n"
