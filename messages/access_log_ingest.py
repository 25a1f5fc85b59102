"""What is said of access logs while they are counted, and where there are none."""

from messages import numbers, times
from messages.i18n import _, ngettext

EXAMPLE = """[access_logs]
# Where they lie on this machine; or leave both out, and the load balancer's attributes say where in S3.
path = "logs/2026-09-21"
# Routes that go by a name of their own: * is one segment, ** the rest.
routes = ["/photos/*/comments", "/admin/**"]
"""


def lines(read: int, parsed: int, files: int, minutes: int) -> str:
    """How the reading of the logs went."""
    return _("{read} lines read, {parsed} counted, {lost} lost, in {files} of {length}.").format(
        read=numbers.count(read),
        parsed=numbers.count(parsed),
        lost=numbers.count(read - parsed),
        files=ngettext("{n} file", "{n} files", files).format(n=numbers.count(files)),
        length=times.duration(minutes * 60),
    )


def counting(done: int, whole: int, done_bytes: int, whole_bytes: int) -> str:
    return _("Counting the logs: {done} of {whole} files, {gb} of {of} MB.").format(
        done=numbers.count(done),
        whole=numbers.count(whole),
        gb=numbers.count(done_bytes / 1e6),
        of=numbers.count(whole_bytes / 1e6),
    )


def listing() -> str:
    return _("Looking for the logs of this window …")


def busy() -> str:
    return _("Another process is counting logs just now; what it has counted is shown.")


def changed(n: int) -> str:
    return ngettext(
        "{n} file has grown since it was counted: what came later is not in the numbers.",
        "{n} files have grown since they were counted: what came later is not in the numbers.",
        n,
    ).format(n=numbers.count(n))


def foreign(n: int) -> str:
    return ngettext(
        "{n} file beside them is no access log of this load balancer and was left out.",
        "{n} files beside them are no access logs of this load balancer and were left out.",
        n,
    ).format(n=numbers.count(n))


def file_problem(kind: str, n: int) -> str:
    """What is wrong with some of the files that were counted."""
    text = {
        "cut_off": _("{files} cut off: what is there was counted, the rest of it is lost"),
        "damaged": _("{files} damaged: what could be unpacked was counted"),
        "not_a_log": _("{files} of another kind, without a line of an access log"),
        "unreadable": _("{files} that could not be read"),
    }[kind]
    return text.format(files=ngettext("{n} file", "{n} files", n).format(n=numbers.count(n)))


def ask_count(length: str) -> str:
    return _("Count the logs of {length}").format(length=length)


def ask_count_text() -> str:
    return _(
        "This window is longer than a day: its logs are counted when you say so. What was counted is kept, and never read again."
    )


def nothing_counted() -> str:
    return _("No requests in the logs of this window.")


def nothing_counted_text() -> str:
    return _(
        "The load balancer writes a file every five minutes, and a quiet one none. Was there traffic, and were the logs enabled then?"
    )


def not_configured() -> str:
    return _("Access logs are not configured")


def not_configured_text() -> str:
    return _(
        "Only they say which route failed on which fleet, and whose 502, 503 and 504 they were. "
        "Write this into migration.toml, and start again; docs/access_logs.md has the rest."
    )
