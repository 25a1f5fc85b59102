"""Messages of the evidence file and of `cli.py report`."""

from domain import EventKind
from messages import numbers
from messages.command_help import command_help
from messages.events import KINDS_SINGULAR
from messages.i18n import _

FILE = _("Evidence file")
FILE_EXPLAINED = _(
    "One ZIP: a page to read and print, the numbers it stands on as CSV and Parquet, the judgement as JSON."
)
WINDOW = _("Evidence window")
IN_UTC = _("in UTC")
JUDGED_UNTIL = _("judged until")
NOT_SETTLED = _("nothing of it is settled yet")
MADE = _("Made")
CRITERIA = _("Criteria")
OVER_TIME = _("How the intervals came about")
SIDE_BY_SIDE = _("Side by side")
ERROR_RATE = _("Error rate")
P95 = _("Latency, p95")
CONFIGURATION = _("Configuration")
REGION = _("Region")
LOAD_BALANCER = _("Load balancer")
RULE = _("Listener rule")
RULE_FOUND = _("not configured: the rule that splits the traffic is found")
ZONE = _("Time zone")
SOURCE = _("Source of the numbers")
PROVISIONAL = _("Provisional minutes")
BETTER = _("better")
HAPPENED = _("What happened in the window")
NOTHING_HAPPENED = _("Nothing that the archive knows of.")
QUERIES = _("Queries")
NO_QUERIES = _("The demo asks nobody: its numbers are made up.")
ASKED_AS = _("asked as")
SERIES = _("series")
OPEN = _("open")
FILES = _("Files")
CHECK = _("To check that the numbers are those of this page, unpack the ZIP and compare:")
CHECK_JUDGE = _("SHA-256 of the judge's program text:")
VERSIONS = _("Versions")
NO_WINDOW_LATENCY = _(
    "Nobody told the percentiles of the whole window: the source keeps one value a minute, or was not asked."
)
NO_CHART_DATA = _("There are no settled minutes to draw.")
REPORT = command_help(
    _("Write the evidence file of a phase or a window."),
    _(
        "One ZIP: a page to read and print, the numbers as CSV and Parquet, and the judgement as JSON. Prints its path, and the SHA-256 of its data.csv as "
        "`sha256sum` does."
    ),
    exit_codes={
        0: _("Written, whatever its verdict."),
        3: _(
            "Not written: an option or the configuration is invalid, the archive cannot be opened, there are no current numbers, or the file cannot be written."
        ),
    },
    examples="""
        cli.py report
        cli.py report --window 3h               # the last three hours
        cli.py report --phase 4 --out go.zip    # counted from the oldest known
    """,
)
OUT = _(
    "Where to write it. Default: the working directory, named after the migration and the window. An existing file is replaced."
)


def better(direction: str) -> str:
    return {"lower": _("lower"), "higher": _("higher")}[direction]


def kind(event_kind: EventKind) -> str:
    return _("rollback") if event_kind == "rollback" else KINDS_SINGULAR[event_kind]


def rows(count: int) -> str:
    return _("{count} rows").format(count=numbers.count(count))


def page_alternative(title: str) -> str:
    return _("{title}: both fleets overlaid, their difference below.").format(title=title)


def reading(source: str) -> str:
    return _("Reading {source} …").format(source=source)


def not_written(path: str, detail: str) -> str:
    return _("{path} could not be written: {detail}. Name another with --out.").format(path=path, detail=detail)
