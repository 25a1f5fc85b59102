"""Messages for the counting of access logs on the Endpoints page."""

from messages import numbers, times
from messages.i18n import _, lazy, plural

EXAMPLE = """[access_logs]
# Where they lie on this machine; or leave both out, and the load balancer's attributes say where in S3.
path = "logs/2026-09-21"
# Routes that go by a name of their own: * is one segment, ** the rest.
routes = ["/photos/*/comments", "/admin/**"]
"""
LISTING = lazy("Looking for the logs of this window …")
BUSY = lazy("Another process is counting logs just now; what it has counted is shown.")
COUNT_EXPLAINED = lazy(
    "This window is longer than a day: its logs are counted when you say so. What was counted is kept, and never read again."
)
NO_REQUESTS = lazy("No requests in the logs of this window.")
NO_REQUESTS_TEXT = lazy(
    "The load balancer writes a file every five minutes, and a quiet one none. Was there traffic, and were the logs enabled then?"
)
NOT_CONFIGURED = lazy("Access logs are not configured")
NOT_CONFIGURED_TEXT = lazy(
    "Only they say which route failed on which fleet, and whose 502, 503 and 504 they were. "
    "Write this into migration.toml, and start again; docs/access_logs.md has the rest."
)


def lines_read(read: int, parsed: int, files: int, minutes: int) -> str:
    return _("{read} lines read, {parsed} counted, {unparsed} lost, in {files} of {length}.").format(
        read=numbers.count(read),
        parsed=numbers.count(parsed),
        unparsed=numbers.count(read - parsed),
        files=plural("{n} file", "{n} files", files),
        length=times.duration(minutes * 60),
    )


def progress(files_done: int, files_total: int, bytes_done: int, bytes_total: int) -> str:
    return _("Processing logs: {done} of {total} files, {mb_done} of {mb_total} MB.").format(
        done=numbers.count(files_done),
        total=numbers.count(files_total),
        mb_done=numbers.count(bytes_done / 1e6),
        mb_total=numbers.count(bytes_total / 1e6),
    )


def changed_files(n: int) -> str:
    return plural(
        "{n} file has grown since it was counted: what came later is not in the numbers.",
        "{n} files have grown since they were counted: what came later is not in the numbers.",
        n,
    )


def skipped_files(n: int) -> str:
    return plural(
        "{n} file beside them is no access log of this load balancer and was left out.",
        "{n} files beside them are no access logs of this load balancer and were left out.",
        n,
    )


def skipped_lines(n: int) -> str:
    return plural(
        "{n} line was left out: it is of another load balancer, or its time is years away from that of all others.",
        "{n} lines were left out: they are of another load balancer, or their time is years away from that of all others.",
        n,
    )


def file_problem(kind: str, n: int) -> str:
    text = {
        "cut_off": _("{files} cut off: what is there was counted, the rest of it is lost"),
        "damaged": _("{files} damaged: what could be unpacked was counted"),
        "not_a_log": _("{files} of another kind, without a line of an access log"),
        "unreadable": _("{files} that could not be read"),
    }[kind]
    return text.format(files=plural("{n} file", "{n} files", n))


def count_button(length: str) -> str:
    return _("Count the logs of {length}").format(length=length)
