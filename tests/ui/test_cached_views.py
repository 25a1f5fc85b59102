"""Views that are cached for all viewers are kept apart for each migration."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from ui.app_context import AppContext, cached_view

UI = Path(__file__).parents[2] / "ui"
MODULES = sorted([*UI.rglob("*.py"), *(UI.parent / "pages").glob("*.py")])


def test_two_migrations_have_entries_of_their_own(build_app: Callable[..., AppContext]) -> None:
    called = []

    @cached_view(max_entries=8)
    def name_of(app: AppContext, suffix: str) -> str:
        called.append(app.migration.name)
        return app.migration.name + suffix

    photo, orders = build_app(), build_app("migration.name", "Orders")
    for _time in range(2):
        assert [name_of(photo, "!"), name_of(orders, "!"), name_of(photo, "?")] == [
            "Photo service!",
            "Orders!",
            "Photo service?",
        ]
    assert called == ["Photo service", "Orders", "Photo service"]


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(UI.parent)))
def test_no_cached_function_ignores_its_migration(path: Path) -> None:
    """Streamlit leaves out arguments whose names begin with "_": without the context, all migrations would have one entry."""
    for function in functions(path):
        decorators = " ".join(map(ast.unparse, function.decorator_list))
        arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
        assert "cache_resource" not in decorators and "cache_data" not in decorators, function.name
        if "cached_view" in decorators:
            assert arguments[0] == "app", function.name
