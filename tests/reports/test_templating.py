"""Templates: escaping, whitespace, and that every message they use exists."""

from functools import reduce
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.exceptions import UndefinedError

import messages
from reports.templating import environment, render


def test_values_are_escaped() -> None:
    html = render("layout.head", names=("<script>", "'"))
    assert html == "<thead><tr><th scope='col'>&lt;script&gt;</th><th scope='col'>&#39;</th></tr></thead>"


def test_missing_and_unknown_values_are_errors() -> None:
    with pytest.raises(UndefinedError):
        render("verdicts.tone")
    with pytest.raises(TypeError):
        render("layout.head", names=(), unknown=1)


def test_partials_have_no_whitespace_between_elements() -> None:
    partials = Path(str(environment.loader.searchpath[0])) / "partials"  # type: ignore[union-attr]
    assert any("\n  <" in path.read_text() for path in partials.iterdir())
    html = render("parity.pairs", title="Excluded", rows=[("b", "c")], note="d")
    assert "\n" not in html and "> <" not in html


def messages_path(node: nodes.Node, aliases: dict[str, list[str]]) -> list[str] | None:
    """The attributes of `messages.a.b`, or of an alias (`{% set text = messages.a %}`)."""
    if isinstance(node, nodes.Name):
        return [] if node.name == "messages" else aliases.get(node.name)
    if not isinstance(node, nodes.Getattr):
        return None
    owner = messages_path(node.node, aliases)
    return None if owner is None else [*owner, node.attr]


@pytest.mark.parametrize("name", environment.list_templates())
def test_every_message_exists(name: str) -> None:
    source, filename, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
    tree = environment.parse(source, name, filename)
    aliases = {
        assign.target.name: path
        for assign in tree.find_all(nodes.Assign)
        if isinstance(assign.target, nodes.Name) and (path := messages_path(assign.node, {}))
    }
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for attribute in tree.find_all(nodes.Getattr):
        if path := messages_path(attribute, aliases):
            message = reduce(getattr, path, messages)  # AttributeError if it does not exist
            assert id(attribute) not in called or callable(message), path
