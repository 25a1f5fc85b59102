"""PostgreSQL as the archive's database: how it is reached, who may write, and its faults as named kinds."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from archive.db.errors import ArchiveErrorKind

CONNECT_TIMEOUT_S = 3  # how long a server that does not answer is waited for
WRITE_LOCK_ID = 0x6D6967  # whoever writes holds the advisory lock of this number

# The server's own codes, https://www.postgresql.org/docs/current/errcodes-appendix.html: whole ones, and classes of them.
_ERROR_KINDS: dict[str, ArchiveErrorKind] = {
    "53100": "disk_full",
    "53": "unreachable",  # no more connections, no memory
    "55P03": "locked",
    "40": "locked",  # given up for the sake of another
    "57014": "locked",  # cancelled, by hand or by a limit
    "57P": "unreachable",  # shutting down, starting
    "25P": "unreachable",  # it gave up waiting for us
    "08": "unreachable",
    "25006": "read_only",
    "42501": "forbidden",
    "28": "denied",
    "3D": "no_database",
    "58": "unreadable",  # the server's own disk
    "XX": "unreadable",
}
# Where no connection comes about, libpq gives no code but only words, and those of an English-speaking server are known.
_MESSAGE_KINDS: tuple[tuple[str, ArchiveErrorKind], ...] = (
    ("authentication failed", "denied"),
    ("no password supplied", "denied"),
    ("no pg_hba.conf entry", "denied"),
    ("role ", "denied"),
    ("permission denied for database", "forbidden"),
    ("database ", "no_database"),
)


def open_engine(url: URL, *, lock_timeout_s: float) -> Engine:
    """An engine for the archive at `address`. A connection that broke is noticed when it is taken up, and made anew. Nothing is opened yet."""
    # A server that vanished, cable and all, is given up in seconds, not in the system's quarter of an hour; the address may say otherwise.
    patience = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "application_name": "migration archive",
    }
    given = {name: value for name, value in patience.items() if name not in url.query}
    engine = create_engine(url, connect_args=given, pool_pre_ping=True, pool_recycle=1800, max_overflow=-1)

    def on_connect(connection: Any, _record: object) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {int(lock_timeout_s * 1000)}")
        # A writer whose machine is lost in the middle of it must not stop the others for longer than this.
        connection.execute("SET idle_in_transaction_session_timeout = 60000")
        connection.execute(
            "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
        )
        connection.autocommit = False

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def transaction_options(*, writes: bool) -> dict[str, object]:
    """How a transaction is begun. A reader sees one moment; a writer, who waited for others, sees what they left."""
    return {} if writes else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def _on_begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        # One writer at a time, as in SQLite: what is read before it is written stands until then.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK_ID})")


def error_kind(error: BaseException) -> ArchiveErrorKind | None:
    """The kind of a fault that psycopg raised; None where it is a mistake of this program."""
    code = getattr(error, "sqlstate", None)
    if code is None:  # there is no connection
        said = str(error).rpartition("FATAL:")[2].strip() if "FATAL:" in str(error) else str(error)
        return next((kind for words, kind in _MESSAGE_KINDS if words in said), "unreachable")
    return _ERROR_KINDS.get(code) or _ERROR_KINDS.get(code[:3]) or _ERROR_KINDS.get(code[:2])
