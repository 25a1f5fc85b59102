"""PostgreSQL as the archive's database: connections, the write lock, and error kinds."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from archive.db.errors import ArchiveErrorKind

CONNECT_TIMEOUT_S = 3
WRITE_LOCK_ID = 0x6D6967  # the advisory lock that every writer holds

# By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html): whole codes, and classes of codes.
_ERROR_KINDS: dict[str, ArchiveErrorKind] = {
    "53100": "disk_full",
    "53": "unreachable",  # too many connections, out of memory
    "55P03": "locked",
    "40": "locked",  # transaction rolled back by the server
    "57014": "locked",  # query cancelled, by hand or by a timeout
    "57P": "unreachable",  # shutting down or starting up
    "25P": "unreachable",  # idle-in-transaction timeout
    "08": "unreachable",
    "25006": "read_only",
    "42501": "forbidden",
    "28": "denied",
    "3D": "no_database",
    "58": "unreadable",  # I/O error of the server
    "XX": "unreadable",
}
# Connection errors have no SQLSTATE, only a message; these are the English ones.
_MESSAGE_KINDS: tuple[tuple[str, ArchiveErrorKind], ...] = (
    ("authentication failed", "denied"),
    ("no password supplied", "denied"),
    ("no pg_hba.conf entry", "denied"),
    ("role ", "denied"),
    ("permission denied for database", "forbidden"),
    ("database ", "no_database"),
)


def open_engine(url: URL, *, lock_timeout_s: float) -> Engine:
    """An engine for the archive at `url`. A broken connection is replaced when it is checked out of the pool. Does not connect yet."""
    # A server that has vanished is given up within seconds. Parameters of the URL win.
    defaults = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": "migration archive",
    }
    arguments = {name: value for name, value in defaults.items() if name not in url.query}
    engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_recycle=1800, max_overflow=-1)

    def on_connect(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {int(lock_timeout_s * 1000)}")
        # A writer whose machine is lost must not block the others for longer than this.
        connection.execute("SET idle_in_transaction_session_timeout = 60000")
        connection.execute(
            "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
        )
        connection.autocommit = False

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def transaction_options(*, writes: bool) -> dict[str, object]:
    """Execution options of a transaction. A reader sees one snapshot; a writer sees what the writers before it committed."""
    return {} if writes else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _on_begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        # One writer at a time, as in SQLite.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK_ID})")


def error_kind(error: BaseException) -> ArchiveErrorKind | None:
    """The kind of an error that psycopg raised; None for a bug of this program."""
    code = getattr(error, "sqlstate", None)
    if code is None:  # no connection
        message = str(error).rpartition("FATAL:")[2].strip() if "FATAL:" in str(error) else str(error)
        return next((kind for text, kind in _MESSAGE_KINDS if text in message), "unreachable")
    return _ERROR_KINDS.get(code) or _ERROR_KINDS.get(code[:3]) or _ERROR_KINDS.get(code[:2])
