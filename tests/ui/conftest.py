"""App contexts, and the HTML that a section renders."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from tests.factories.app_context import make_app_context
from ui.app_context import AppContext


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of st.html."""
    bodies: list[str] = []
    monkeypatch.setattr(st, "html", lambda body, **_options: bodies.append(str(body)))
    return bodies


@pytest.fixture
def build_app(tmp_path: Path) -> Iterator[Callable[..., AppContext]]:
    """make_app_context, whose archives are closed after the test."""
    with ExitStack() as stack:

        def build(key: str = "", value: Any = None) -> AppContext:
            app = make_app_context(tmp_path, key, value)
            stack.callback(app.archive.close)
            return app

        yield build
