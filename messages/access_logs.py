"""Messages of `cli.py endpoints`: counting, problems of files, and its table."""

from collections.abc import Mapping

from messages import numbers
from messages.command_help import command_help
from messages.i18n import LazyText, _, lazy

COMMAND = command_help(
    lazy("Compare the fleets by route, from access logs"),
    lazy("All routes, worst first. Reads [access_logs], or --logs."),
    exit_codes={
        0: lazy("No route regressed; the aggregate is at parity or improved."),
        1: lazy("A route or the aggregate regressed."),
        2: lazy("Inconclusive, or insufficient data."),
        3: lazy(
            "Not judged: no matching logs or requests, no [access_logs], invalid option or configuration, or archive unavailable."
        ),
    },
    examples="""
        cli.py endpoints
        cli.py endpoints --from "2026-09-21 14:00" --to "2026-09-21 16:00"
        cli.py endpoints --why --window 3h
        cli.py endpoints --logs logs/2026-09-21    # nothing is stored
        cli.py endpoints --engine athena --from 2026-09-20T00:00Z
    """,
)
LOGS = lazy("File or folder of access logs (gzip or plain), instead of [access_logs]; nothing is stored.")
ENGINE = lazy("files: process on this machine; athena: whole days with Athena (billed).")
WINDOW = lazy("How far back: 45m, 3h, 2d; max. 14d. Default: 1h; with --logs, all of it.")
FROM = lazy("Start, in the migration's time zone: 2026-09-21 14:00. Instead of --window.")
TO = lazy("End. Default: now.")
WHY = lazy("What the failed (or slow) requests have in common.")
LISTING_FILES = lazy("Listing files")
WAITING = lazy("Another process is processing logs; waiting")
NOT_CONFIGURED = lazy(
    "Access logs are not configured. Name a folder with --logs, or add [access_logs] to migration.toml. It may be empty: the load balancer's "
    "attributes have the S3 location (docs/access_logs.md)."
)
ATHENA_NOT_CONFIGURED = lazy("Athena is not configured: add [access_logs.athena] to migration.toml (docs/athena.md).")
ATHENA_WITH_LOGS = lazy("--logs (this machine) and --engine athena (S3) are mutually exclusive.")
NO_LOGS = lazy("No access logs for that time. A file arrives about 5 minutes after its last line.")
WINDOW_AND_RANGE = lazy("Use --window, or --from and --to, not both.")
RANGE_REVERSED = lazy("--to must be after --from.")
RANGE_CLIPPED = lazy("Range clipped to its last 14 days, without future times.")
RANGE_WITHOUT_PAST = lazy("The range has no time between 1970 and now.")
ALL_ROUTES = lazy("aggregate")
FILE_PROBLEMS: dict[str, LazyText] = {
    "cut_off": lazy("Truncated; the lines before that were processed. Was it still being copied?"),
    "damaged": lazy("Corrupt; the lines before the damage were processed. Download it again."),
    "not_a_log": lazy("Not an access log of an Application Load Balancer."),
    "unreadable": lazy("Unreadable. Check its permissions."),
    "": lazy("Some lines could not be parsed."),
}


def counting(files: int, lines: int) -> str:
    return _("{files} files, {lines} lines").format(files=numbers.count(files), lines=numbers.count(lines))


def no_fleet_requests(requests: int, groups: str) -> str:
    return _(
        "None of {requests} requests matched a target group of [fleets.baseline] or [fleets.canary]. Found: {groups}."
    ).format(requests=numbers.count(requests), groups=groups)


def invalid_time(text: str) -> str:
    return _("Invalid time “{text}”. Use for example 2026-09-21 14:00.").format(text=text)


def lines_read(read: int, parsed: int, unparsed: int, files: int) -> str:
    """ "1.2M lines of 36 files were read: all of them could be counted." """
    counted = _("{read} lines read from {files} files").format(read=numbers.count(read), files=numbers.count(files))
    if not unparsed:
        return _("{counted}; all parsed.").format(counted=counted)
    return _("{counted}; {parsed} parsed, {unparsed} not parsable.").format(
        counted=counted, parsed=numbers.count(parsed), unparsed=numbers.count(unparsed)
    )


def changed_files(files: int) -> str:
    return _(
        "{files} files changed size after they were processed. Appended lines are ignored: each file is processed once. Put new lines in a new file."
    ).format(files=numbers.count(files))


def table_head(baseline: str, canary: str) -> tuple[str, ...]:
    return (
        _("Route"),
        _("Verdict"),
        _("Requests"),
        _("Errors {fleet}").format(fleet=baseline),
        canary,
        _("p95 {fleet}").format(fleet=baseline),
        canary,
    )


def hidden_regressions(routes: int) -> str:
    if routes == 1:
        return _("No regression in aggregate, but 1 route regressed.")
    return _("No regression in aggregate, but {routes} routes regressed.").format(routes=routes)


def more_routes(routes: int) -> str:
    return _("{routes} more routes; use --json for all.").format(routes=numbers.count(routes))


def verdict_counts(by_verdict: Mapping[str, int]) -> str:
    return "  ·  ".join(f"{label}: {numbers.count(n)}" for label, n in by_verdict.items())
