"""Messages of the evidence file and of `cli.py report`."""

from domain import EventKind
from messages import numbers
from messages.command_help import command_help
from messages.events import KINDS_SINGULAR
from messages.i18n import _, lazy

FILE = lazy("Evidence file")
FILE_EXPLAINED = lazy(
    "One ZIP: a page to read and print, the numbers it stands on as CSV and Parquet, the judgement as JSON."
)
WINDOW = lazy("Evidence window")
IN_UTC = lazy("in UTC")
JUDGED_UNTIL = lazy("judged until")
NOT_SETTLED = lazy("nothing of it is settled yet")
MADE = lazy("Made")
CRITERIA = lazy("Criteria")
OVER_TIME = lazy("How the intervals came about")
SIDE_BY_SIDE = lazy("Side by side")
ERROR_RATE = lazy("Error rate")
P95 = lazy("Latency, p95")
CONFIGURATION = lazy("Configuration")
REGION = lazy("Region")
LOAD_BALANCER = lazy("Load balancer")
RULE = lazy("Listener rule")
RULE_FOUND = lazy("not configured: the rule that splits the traffic is found")
ZONE = lazy("Time zone")
SOURCE = lazy("Source of the numbers")
PROVISIONAL = lazy("Provisional minutes")
BETTER = lazy("better")
HAPPENED = lazy("What happened in the window")
NOTHING_HAPPENED = lazy("Nothing that the archive knows of.")
QUERIES = lazy("Queries")
NO_QUERIES = lazy("The demo asks nobody: its numbers are made up.")
ASKED_AS = lazy("asked as")
SERIES = lazy("series")
OPEN = lazy("open")
FILES = lazy("Files")
CHECK = lazy("To check that the numbers are those of this page, unpack the ZIP and compare:")
CHECK_JUDGE = lazy("SHA-256 of the judge's program text:")
VERSIONS = lazy("Versions")
NO_WINDOW_LATENCY = lazy(
    "Nobody told the percentiles of the whole window: the source keeps one value a minute, or was not asked."
)
NO_CHART_DATA = lazy("There are no settled minutes to draw.")
REPORT = command_help(
    lazy("Write the evidence file of a phase or a window."),
    lazy(
        "One ZIP: a page to read and print, the numbers as CSV and Parquet, and the judgement as JSON. Prints its path, and the SHA-256 of its data.csv as "
        "`sha256sum` does."
    ),
    exit_codes={
        0: lazy("Written, whatever its verdict."),
        3: lazy(
            "Not written: an option or the configuration is invalid, the archive cannot be opened, there are no current numbers, or the file cannot be written."
        ),
    },
    examples="""
        cli.py report
        cli.py report --window 3h               # the last three hours
        cli.py report --phase 4 --out go.zip    # counted from the oldest known
    """,
)
OUT = lazy(
    "Where to write it. Default: the working directory, named after the migration and the window. An existing file is replaced."
)


def better(direction: str) -> str:
    return {"lower": _("lower"), "higher": _("higher")}[direction]


def kind(event_kind: EventKind) -> str:
    return str(_("rollback") if event_kind == "rollback" else KINDS_SINGULAR[event_kind])


def rows(count: int) -> str:
    return _("{count} rows").format(count=numbers.count(count))


def page_alternative(title: str) -> str:
    return _("{title}: both fleets overlaid, their difference below.").format(title=title)


def reading(source: str) -> str:
    return _("Reading {source} …").format(source=source)


def not_written(path: str, detail: str) -> str:
    return _("{path} could not be written: {detail}. Name another with --out.").format(path=path, detail=detail)
