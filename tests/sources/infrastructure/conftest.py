"""What the tests of this folder share."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples" / "infrastructure"


@pytest.fixture
def state() -> bytes:
    """The state of the migration "photo", with secrets."""
    return (SAMPLES / "photo.tfstate").read_bytes()
