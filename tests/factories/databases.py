"""The archive's tests on both engines: SQLite always, PostgreSQL where there is a server to start."""

from collections.abc import Iterator

import pytest

from tests.factories import archives
from tests.fakes.postgresql import PostgresServer, pg_ctl


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server. Who stops it starts it again."""
    found = pg_ctl()
    if not found:
        pytest.skip("No PostgreSQL server is installed. On Debian or Ubuntu: apt-get install postgresql")
    server = PostgresServer(found)
    yield server
    server.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def both_engines(request: pytest.FixtureRequest) -> Iterator[str]:
    """Has `world.open_archive` open every archive of a module's tests in an SQLite file, and then all of them again in PostgreSQL."""
    if request.param == "sqlite":
        yield request.param
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "archive_url", request.getfixturevalue("server").schema_url)
        yield request.param
