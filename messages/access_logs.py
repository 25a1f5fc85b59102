"""Messages of `cli.py endpoints`: counting, problems of files, and its table."""

from collections.abc import Mapping

from messages import numbers
from messages.command_help import command_help
from messages.i18n import LazyText, _, lazy

COMMAND = command_help(
    lazy("Compare the fleets by route, from access logs."),
    lazy("All routes, the worst first. Logs are those of [access_logs], or of --logs."),
    exit_codes={
        0: lazy("No route regresses, and all of them together are at parity, or better."),
        1: lazy("A route regresses, or all of them together do."),
        2: lazy("Undecided, or not enough data."),
        3: lazy(
            "Not judged: no logs of that time or none of the fleets' requests in them, no [access_logs], an option or the configuration is "
            "invalid, or the archive cannot be opened."
        ),
    },
    examples="""
        cli.py endpoints
        cli.py endpoints --from "2026-09-21 14:00" --to "2026-09-21 16:00"
        cli.py endpoints --logs logs/2026-09-21    # nothing is stored
        cli.py endpoints --engine athena --from 2026-09-20T00:00Z
    """,
)
LOGS = lazy("A file or folder of access logs, gzip or plain, instead of the configured place; nothing of it is stored.")
ENGINE = lazy("files: counted on this machine; athena: whole days, counted by Athena in S3, which costs money.")
WINDOW = lazy("How far back: 45m, 3h, 2d; 14d at most. Default: the last hour; with --logs, all of it.")
FROM = lazy("From this time on, in the migration's time zone: 2026-09-21 14:00. Instead of --window.")
TO = lazy("Up to this time. Default: now.")
LISTING_FILES = lazy("Looking for files")
WAITING = lazy("Another process is counting; waiting for it")
NOT_CONFIGURED = lazy(
    "No access logs are configured. Name a folder with --logs, or write [access_logs] into migration.toml: the table may be empty, the load "
    "balancer says where its logs are (docs/access_logs.md)."
)
ATHENA_NOT_CONFIGURED = lazy(
    "Athena may not be asked: migration.toml has no table [access_logs.athena]. docs/athena.md says what belongs there."
)
ATHENA_WITH_LOGS = lazy("Athena counts logs in S3, and --logs names some on this machine. Leave one of them out.")
NO_LOGS = lazy("There is no access log of that time. A file comes about five minutes after its last line.")
WINDOW_AND_RANGE = lazy("Write --window or --from and --to, not both.")
RANGE_REVERSED = lazy("It is to end before it begins.")
RANGE_CLIPPED = lazy("The range is shortened: at most the last 14 days of it are counted, and no future time.")
RANGE_WITHOUT_PAST = lazy("The range has no time between 1970 and now.")
ALL_ROUTES = lazy("all together")
FILE_PROBLEMS: dict[str, LazyText] = {
    "cut_off": lazy("It ends in the middle; the lines before that were counted. Was it still being copied?"),
    "damaged": lazy("It is damaged; the lines before the damage were counted. Fetch it again."),
    "not_a_log": lazy("None of its lines is a line of an access log of an Application Load Balancer."),
    "unreadable": lazy("It cannot be read. Look who may read it."),
    "": lazy("Some of its lines could not be counted: they are no lines of an access log."),
}


def counting(files: int, lines: int) -> str:
    return _("{files} files, {lines} lines").format(files=numbers.count(files), lines=numbers.count(lines))


def no_fleet_requests(requests: int, groups: str) -> str:
    return _(
        "None of {requests} requests went to a target group of [fleets.baseline] or [fleets.canary]. The logs name: {groups}."
    ).format(requests=numbers.count(requests), groups=groups)


def invalid_time(text: str) -> str:
    return _("“{text}” is not a time. Write for example 2026-09-21 14:00.").format(text=text)


def lines_read(read: int, parsed: int, unparsed: int, files: int) -> str:
    """ "1.2M lines of 36 files were read: all of them could be counted." """
    counted = _("{read} lines of {files} files were read").format(read=numbers.count(read), files=numbers.count(files))
    if not unparsed:
        return _("{counted}; all of them could be counted.").format(counted=counted)
    return _("{counted}; {parsed} could be counted, {unparsed} could not.").format(
        counted=counted, parsed=numbers.count(parsed), unparsed=numbers.count(unparsed)
    )


def changed_files(files: int) -> str:
    return _(
        "{files} files were counted before and have another size now. What has come since is not counted: the counts of a file are never taken back. "
        "Give what is new a file of its own."
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
        return _("All requests together show no regression, and one route does.")
    return _("All requests together show no regression, and {routes} routes do.").format(routes=routes)


def more_routes(routes: int) -> str:
    return _("{routes} more routes: --json has all of them.").format(routes=numbers.count(routes))


def verdict_counts(by_verdict: Mapping[str, int]) -> str:
    return "  ·  ".join(f"{label}: {numbers.count(n)}" for label, n in by_verdict.items())
