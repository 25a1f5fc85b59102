"""Fixture: moto's server, one for the session; `MotoAws` replaces what it has."""

from collections.abc import Iterator

import pytest

from tests.fakes.moto_aws import run_moto


@pytest.fixture(scope="session")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_moto(tmp_path_factory.mktemp("moto")) as url:
        yield url
