"""The catalogues: translations have the placeholders of the text."""

import re

import pytest

from tests.messages import catalogues

# {name}, {minutes:02d}, plotly's %{y:.3~g} and strftime's %-d; {{ and }} are braces.
_PLACEHOLDER = re.compile(r"\{\{|\}\}|%?\{[^{}]*\}|%-?[a-zA-Z]|`[^`]*`")


@pytest.mark.parametrize("language", catalogues.TRANSLATED)
def test_translations_have_the_placeholders_of_the_text(language: str) -> None:
    for message in catalogues.read(language):
        if not message.id:
            continue
        expected = {frozenset(_PLACEHOLDER.findall(text)) for text in _texts(message.id)}
        for text in _texts(message.string):
            assert not text or frozenset(_PLACEHOLDER.findall(text)) in expected, f"{message.id}\n{text}"


def _texts(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)
