"""Messages for the kinds of ArchiveProblem: title, what happened, and the next step."""

from messages.errors.source_texts import Texts
from messages.i18n import lazy

ARCHIVE_TEXTS: dict[str, Texts] = {
    "newer": (
        lazy("The archive is newer than this program"),
        lazy("A newer version of this program has written the archive, and this one does not know its form. Nothing was changed."),
        lazy("Update this program, or name another file in `archive` under [migration]."),
    ),
    "disk_full": (
        lazy("The disk is full"),
        lazy("The archive cannot grow, because there is no space left where it lies. What it had confirmed is safe."),
        lazy("Free space there (or where the database server keeps its data), or move the file and name its new place in `archive` under [migration]. "
          "Writing goes on by itself."),
    ),
    "locked": (
        lazy("The archive is busy"),
        lazy("Another process has been writing to the archive for longer than this one waits."),
        lazy("It is tried again by itself. If it goes on, look for a process that hangs with the file open: `fuser archive.db` lists them; in PostgreSQL, "
          "`SELECT * FROM pg_stat_activity` does."),
    ),
    "unreadable": (
        lazy("The archive cannot be read"),
        lazy("The archive cannot be opened, or its disk reports an error."),
        lazy("Check `archive` under [migration], and that this user may read and write the file and its folder. If it stays unreadable, move it aside: a new "
          "one is filled from the sources as far back as they keep."),
    ),
    "damaged": (
        lazy("The archive's file is damaged"),
        lazy("SQLite found damage in the archive's file, as a failing disk or a copy of a file in use leaves it. Nothing is written to it any more; what can "
          "be read is shown."),
        lazy("Stop this program, keep a copy of the file, and restore a backup; or move the file aside: a new one is filled from the sources as far back as "
          "they keep. What was read since is held in memory until then, and lost with the process."),
    ),
    "replaced": (
        lazy("The archive's file was removed or replaced"),
        lazy("The file that this program opened as the archive is no longer at its place. Nothing is written to another file."),
        lazy("Put the file back, and writing goes on by itself; or restart this program, which then uses the file that is there, or makes a new one."),
    ),
    "not_a_database": (
        lazy("Not an archive"),
        lazy("What `archive` names is something else, or another program's database. Nothing was changed."),
        lazy("Name another file in `archive` under [migration], for example `sqlite:///archive.db`, which is made if it is not there; in PostgreSQL, an "
          "empty database."),
    ),
    "read_only": (
        lazy("The archive cannot be written"),
        lazy("The archive can be read, but this program may not write to it."),
        lazy("Let this user write the file and its folder (SQLite keeps two more files beside it), or name another place in `archive`. A PostgreSQL server "
          "that is a standby cannot be written: name the primary."),
    ),
    "unreachable": (
        lazy("The archive's database server does not answer"),
        lazy("PostgreSQL, which keeps the archive, cannot be reached or takes no more connections."),
        lazy("Check that the server runs and that the host and port in `archive` under [migration] are right. What comes meanwhile is held in memory; it is "
          "tried again by itself, and what was missed is asked for again."),
    ),
    "denied": (
        lazy("The archive's database does not let this program in"),
        lazy("PostgreSQL refused the user or the password."),
        lazy("Check the user in `archive` under [migration], and the password in PGPASSWORD or ~/.pgpass; a line in the server's pg_hba.conf must allow this "
          "host."),
    ),
    "no_database": (
        lazy("The archive's database is not there"),
        lazy("PostgreSQL has no database of the name that `archive` gives."),
        lazy("Create it once (`createdb`), or correct the name in `archive` under [migration]. Its tables are made by this program."),
    ),
    "forbidden": (
        lazy("The archive's database forbids this"),
        lazy("The connection to PostgreSQL succeeded, but its user does not have a privilege that the archive needs."),
        lazy("Make the user the owner of the database, or run `GRANT CREATE, USAGE ON SCHEMA public` for it."),
    ),
}  # fmt: skip
