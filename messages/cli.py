"""Messages of the command line: help texts, table headings and errors."""

from collections.abc import Sequence

from domain.files import FileExposure
from messages import times
from messages.command_help import USAGE_ERROR, command_help
from messages.i18n import LazyText, _, lazy, plural

HELP = command_help(
    lazy("Read-only CLI for a migration behind one ALB."),
    lazy(
        "Configuration: --config, else MIGRATION_CONFIG, else ./migration.toml, else the demo. Every command has "
        "--json (format: docs/cli.md) and --help."
    ),
    exit_codes={
        0: lazy("Success. Each command lists its other exit codes."),
        2: lazy("Unknown command or invalid option (3 in commands with a verdict)."),
    },
    examples="""
        cli.py doctor --demo
        cli.py judge --help
    """,
)
# The headings of the list of commands.
WATCH_GROUP = lazy("Watch")
DECIDE_GROUP = lazy("Decide")
EVIDENCE_GROUP = lazy("Evidence")
SET_UP_GROUP = lazy("Set up")
DATA_GROUP = lazy("Data")
DOCTOR = command_help(
    lazy("Check configuration and permissions"),
    lazy(
        "Each failed check comes with its fix. ! marks notices and failures of optional sources (not counted), – "
        "marks skipped checks. Target groups and jobs show the age of their newest datapoint."
    ),
    exit_codes={0: lazy("All checks passed."), 1: lazy("A check failed."), 2: USAGE_ERROR},
    examples="""
        cli.py doctor
        cli.py doctor --config staging.toml
        cli.py doctor --json | jq -r '.checks[] | select(.ok==false) | .permission'
    """,
)
WEIGHTS = command_help(
    lazy("Show listener rules, weights and target health"),
    lazy("With --history: all recorded weight changes instead."),
    exit_codes={
        0: lazy("The split was read, nothing denied; with --history: success."),
        1: lazy("The split was not read completely, invalid configuration, or archive unavailable."),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py weights
        cli.py weights --json | jq .configured.canary
        cli.py weights --history
    """,
)
DEPLOYMENTS = command_help(
    lazy("Show deployments, preflight and rollback capacity"),
    lazy(
        "State of the ECS services and deployments, preflight of a blue/green deployment, and rollback capacity of "
        "the baseline, with the AWS commands for both to copy. Commands are never executed."
    ),
    exit_codes={
        0: lazy("A service was read, no issue, and rollback is not impossible."),
        1: lazy("No service was read, an issue, rollback impossible, invalid configuration, or archive unavailable."),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py deployments
        cli.py deployments --json | jq -r '.preflights[].steps[].command'
        cli.py deployments --json | jq -r .rollback.command
    """,
)
WATCH = command_help(
    lazy("Show both fleets side by side, refreshing"),
    lazy(
        "The decision on the current phase (as in judge); requests, configured and observed share, errors, latency "
        "and differences in the newest final minute. Reads through the archive, like the pages."
    ),
    exit_codes={
        0: lazy("Ended by Ctrl-C; with --once: CONTINUE."),
        1: lazy("With --once: ROLL BACK."),
        2: lazy("With --once: HOLD or WAIT."),
        3: lazy("With --once: NO DATA. Invalid option or configuration, or archive unavailable."),
    },
    examples="""
        cli.py watch                            # a table, every 20 seconds
        cli.py watch --every 60 --source mackerel
        cli.py watch --once                     # one table
        cli.py watch --json >> canary.jsonl     # a line of JSON a refresh
    """,
)
JUDGE = command_help(
    lazy("Judge the current phase (a gate for pipelines)"),
    lazy("The current phase starts at the last weight change or canary deployment. Safe to poll (anytime-valid)."),
    exit_codes={
        0: lazy("CONTINUE: parity or improvement (`verdict` in the JSON)."),
        1: lazy("ROLL BACK: a gate criterion regressed, or the canary fails most of its requests."),
        2: lazy("HOLD: do not continue. WAIT: inconclusive so far. See `reasons` in the JSON."),
        3: lazy(
            "NO DATA, or not judged: invalid option, configuration or CSV, archive unavailable, or no current data."
        ),
    },
    examples="""
        cli.py judge
        cli.py judge --window 3h            # the last three hours
        cli.py judge --phase 4              # counted from the oldest known phase
        cli.py judge --watch --every 60     # until CONTINUE or ROLL BACK
        cli.py judge --json | jq -r '.criteria[] | [.metric, .verdict] | @tsv'
        cli.py judge --csv numbers.csv      # ts,fleet,metric,stat,value
    """,
)
VERSION = lazy("Print the version and exit.")
CONFIG = lazy("The migration.toml to read.")
DEMO = lazy("Use the demo instead of a configuration.")
MIGRATION = lazy("Which migration, if several are configured.")
JSON = lazy("Print one line of JSON instead.")
EVERY = lazy("Refresh interval in seconds.")
ONCE = lazy("Print once and exit.")
WINDOW = lazy("How far back to judge: 45m, 3h, 1h30m, 2d; max. 14d. Default: the current phase.")
PHASE = lazy("Phase to judge: current, or its number or name (see Parity or retrospective --json). Default: current.")
CSV = lazy("Judge this CSV only, by the criteria of --config if given; - for standard input.")
WARM_UP = lazy(
    "With --csv: warm-up, not judged, at its start and after each weight change. Default: `warm_up` of the "
    "configuration; 0: none."
)
CONTEXT = lazy("With --csv of an evidence file: its judgement.json (warm-up and earlier data).")
TRACE = lazy("With --csv: the verdict after every minute, as CSV; with --json one line of JSON per minute.")
WATCH_VERDICT = lazy(
    "Repeat until CONTINUE or ROLL BACK. Safe for a phase (anytime-valid). With --window each refresh is a new "
    "test: over three days without a difference, 12 to 28% of such watches raise a false alarm."
)
SOURCE = lazy("Metric source: cloudwatch, mackerel or demo. Default: the first configured.")
REPORT_LANGUAGE = lazy("Report language: en or ja. Default: MIGRATION_LANGUAGE, else the system's.")
CONFIGURATION = lazy("Configuration")
ARCHIVE = lazy("Archive")
ARCHIVE_EXPOSED: dict[FileExposure, LazyText] = {
    "other_owner": lazy(
        "The file belongs to another user, who can read and replace it. Run the program as that user, or change the owner with `chown`."
    ),
    "readable": lazy(
        "Other users of this machine can read or write the file. Run `chmod 600` on it, and on the files beside it that begin with its name."
    ),
}
BUILT_IN_DEMO = lazy("built-in demo")
ALL_OTHER_REQUESTS = lazy("all others")  # the condition of a rule without conditions
SPLIT = lazy("the split")
OTHER_SPLIT = lazy("also splits")
HEADER_RULE = lazy("header override")
UNREACHABLE = lazy("never reached")
HISTORY = lazy("All recorded weight changes, with duration, author and tool.")
NO_WEIGHT_CHANGES = lazy(
    "No weight changes recorded yet. They are recorded while this program runs; CloudTrail has those of the last "
    "90 days."
)
SHORT_STEPS_NOTE = lazy("Dimmed: duration under 30 min, for example around a blue/green deployment.")
WEIGHTS_WITHOUT_AWS = lazy("Weights are read from AWS: add [aws] to migration.toml. `watch` shows the observed share.")
NO_SPLIT = lazy("No rule sends traffic to these fleets.")
LOW_SAMPLE_NOTE = lazy("? low sample, not judged")
NO_FINAL_DATA = lazy("No final data yet.")
DEFAULT_CRITERIA = lazy("Default margins. Set your own under [[criteria]] in migration.toml.")
WINDOW_AND_PHASE = lazy("A phase has its own window: use --window or --phase, not both.")
NOT_WITH_CSV = lazy("Not available with --csv: a CSV has no phases or sources, and does not change.")
ONLY_WITH_CSV = lazy("Only available with --csv.")
CONTEXT_AND_WARM_UP = lazy("The file contains the warm-up: use --warm-up or --context, not both.")
NO_CONTEXT = lazy("The file has no `context`. Use the judgement.json of the evidence file.")
STANDARD_INPUT = lazy("standard input")
SAMPLE_RATIO: dict[str, LazyText] = {
    "matches": lazy("matches"),
    "differs": lazy("mismatch"),
    "not enough data": lazy("insufficient data"),
}


NOTHING_TO_CHECK = lazy("Not checked: nothing to read.")


def doctor_summary(failed: int) -> str:
    if not failed:
        return _("All checks passed.")
    return plural("{n} check failed. See the fix of each.", "{n} checks failed. See the fix of each.", failed)


def newest(age: str) -> str:
    return _("newest {age} ago").format(age=age)


def not_checked(operation: str) -> str:
    return _("Not checked: {operation} failed.").format(operation=operation)


def no_such_source(given: str, known: str) -> str:
    return _("No source {given} in this migration. Available: {known}.").format(given=given, known=known)


def no_such_migration(given: str, known: str, issues: Sequence[str]) -> str:
    """`issues`: where the configuration of others is invalid."""
    sentence = _("No migration {given}.").format(given=given) if given else _("Several migrations are configured.")
    parts = [sentence, _("Use one of: {known}.").format(known=known)]
    if issues:
        parts.append(_("Invalid, see doctor: {issues}.").format(issues=", ".join(issues)))
    return " ".join(parts)


def not_forwarded(action: str) -> str:
    return _("{action} (no target group)").format(action=action)


def history_head(canary: str) -> tuple[str, ...]:
    return _("when"), _("share of {label}").format(label=canary), _("duration"), _("by")


def so_far(duration: str) -> str:
    return _("{duration} so far").format(duration=duration)


def metric(name: str) -> str:
    """A row of the table of `watch`."""
    return {
        "requests": _("requests"),
        "configured_share": _("configured share"),
        "observed_share": _("observed share"),
        "error_rate": _("error rate, 5 min"),
        "unanswered_rate": _("↳ no response"),
        "target_5xx_rate": _("↳ target 5xx"),
        "unexplained_rate": _("response not counted"),
        "alb_5xx": _("ALB-generated 5xx, whole load balancer"),
    }.get(name, name.removeprefix("latency_"))


def minute_and_age(clock: str, age: str) -> str:
    return _("minute of {clock}, data {age}").format(clock=clock, age=age)


def judge_head(baseline: str, canary: str) -> tuple[str, ...]:
    return _("criterion"), baseline, canary, _("difference"), _("margin"), _("verdict"), _("time to decision")


def window_length(length_s: int) -> str:
    """The start of "Last 3h · 1.2M requests per fleet."."""
    return _("{length}").format(length=times.duration(length_s))


def phase(name: str) -> str:
    return _("phase {name}").format(name=name)


def excluded(reasons: str) -> str:
    return _("Excluded: {reasons}.").format(reasons=reasons)


def csv_truncated(limit: int) -> str:
    return _("Stopped after {limit} errors.").format(limit=limit)


def invalid_warm_up(given: str) -> str:
    return _("Invalid warm-up “{given}”. Use up to a day, for example 10m or 1h; 0 for none.").format(given=given)


def invalid_window(given: str) -> str:
    return _("Invalid length “{given}”. Use up to 14 days, for example 45m, 3h, 1h30m or 2d.").format(given=given)


def no_such_phase(given: str, n_phases: int) -> str:
    return _("No phase {given}. Use current, or 1 to {known}.").format(given=given, known=n_phases)
