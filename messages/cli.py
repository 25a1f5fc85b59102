"""Messages of the command line: help texts, table headings and errors."""

from domain.files import FileExposure
from messages import times
from messages.command_help import USAGE_ERROR, command_help
from messages.i18n import LazyText, _, lazy

HELP = command_help(
    lazy("Read-only command line for a migration behind one Application Load Balancer."),
    lazy(
        "The migration is that of --config, else of MIGRATION_CONFIG, else of ./migration.toml; without any of them it is the demo. Every command has --json "
        "(docs/cli.md has the shapes) and --help."
    ),
    exit_codes={
        0: lazy("Done. Each command lists what its other exit codes mean."),
        2: lazy("There is no such command, or an option is invalid (3 in commands with a verdict)."),
    },
    examples="""
        cli.py doctor --demo
        cli.py judge --help
    """,
)
DOCTOR = command_help(
    lazy("Check the configuration, the archive and every permission."),
    lazy(
        "Each failed check has its next step; ! marks remarks and failures of optional sources, which do not count; – marks what was not checked. "
        "Target groups and jobs have the age of their newest datapoint."
    ),
    exit_codes={0: lazy("All checks passed."), 1: lazy("A check failed."), 2: USAGE_ERROR},
    examples="""
        cli.py doctor
        cli.py doctor --config staging.toml
        cli.py doctor --json | jq -r '.checks[] | select(.ok==false) | .permission'
    """,
)
WEIGHTS = command_help(
    lazy("Show the listener rules, their weights and target health."),
    lazy("--history shows every known change of the weights instead."),
    exit_codes={
        0: lazy("The split was read, and nothing was denied; with --history: done."),
        1: lazy(
            "The split was not read, a part of it was denied, the configuration is invalid, or the archive cannot be opened."
        ),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py weights
        cli.py weights --json | jq .configured.canary
        cli.py weights --history
    """,
)
DEPLOYMENTS = command_help(
    lazy("Show deployments, preflight and rollback readiness."),
    lazy(
        "The state of the ECS services and their deployments, whether a blue/green deployment could start now, and whether the baseline could take "
        "all traffic back; with the AWS commands for both, to copy. None of them is run."
    ),
    exit_codes={
        0: lazy("A service was read, there is no issue, and a rollback is not impossible."),
        1: lazy(
            "Nothing was read, there is an issue, a rollback is impossible, the configuration is invalid, or the archive cannot be opened."
        ),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py deployments
        cli.py deployments --json | jq -r '.preflights[].steps[].command'
        cli.py deployments --json | jq -r .rollback.command
    """,
)
WATCH = command_help(
    lazy("Show both fleets side by side, refreshed."),
    lazy(
        "The decision on the current phase, as of judge; and requests, configured and observed share, errors, latency and the differences, in the newest "
        "final minute. They are read through the archive, "
        "like those of the pages."
    ),
    exit_codes={
        0: lazy("Ended by Ctrl-C; with --once: CONTINUE."),
        1: lazy("With --once: ROLL BACK."),
        2: lazy("With --once: HOLD or WAIT."),
        3: lazy("With --once: NO DATA. An option or the configuration is invalid, or the archive cannot be opened."),
    },
    examples="""
        cli.py watch                            # a table, every 20 seconds
        cli.py watch --every 60 --source mackerel
        cli.py watch --once                     # one table
        cli.py watch --json >> canary.jsonl     # a line of JSON a refresh
    """,
)
JUDGE = command_help(
    lazy("Judge the current phase: a gate for a pipeline."),
    lazy(
        "The current phase is the time since the last weight change or deployment of the canary. It is safe to poll: the intervals are anytime-valid."
    ),
    exit_codes={
        0: lazy("CONTINUE: parity, or improvement. `verdict` in the JSON says which."),
        1: lazy("ROLL BACK: a critical criterion regressed, or the canary fails most of its requests."),
        2: lazy("HOLD: something argues against going on. WAIT: not decided yet. `reasons` in the JSON says why."),
        3: lazy(
            "NO DATA, or not judged: an option, the configuration or the CSV is invalid, the archive cannot be opened, or there are no current numbers."
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
DEMO = lazy("Use the scripted demo instead of a configuration.")
JSON = lazy("Print JSON on one line instead.")
EVERY = lazy("Seconds between two refreshes.")
ONCE = lazy("Print once and exit.")
WINDOW = lazy("How far back to judge: 45m, 3h, 1h30m, 2d; 14d at most. Default: the current phase.")
PHASE = lazy(
    "The phase to judge: current, or its number or name as Parity and retrospective --json show it. Default: current."
)
CSV = lazy("Judge this CSV alone, with the criteria of --config if there are any; - for standard input.")
WARM_UP = lazy(
    "With --csv: not judged at its start and after each change of the share. Default: `warm_up` of the configuration; 0: none."
)
CONTEXT = lazy(
    "With --csv of an evidence file: its judgement.json, which has the warm-up and what was known from before."
)
TRACE = lazy("With --csv: what it would have said after every minute, as CSV; with --json a line of JSON a minute.")
WATCH_VERDICT = lazy(
    "Repeat until CONTINUE or ROLL BACK. Safe to poll for a phase (anytime-valid); with --window each look is a new test: over three days "
    "without a difference, 12 to 28% of such watches raise an alarm."
)
SOURCE = lazy("The metric source: cloudwatch, mackerel or demo. Default: the first that is configured.")
REPORT_LANGUAGE = lazy("The language of the report: en or ja. Default: that of MIGRATION_LANGUAGE or of the system.")
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
BUILT_IN_DEMO = lazy("built in: the demo")
ALL_OTHER_REQUESTS = lazy("all others")  # the condition of a rule without conditions
SPLIT = lazy("the split")
OTHER_SPLIT = lazy("splits too")
HEADER_RULE = lazy("header override")
UNREACHABLE = lazy("never reached")
HISTORY = lazy("Every known change of the weights: its bake time, author and tool.")
NO_WEIGHT_CHANGES = lazy(
    "No change of the weights is known yet. This program notes those it sees; CloudTrail tells of the last 90 days."
)
SHORT_STEPS_NOTE = lazy("Faint: held for less than half an hour, as around a blue/green deployment.")
WEIGHTS_WITHOUT_AWS = lazy(
    "The weights are read from AWS, and this migration has no [aws]. Add it to migration.toml; `watch` shows the share that was seen."
)
NO_SPLIT = lazy("No rule sends traffic to these fleets.")
LOW_SAMPLE_NOTE = lazy("? low sample, not judged")
NO_FINAL_DATA = lazy("No settled numbers yet.")
DEFAULT_CRITERIA = lazy(
    "These margins are defaults: none are configured. Write your own under [[criteria]] in migration.toml."
)
WINDOW_AND_PHASE = lazy("A phase has its own window. Give one of both.")
NOT_WITH_CSV = lazy("A CSV has no phases and no sources, and does not change. Leave it out, or leave out --csv.")
ONLY_WITH_CSV = lazy("It is for a CSV: name one with --csv, or leave it out.")
CONTEXT_AND_WARM_UP = lazy("The file has a warm-up already: leave out --warm-up, or --context.")
NO_CONTEXT = lazy("The file has no `context`. Name the judgement.json of the evidence file.")
STANDARD_INPUT = lazy("standard input")
SAMPLE_RATIO: dict[str, LazyText] = {
    "matches": lazy("matches"),
    "differs": lazy("mismatch"),
    "not enough data": lazy("too early to tell"),
}


NOTHING_TO_CHECK = lazy("Not checked: there was nothing to read with it.")


def doctor_summary(failed: int) -> str:
    if not failed:
        return _("All checks passed.")
    return _("Not fine yet: {wrong}. Each says what to do.").format(wrong=failed)


def newest(age: str) -> str:
    return _("newest {age} ago").format(age=age)


def not_checked(operation: str) -> str:
    return _("Not checked, because {operation} failed.").format(operation=operation)


def no_such_source(given: str, known: str) -> str:
    return _("There is no source {given} in this migration. There is: {known}.").format(given=given, known=known)


def not_forwarded(action: str) -> str:
    return _("{action}, to no target group").format(action=action)


def history_head(canary: str) -> tuple[str, ...]:
    return _("when"), _("share of {label}").format(label=canary), _("duration"), _("by")


def so_far(duration: str) -> str:
    return _("{duration} so far").format(duration=duration)


def metric(name: str) -> str:
    """A row of the table of `watch`."""
    return {
        "requests": _("requests"),
        "configured_share": _("share configured"),
        "observed_share": _("share observed"),
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
    return _("Left out: {reasons}.").format(reasons=reasons)


def csv_truncated(limit: int) -> str:
    return _("Reading stopped after {limit} mistakes.").format(limit=limit)


def invalid_warm_up(given: str) -> str:
    return _("“{given}” is no time of at most a day, like 10m or 1h; 0 is none.").format(given=given)


def invalid_window(given: str) -> str:
    return _("“{given}” is not a length of time up to 14 days. Write it like 45m, 3h, 1h30m or 2d.").format(given=given)


def no_such_phase(given: str, n_phases: int) -> str:
    return _("There is no phase {given}. Write current, or a number from 1 to {known}.").format(
        given=given, known=n_phases
    )
