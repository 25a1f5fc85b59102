"""An app context whose collector is not started, and the HTML that a section renders."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from archive import Archive
from collector.collector import Collector
from sources import registry
from tests.factories.config import make_migration
from ui.app_context import AppContext

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of st.html."""
    bodies: list[str] = []
    monkeypatch.setattr(st, "html", lambda body, **_options: bodies.append(str(body)))
    return bodies


@pytest.fixture
def build_app(tmp_path: Path) -> Iterator[Callable[..., AppContext]]:
    """Opens a context at NOW, with one value of the configuration changed."""
    archives: list[Archive] = []

    def open_app(key: str = "", value: Any = None) -> AppContext:
        migration = make_migration(key, value)
        archive = Archive.open(f"sqlite:///{tmp_path / 'archive.db'}", migration, clock=lambda: NOW)
        archives.append(archive)
        sources = registry.create_sources(migration, clock=lambda: NOW)
        return AppContext(migration, archive, sources, Collector(archive, sources, clock=lambda: NOW))

    yield open_app
    for archive in archives:
        archive.close()
