"""Messages for the kinds of ArchiveProblem: title, what happened, and the next step."""

from messages.errors.source_texts import Texts
from messages.i18n import lazy

ARCHIVE_TEXTS: dict[str, Texts] = {
    "newer": (
        lazy("The archive is newer than this program"),
        lazy("The archive was written by a newer version of this program, with a schema that this version cannot read. "
"Nothing was changed."),
        lazy("Update this program, or set another file in `archive` under [migration]."),
    ),
    "disk_full": (
        lazy("The disk is full"),
        lazy("No space left on the archive's disk. Committed data is safe."),
        lazy("Free disk space (for PostgreSQL, on the database server), or move the file and set its new path in "
"`archive` under [migration]. Writing resumes automatically."),
    ),
    "locked": (
        lazy("The archive is busy"),
        lazy("Another process holds the archive's write lock (timed out)."),
        lazy("Retrying automatically. If it persists, look for a hung process that has the file open: `fuser archive.db`; "
"for PostgreSQL, `SELECT * FROM pg_stat_activity`."),
    ),
    "unreadable": (
        lazy("The archive cannot be read"),
        lazy("The archive cannot be opened, or its disk reports an error."),
        lazy("Check `archive` under [migration] and this user's read and write permissions on the file and its folder. If "
"it stays unreadable, move it aside: a new archive is backfilled from what the sources retain."),
    ),
    "damaged": (
        lazy("The archive's file is corrupt"),
        lazy("SQLite reports a corrupt archive file, for example after a disk failure or a copy of a file in use. Writing "
"has stopped; readable data is shown."),
        lazy("Stop this program, copy the file, and restore a backup; or move the file aside: a new archive is backfilled "
"from what the sources retain. Until then, new data is held in memory and lost when the process ends."),
    ),
    "replaced": (
        lazy("The archive's file was removed or replaced"),
        lazy("The opened archive file is no longer at its path. Nothing is written to another file."),
        lazy("Restore the file (writing then resumes automatically), or restart this program: it uses the file at that "
"path, or creates one."),
    ),
    "not_a_database": (
        lazy("Not an archive"),
        lazy("`archive` points to another kind of file, or to another program's database. Nothing was changed."),
        lazy("Set `archive` under [migration] to another file, for example `sqlite:///archive.db` (created if missing), "
"or to an empty PostgreSQL database."),
    ),
    "read_only": (
        lazy("The archive cannot be written"),
        lazy("The archive is readable, but this program has no write permission."),
        lazy("Grant this user write permission on the file and its folder (SQLite adds two files beside it), or set "
"another path in `archive`. A PostgreSQL standby is read-only: use the primary."),
    ),
    "unreachable": (
        lazy("The archive's database server is unavailable"),
        lazy("The archive's PostgreSQL server is unreachable or accepts no more connections."),
        lazy("Check that the server is running, and the host and port in `archive` under [migration]. Retrying "
"automatically; meanwhile new data is held in memory, and gaps are backfilled."),
    ),
    "denied": (
        lazy("Access to the archive's database denied"),
        lazy("PostgreSQL rejected the user or password."),
        lazy("Check the user in `archive` under [migration], and the password in PGPASSWORD or ~/.pgpass; the server's "
"pg_hba.conf must allow this host."),
    ),
    "no_database": (
        lazy("The archive's database does not exist"),
        lazy("PostgreSQL has no database with the name in `archive`."),
        lazy("Create it (`createdb`), or correct the name in `archive` under [migration]. This program creates the tables."),
    ),
    "forbidden": (
        lazy("Missing privilege on the archive's database"),
        lazy("Connected to PostgreSQL, but the user lacks a required privilege."),
        lazy("Make the user the owner of the database, or run `GRANT CREATE, USAGE ON SCHEMA public` for it."),
    ),
}  # fmt: skip
