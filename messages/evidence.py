"""Messages of the evidence file and of `cli.py report`."""

from messages import numbers
from messages.command_help import command_help
from messages.i18n import _, lazy

FILE = lazy("Evidence file")
FILE_EXPLAINED = lazy("One ZIP: the report (HTML), its data (CSV, Parquet), the judgement and the sign-offs (JSON).")
WINDOW = lazy("Evidence window")
IN_UTC = lazy("in UTC")
JUDGED_UNTIL = lazy("Data through")
NOT_SETTLED = lazy("no final data yet")
MADE = lazy("Generated")
CRITERIA = lazy("Criteria")
OVER_TIME = lazy("CI over time")
SIDE_BY_SIDE = lazy("Both fleets")
ERROR_RATE = lazy("Error rate")
P95 = lazy("Latency, p95")
CONFIGURATION = lazy("Configuration")
REGION = lazy("Region")
LOAD_BALANCER = lazy("Load balancer")
RULE = lazy("Listener rule")
RULE_FOUND = lazy("not configured: detected")
ZONE = lazy("Time zone")
SOURCE = lazy("Data source")
PROVISIONAL = lazy("Provisional minutes")
BETTER = lazy("better")
HAPPENED = lazy("Events")
NOTHING_HAPPENED = lazy("No events in the archive.")
QUERIES = lazy("Queries")
NO_QUERIES = lazy("Demo: generated data, no queries.")
ASKED_AS = lazy("query")
SERIES = lazy("series")
OPEN = lazy("open")
FILES = lazy("Files")
CHECK = lazy("To verify the data, unpack the ZIP and compare:")
CHECK_SIGNED = lazy("A sign-off is a signature under the SHA-256 of these sums:")
CHECK_JUDGE = lazy("Judge source SHA-256:")
VERSIONS = lazy("Versions")
NO_WINDOW_LATENCY = lazy(
    "No percentiles of the whole window: the source stores one value per minute, or was not queried."
)
NO_CHART_DATA = lazy("No final minutes to draw.")
REPORT = command_help(
    lazy("Write the evidence file of a phase or window"),
    lazy(
        "One ZIP: report (HTML), data (CSV, Parquet), judgement and sign-offs (JSON). Prints its path and the SHA-256 of data.csv, as `sha256sum` does; "
        "`verify` checks the file."
    ),
    exit_codes={
        0: lazy("Written, whatever its verdict."),
        3: lazy(
            "Not written: invalid option or configuration, archive unavailable, no current data, or file not writable."
        ),
    },
    examples="""
        cli.py report
        cli.py report --window 3h               # the last three hours
        cli.py report --phase 4 --out go.zip    # counted from the oldest known
    """,
)
OUT = lazy("Output file. Default: working directory, named after migration and window. Overwrites.")


def better(direction: str) -> str:
    return {"lower": _("lower"), "higher": _("higher"), "equal": _("equal")}[direction]


def rows(count: int) -> str:
    return _("{count} rows").format(count=numbers.count(count))


def page_alternative(title: str) -> str:
    return _("{title}: both fleets and their difference.").format(title=title)


def reading(source: str) -> str:
    return _("Reading {source} …").format(source=source)


def not_written(path: str, detail: str) -> str:
    return _("Cannot write {path}: {detail}. Use another --out.").format(path=path, detail=detail)
