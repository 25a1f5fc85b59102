"""Messages of the HTTP gate: why there is no decision to go by, and why a request is refused."""

from collections.abc import Sequence

from messages.decision import WORDS
from messages.i18n import _, comma_list, lazy
from messages.parity import phase_share
from messages.times import duration

NO_SUCH_PATH = lazy("No such address: see /api/v1/openapi.json.")
NOT_STARTED = lazy("The dashboard has not started: see its log.")
UNREADABLE = lazy("The archive cannot be read. See the log, or cli.py doctor.")
NOT_RECORDED = lazy("No decision is recorded yet. The dashboard or cli.py record records one a minute.")
WRONG_TOKEN = lazy("Missing or wrong token. Send “Authorization: Bearer …” with the value of GATE_TOKEN.")
LOOPBACK_ONLY = lazy(
    "Without GATE_TOKEN, only requests from this machine itself are answered. Set GATE_TOKEN where the dashboard runs, then restart."
)
WRONG_METHOD = lazy("Use GET; POST is for webhooks: a decision with gate=flagger, and a rollback.")
BODY_TOO_LARGE = lazy("The body exceeds 64 kB.")
CHANGED = lazy("The weights have changed since this decision. The next one is recorded within a minute.")
FUTURE = lazy("The decision was recorded in the future: check the clocks (NTP) of the dashboard and the recorder.")


def headline(reason: str) -> str:
    """ "NO DATA · …"."""
    return f"{WORDS['no_data']} · {reason}"


def too_old(age_s: float, max_age_s: float) -> str:
    return _("The last decision is {age} old, {excess} more than allowed. Is the recorder running?").format(
        age=duration(age_s), excess=duration(age_s - max_age_s)
    )


def other_share(asked: float, judged: float | None) -> str:
    """Both 0–1; `judged`: None if it is unknown."""
    if judged is None:
        return _("The canary's share in this phase is unknown, so the decision may not be of {asked}.").format(
            asked=phase_share(asked)
        )
    return _("The decision is of {judged}, not of {asked}. The next one is recorded within a minute.").format(
        judged=phase_share(judged), asked=phase_share(asked)
    )


def phase_over(phase: int, current: int) -> str:
    return _("Phase {phase} is over: the current one is {current}.").format(phase=phase, current=current)


def no_such_phase(phase: str, known: Sequence[int]) -> str:
    if not known:
        return _("No decision is recorded of phase “{phase}”.").format(phase=phase)
    numbers = comma_list(map(str, known))
    return _("No decision is recorded of phase “{phase}”. Recorded: {numbers}.").format(phase=phase, numbers=numbers)


def no_such_migration(name: str, known: Sequence[str]) -> str:
    """`name`: "" if none was named."""
    names = comma_list(known)
    if not name:
        return _("Several migrations: name one with migration=… ({names}).").format(names=names)
    return _("No migration “{name}” here: {names}.").format(name=name, names=names)


def invalid_parameter(name: str, allowed: str) -> str:
    """`allowed`: what it may be; "" if there is no such parameter."""
    if not allowed:
        return _("Unknown parameter “{name}”.").format(name=name)
    return _("Invalid “{name}”: {allowed}.").format(name=name, allowed=allowed)
