"""Messages of the command line: help texts, table headings and errors."""

from messages import numbers, times
from messages.i18n import _

HELP = _(
    """Watches a migration behind one load balancer from a terminal. It only reads.

\b
  cli.py doctor      is everything configured, reachable and allowed?
  cli.py weights     how is the traffic split, and are the targets healthy?
  cli.py deployments what runs, could a deployment start, could all traffic be taken back?
  cli.py watch       both fleets side by side, refreshed
  cli.py record      keeps the archive up to date with no viewer, and fetches the past
  cli.py judge       is it proven equal? a gate for a pipeline
  cli.py report      the evidence file: a page, its numbers and the judgement in one ZIP
  cli.py batches     did every batch run when it was due?

The migration is the one of --config, else of MIGRATION_CONFIG, else of ./migration.toml; without any of them it is the demo.
Every command takes --json (docs/cli.md has the shapes) and --help.
"""
)
DOCTOR = _(
    """Checks the configuration, the archive, each source and each permission. Says what to do where something is not right.

Ends with 0 if all of it is fine, with 1 if not.

\b
  cli.py doctor
  cli.py doctor --config staging.toml
  cli.py doctor --json | jq -r '.checks[] | select(.ok | not) | .permission'
"""
)
WEIGHTS = _(
    """Shows every listener rule with its weights, the share that each fleet is told, stickiness, header doors, and the health of the targets.

Ends with 0 if the split was read, with 1 if not, or if part of it was refused.

\b
  cli.py weights
  cli.py weights --json | jq .configured.canary
  cli.py weights --history
"""
)
DEPLOYMENTS = _(
    """Shows how the ECS services stand, what is being deployed, whether a blue/green deployment would go through now, and whether the
baseline could take all of the traffic back; and the commands for both, to copy. It runs none of them.

Ends with 0 if a service was read and all is well, with 1 if not, or if the traffic could not be taken back.

\b
  cli.py deployments
  cli.py deployments --json | jq -r '.preflights[].steps[].text'
  cli.py deployments --json | jq -r .rollback.command
"""
)
WATCH = _(
    """Shows both fleets side by side: requests, share told and seen, errors, requests without a response, latency, and the difference.

The numbers are those of the newest settled minute (error rates: of five minutes), read through the archive like the pages' own. Ctrl-C ends it.

\b
  cli.py watch                        a table that refreshes every 20 seconds
  cli.py watch --every 60 --source mackerel
  cli.py watch --once                 one table; ends with 1 if there are no numbers
  cli.py watch --json >> canary.jsonl one line of JSON a refresh
"""
)
JUDGE = _(
    """Judges the current phase: is the canary proven equal, worse, or is it too early to tell? Looking often does no harm.

Ends with 0 at parity, and at improvement: where nothing is worse and something better beyond its margin, a gate may open; `verdict`
tells the two apart. With 1 at regression. With 2 while it is undecided or there is not enough data. With 3 if it could not ask: a mistake
in an option, the configuration or a CSV, an archive that cannot be opened, a source that does not answer.

\b
  cli.py judge                          the current phase: since the last change of weight or deployment of the canary
  cli.py judge --window 3h              the last three hours, whatever changed in them
  cli.py judge --phase 4                the fourth phase, counted from the oldest that is known
  cli.py judge --watch --every 60       looks again every minute, and ends once it is decided
  cli.py judge --json | jq -r '.criteria[] | [.metric, .verdict, .lower, .upper] | @tsv'
  cli.py judge --csv numbers.csv        judges ts,fleet,metric,stat,value; - reads standard input
"""
)
VERSION = _("Print the version and end.")
CONFIG = _("The migration.toml to read.")
DEMO = _("Use the scripted demo instead of a configuration.")
JSON = _("Print JSON instead of a table.")
EVERY = _("Seconds between two refreshes.")
ONCE = _("Print once and end.")
WINDOW = _("How far back to judge: 45m, 3h, 1h30m, 2d; 14d at most. Left out: the current phase.")
PHASE = _("Which phase to judge: current, or its number from 1, the oldest that is known.")
CSV = _("Judge this CSV alone, with the criteria of --config if there are any; - for standard input.")
WATCH_VERDICT = _("Look again and again, and end once it is decided.")
SOURCE = _("Which metric source: cloudwatch, mackerel or demo. Left out: the first that is configured.")
CONFIGURATION = _("Configuration")
ARCHIVE = _("Archive")
BUILT_IN_DEMO = _("built in: the demo")
ALL_OTHER_REQUESTS = _("all others")  # the condition of a rule without conditions
SPLIT = _("the split")
OTHER_SPLIT = _("splits too")
HEADER_RULE = _("a door")
UNREACHABLE = _("never reached")
HISTORY = _("Every step of the weights: how long it held, who made it and how.")
NO_WEIGHT_CHANGES = _(
    "No change of the weights is known yet. This program notes those it sees; CloudTrail tells of the last 90 days."
)
SHORT_STEPS_NOTE = _("Faint: held for less than half an hour, as around a blue/green deployment.")
WEIGHTS_WITHOUT_AWS = _(
    "The weights are read from AWS, and this migration has no [aws]. Add it to migration.toml; `watch` shows the share that was seen."
)
NO_SPLIT = _("No rule sends traffic to these fleets.")
LOW_SAMPLE_NOTE = _("? stands on too few answers to be judged")
NO_FINAL_DATA = _("No settled numbers yet.")
DEFAULT_CRITERIA = _(
    "These margins are defaults: nobody has fixed any. Write your own under [[criteria]] in migration.toml."
)
NO_DATA = _("Could not ask: there are no numbers for this window")
STALE_DATA = _("Could not ask: the newest numbers are too old to judge what happens now")
WINDOW_AND_PHASE = _("A phase has its own window. Give one of both.")
NOT_WITH_CSV = _("A CSV has no phases and no sources, and does not change. Leave it out, or leave out --csv.")
STANDARD_INPUT = _("standard input")
SAMPLE_RATIO: dict[str, str] = {
    "matches": _("as told"),
    "differs": _("not as told"),
    "not enough data": _("too early to tell"),
}


def doctor_summary(failed: int) -> str:
    if not failed:
        return _("Everything is fine.")
    return _("Not fine yet: {wrong}. Each says what to do.").format(wrong=failed)


def no_such_source(given: str, known: str) -> str:
    return _("There is no source {given} in this migration. There is: {known}.").format(given=given, known=known)


def not_forwarded(action: str) -> str:
    return _("{action}, to no target group").format(action=action)


def history_head(canary: str) -> tuple[str, ...]:
    return _("when"), _("share of {label}").format(label=canary), _("held for"), _("by")


def so_far(duration: str) -> str:
    return _("{duration} so far").format(duration=duration)


def metric(name: str) -> str:
    """A row of the table of `watch`."""
    return {
        "requests": _("requests"),
        "configured_share": _("share told"),
        "observed_share": _("share seen"),
        "error_rate": _("error rate, 5 min"),
        "unanswered_rate": _("of it no response"),
        "target_5xx_rate": _("of it target 5xx"),
        "unexplained_rate": _("response not counted"),
        "alb_5xx": _("ALB-generated 5xx, whole load balancer"),
    }.get(name, name.removeprefix("latency_"))


def minute_and_age(clock: str, age: str) -> str:
    return _("minute of {clock}, data {age}").format(clock=clock, age=age)


def judge_head(baseline: str, canary: str) -> tuple[str, ...]:
    return _("criterion"), baseline, canary, _("difference"), _("margin"), _("verdict"), _("still needed")


def opening(length_s: int, baseline_requests: int, canary_requests: int) -> str:
    """ "In 3 h, 1.2 M and 1.2 M requests:"."""
    return _("In {length}, {baseline} and {canary} requests:").format(
        length=times.duration(length_s),
        baseline=numbers.count(baseline_requests),
        canary=numbers.count(canary_requests),
    )


def phase(number: int) -> str:
    return _("phase {number}").format(number=number)


def excluded(reasons: str) -> str:
    return _("Left out: {reasons}.").format(reasons=reasons)


def csv_truncated(limit: int) -> str:
    return _("Reading stopped after {limit} mistakes.").format(limit=limit)


def invalid_window(given: str) -> str:
    return _("“{given}” is not a length of time up to 14 days. Write it like 45m, 3h, 1h30m or 2d.").format(given=given)


def no_such_phase(given: str, n_phases: int) -> str:
    return _("There is no phase {given}. Write current, or a number from 1 to {known}.").format(
        given=given, known=n_phases
    )
