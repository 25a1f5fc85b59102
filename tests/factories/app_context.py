"""An app context at a fixed time, whose collector is not started."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archive import Archive
from collector.collector import Collector
from sources import registry
from tests.factories.config import make_migration
from ui.app_context import AppContext

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_app_context(directory: Path, key: str = "", value: Any = None) -> AppContext:
    """With an archive in `directory`, and one value of the configuration changed. Close its archive."""
    migration = make_migration(key, value)
    archive = Archive.open(f"sqlite:///{directory / 'archive.db'}", migration, clock=lambda: NOW)
    sources = registry.create_sources(migration, clock=lambda: NOW)
    return AppContext(migration, archive, sources, Collector(archive, sources, clock=lambda: NOW))
