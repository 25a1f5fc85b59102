"""The catalogues have a translation of every text, with the same placeholders, and texts are translated when they are shown."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages import Message

from messages import catalogues

HOW_TO = "Run `make messages`, and translate in messages/locale/{}/LC_MESSAGES/dashboard.po what it lists."
# {name}, {minutes:02d} and plotly's %{y:.3~g}; {{ and }} are braces; what is between backquotes is code.
_PLACEHOLDER = re.compile(r"\{\{|\}\}|%?\{[^{}]*\}|`[^`]*`")


@pytest.mark.parametrize("language", catalogues.TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    catalog = catalogues.read(language)
    expected = {(message.context, _singular(message)) for message in catalogues.extract() if message.id}
    found = {(message.context, _singular(message)) for message in catalog if message.id}
    assert not expected - found, f"Not in the catalogue. {HOW_TO.format(language)}"
    assert not found - expected, f"No longer in the code. {HOW_TO.format(language)}"
    assert not [message.id for message in catalogues.untranslated(catalog)], HOW_TO.format(language)
    assert not [message.id for message in catalog if message.id and message.fuzzy]


@pytest.mark.parametrize("language", catalogues.TRANSLATED)
def test_translations_have_the_placeholders_of_the_text(language: str) -> None:
    for message in catalogues.read(language):
        if not message.id:
            continue
        expected = {frozenset(_PLACEHOLDER.findall(text)) for text in _texts(message.id)}
        for text in _texts(message.string):
            assert not text or frozenset(_PLACEHOLDER.findall(text)) in expected, f"{message.id}\n{text}"


def test_constants_are_translated_when_they_are_shown() -> None:
    """At a module's level `_` would translate once, for whoever imports it first."""
    for path in (catalogues.ROOT / "messages").rglob("*.py"):
        names = {"_", "ngettext", "pgettext", "plural"}
        lines = [
            call.lineno for call in _calls_at_import(path) if isinstance(call.func, ast.Name) and call.func.id in names
        ]
        assert not lines, f"{path}: use `lazy` on the lines {lines}"


def test_texts_are_only_in_messages() -> None:
    for path in catalogues.ROOT.glob("[!.]*/**/*.py"):
        if path.parts[len(catalogues.ROOT.parts)] not in ("messages", "tests"):
            assert not re.search(
                r"^from messages\.i18n import .*\b(_|lazy|ngettext|plural|pgettext)\b", path.read_text(), re.M
            ), path


def _calls_at_import(path: Path) -> Iterator[ast.Call]:
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Call):
            yield node
        nodes += [child for child in ast.iter_child_nodes(node) if not isinstance(child, (ast.FunctionDef, ast.Lambda))]


def _singular(message: Message) -> str:
    return _texts(message.id)[0]


def _texts(text: str | tuple[str, ...]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)
