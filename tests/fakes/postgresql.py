"""A real PostgreSQL server for tests, on loopback, from the system's binaries, that can be stopped and started."""

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
    """The path of pg_ctl: `PG_CTL`, else Debian's location or the PATH. None if there is no server, or if `PG_CTL` is "none"."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    path = os.environ.get("PG_CTL") or (str(debian[-1]) if debian else shutil.which("pg_ctl"))
    return None if path == "none" else path


class PostgresServer:
    """`user` has all privileges, and needs no password until `trust` requires one."""

    user, database = "tester", "archives"

    def __init__(self, pg_ctl: str, *, fsync: bool = False) -> None:
        """`fsync`: whether it waits for the disk, as servers do."""
        self.fsync = fsync
        self.bin_dir = Path(pg_ctl).resolve().parent
        self.base_dir = Path(tempfile.mkdtemp(prefix="archive-postgresql-"))
        self.port = port_for.select_random()
        self.schemas: dict[Path, str] = {}
        # A server refuses to run as root: then it runs as the user of Debian's package.
        self.os_user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.os_user:
            shutil.chown(self.base_dir, **self.os_user)
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", f"--username={self.user}")
        self.start()
        self.janitor.init()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.bin_dir / program), f"--pgdata={self.base_dir / 'data'}", *arguments]
        process = subprocess.run(
            command, cwd=self.base_dir, stdin=subprocess.DEVNULL, capture_output=True, text=True, **self.os_user
        )
        assert process.returncode == 0, process.stdout + process.stderr

    def start(self) -> None:
        settings = f"-p {self.port} -h 127.0.0.1 -k '{self.base_dir}'{'' if self.fsync else ' -F'}"
        self._run("pg_ctl", "start", "--wait", f"--log={self.base_dir / 'log'}", f"--options={settings}")

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.base_dir)

    def trust(self, *, trusting: bool) -> None:
        """Whether connections need no password from now on."""
        method = "trust" if trusting else "scram-sha-256"
        (self.base_dir / "data" / "pg_hba.conf").write_text(
            f"host all all 127.0.0.1/32 {method}\nlocal all all trust\n"
        )
        self._run("pg_ctl", "reload")

    @cached_property
    def janitor(self) -> DatabaseJanitor:
        return DatabaseJanitor(host="127.0.0.1", port=self.port, user=self.user, dbname=self.database)

    def execute(self, statement: str) -> None:
        """Through the Unix socket, which never needs a password."""
        with psycopg.connect(
            host=str(self.base_dir), port=self.port, user=self.user, dbname=self.database
        ) as connection:
            connection.autocommit = True
            connection.execute(statement)

    def url(self, *, user: str = user, database: str = database, schema: str = "public") -> str:
        options = quote(f"-csearch_path={schema}")
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}?options={options}"

    def schema_url(self, folder: Path) -> str:
        """The URL of an archive that stands for a folder: a schema of its own, created on first use."""
        if folder not in self.schemas:
            self.schemas[folder] = f"folder_{len(self.schemas)}"
            self.execute(f"CREATE SCHEMA {self.schemas[folder]}")
        return self.url(schema=self.schemas[folder])
