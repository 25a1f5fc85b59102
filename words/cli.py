"""What the command line says: its help, its headings, and the lines around what the sources tell."""

from words.speech import _

HELP = _(
    """Watches a migration behind one load balancer from a terminal. It only reads.

\b
  cli.py doctor      is everything configured, reachable and allowed?
  cli.py weights     how is the traffic split, and are the targets healthy?
  cli.py watch       both fleets side by side, refreshed

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
  cli.py weights --json | jq .told.canary
"""
)
WATCH = _(
    """Shows both fleets side by side: requests, share told and seen, errors, unanswered requests, latency, and the difference.

The numbers are those of the newest settled minute, read through the archive like the pages' own. Ctrl-C ends it.

\b
  cli.py watch                        a table that refreshes every 20 seconds
  cli.py watch --every 60 --source mackerel
  cli.py watch --once                 one table; ends with 1 if there are no numbers
  cli.py watch --json >> canary.jsonl one line of JSON a refresh
"""
)
CONFIG = _("The migration.toml to read.")
DEMO = _("Use the scripted demo instead of a configuration.")
JSON = _("Print JSON instead of a table.")
EVERY = _("Seconds between two refreshes.")
ONCE = _("Print once and end.")
SOURCE = _("Which metric source: cloudwatch, mackerel or demo. Left out: the first that is configured.")


def configuration() -> str:
    return _("Configuration")


def archive() -> str:
    return _("Archive")


def built_in() -> str:
    return _("built in: the demo")


def summary(wrong: int) -> str:
    """The doctor's last line."""
    return (
        _("Everything is fine.") if not wrong else _("Not fine yet: {wrong}. Each says what to do.").format(wrong=wrong)
    )


def no_such_source(given: str, known: str) -> str:
    return _("There is no source {given} in this migration. There is: {known}.").format(given=given, known=known)


def every_request() -> str:
    """Which requests a rule without conditions is for."""
    return _("all others")


def not_forwarded(action: str) -> str:
    return _("{action}, to no target group").format(action=action)


def split() -> str:
    return _("the split")


def door() -> str:
    return _("a door")


def weights_without_aws() -> str:
    return _(
        "The weights are read from AWS, and this migration has no [aws]. Add it to migration.toml; `watch` shows the share that was seen."
    )


def no_split() -> str:
    return _("No rule sends traffic to these fleets.")


def measure(name: str) -> str:
    """A line of the table that `watch` shows."""
    return {
        "requests": _("requests"),
        "share_told": _("share told"),
        "share_seen": _("share seen"),
        "error_rate": _("error rate"),
        "unanswered_rate": _("of it unanswered"),
        "target_5xx_rate": _("of it target 5xx"),
        "alb_5xx_rate": _("5xx of the load balancer itself"),
    }.get(name, name.removeprefix("latency_"))


def ratio(verdict: str) -> str:
    """What comparing the share that was seen with the one that was told gave."""
    return {"matches": _("as told"), "differs": _("not as told"), "not enough data": _("too early to tell")}[verdict]


def minute(clock: str, age: str) -> str:
    return _("minute of {clock}, data {age}").format(clock=clock, age=age)


def faint() -> str:
    return _("? stands on too few answers to be judged")


def no_numbers() -> str:
    return _("No settled numbers yet.")
