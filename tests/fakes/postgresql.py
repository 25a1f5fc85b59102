"""A PostgreSQL server of the tests' own, on loopback, that can be stopped and started: a real one, from the system's binaries."""

import os
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import port_for
import psycopg
from pytest_postgresql.janitor import DatabaseJanitor


def pg_ctl() -> str | None:
    """Where the server's binaries are: as `.ci/postgresql` found them for `make test`, or as Debian lays them out."""
    usual = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return os.environ.get("PG_CTL") or (str(usual[-1]) if usual else shutil.which("pg_ctl"))


class PostgresServer:
    """`user` may do everything, and signs in without a password as long as `trusting`."""

    user, database = "tester", "archives"

    def __init__(self, pg_ctl: str, *, fsync: bool = False) -> None:
        """`durable`: it waits for the disk, as servers do; tests need not."""
        self.fsync = fsync
        self.bin_dir = Path(pg_ctl).resolve().parent
        self.base_dir = Path(tempfile.mkdtemp(prefix="archive-postgresql-"))
        self.port = port_for.select_random()
        self.schemas: dict[Path, str] = {}
        # A server refuses to run as root: there it runs as the user that Debian's package makes.
        self.os_user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.os_user:
            shutil.chown(self.base_dir, **self.os_user)
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={self.user}")
        self.start()
        self.janitor.init()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin_dir / program), f"--pgdata={self.base_dir / 'data'}", *arguments]
        done = subprocess.run(
            command, cwd=self.base_dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, **self.os_user
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        settings = f"-p {self.port} -h 127.0.0.1 -k '{self.base_dir}'{'' if self.fsync else ' -F'}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.base_dir / 'log'}", f"--options={settings}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.base_dir)

    def trust(self, *, trusting: bool) -> None:
        """Whether a password is asked for from now on."""
        method = "trust" if trusting else "scram-sha-256"
        (self.base_dir / "data" / "pg_hba.conf").write_text(
            f"host all all 127.0.0.1/32 {method}\nlocal all all trust\n"
        )
        self._run("pg_ctl", "reload")

    @cached_property
    def janitor(self) -> DatabaseJanitor:
        where = {"host": "127.0.0.1", "port": self.port, "user": self.user}
        return DatabaseJanitor(**where, dbname=self.database)

    def execute(self, statement: str) -> None:
        """Through the socket: nobody is asked for a password there."""
        with psycopg.connect(
            host=str(self.base_dir), port=self.port, user=self.user, dbname=self.database
        ) as connection:
            connection.autocommit = True
            connection.execute(statement)

    def url(self, *, user: str = user, database: str = database, schema: str = "public") -> str:
        options = quote(f"-csearch_path={schema}")
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}?options={options}"

    def schema_url(self, folder: Path) -> str:
        """An archive for what a test takes for a folder: a schema of its own, made on first use."""
        if folder not in self.schemas:
            self.schemas[folder] = f"folder_{len(self.schemas)}"
            self.execute(f"CREATE SCHEMA {self.schemas[folder]}")
        return self.url(schema=self.schemas[folder])
