"""The program's version, as pyproject.toml declares it."""

import tomllib
from pathlib import Path


def version() -> str:
    """For example "1.3.0". The program runs from its checkout, so that no package metadata is installed."""
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    declared: str = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"]
    return declared
