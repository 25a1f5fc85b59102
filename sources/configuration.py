"""Loads the configured migrations, or the demo."""

from pathlib import Path

from domain import Configuration, load_configuration
from sources.demo.sources import demo_migration, demo_releases
from sources.mackerel.criteria import expression_issues

DEFAULT_PATH = Path("migration.toml")


def find_configuration(path: Path | None = None, *, demo: bool = False) -> Configuration:
    """The migrations of `path`, else of ./migration.toml; the demo if `demo`, or if neither exists.

    Raises ConfigurationError, also if `path` cannot be read: a mistyped path must not open the demo.
    """
    if demo or not (path or DEFAULT_PATH.exists()):
        return Configuration((demo_migration(),), linked=(demo_releases(),))
    return load_configuration(path or DEFAULT_PATH, check=lambda migration: expression_issues(migration.criteria))
