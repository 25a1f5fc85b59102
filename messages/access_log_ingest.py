"""Messages for the counting of access logs on the Endpoints page."""

from messages import numbers, times
from messages.i18n import _, lazy, plural

EXAMPLE = """[access_logs]
# Where they lie on this machine; or leave both out, and the load balancer's attributes say where in S3.
path = "logs/2026-09-21"
# Routes that go by a name of their own: * is one segment, ** the rest.
routes = ["/photos/*/comments", "/admin/**"]
"""
LISTING = lazy("Listing logs of this window …")
BUSY = lazy("Another process is processing logs; showing its results so far.")
COUNT_EXPLAINED = lazy("Logs of more than a day are processed on request. Results are stored; each file is read once.")
NO_REQUESTS = lazy("No requests in the logs of this window.")
NO_REQUESTS_TEXT = lazy(
    "The load balancer writes files every 5 minutes, none without traffic. Check that there was traffic and that access logs were enabled."
)
NOT_CONFIGURED = lazy("Access logs are not configured")
NOT_CONFIGURED_TEXT = lazy(
    "Access logs show which route failed on which fleet, and whether a 502, 503 or 504 came from the load balancer or a target. Add this to "
    "migration.toml and restart; see docs/access_logs.md."
)


def lines_read(read: int, parsed: int, files: int, minutes: int) -> str:
    return _("{read} lines read, {parsed} parsed, {unparsed} not parsable; {files}, {length}.").format(
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
        "{n} file grew after it was processed; appended lines are not included.",
        "{n} files grew after they were processed; appended lines are not included.",
        n,
    )


def skipped_files(n: int) -> str:
    return plural(
        "{n} file excluded: not an access log of this load balancer.",
        "{n} files excluded: not access logs of this load balancer.",
        n,
    )


def skipped_lines(n: int) -> str:
    return plural(
        "{n} line excluded: of another load balancer, or years away from all other lines.",
        "{n} lines excluded: of another load balancer, or years away from all other lines.",
        n,
    )


def file_problem(kind: str, n: int) -> str:
    text = {
        "cut_off": _("{files} truncated: processed up to there, the rest is lost"),
        "damaged": _("{files} corrupt: processed as far as readable"),
        "not_a_log": _("{files} without access log lines"),
        "unreadable": _("{files} unreadable"),
    }[kind]
    return text.format(files=plural("{n} file", "{n} files", n))


def count_button(length: str) -> str:
    return _("Process the logs of {length}").format(length=length)
