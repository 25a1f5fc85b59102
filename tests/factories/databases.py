"""Fixtures: archives in both database engines. PostgreSQL is skipped if it is not installed."""

from collections.abc import Iterator

import pytest

from tests.factories import archives
from tests.fakes.postgresql import PostgresServer, pg_ctl


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server. A test that stops it starts it again."""
    path = pg_ctl()
    if not path:
        pytest.skip("No PostgreSQL server is installed. On Debian or Ubuntu: apt-get install postgresql")
    server = PostgresServer(path)
    yield server
    server.close()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def both_engines(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the tests of a module with archives in SQLite files, and again in PostgreSQL."""
    if request.param == "sqlite":
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "archive_url", request.getfixturevalue("postgres_server").schema_url)
        yield request.param
