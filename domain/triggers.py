"""What AWS says starts a batch: an EventBridge rule or a schedule of EventBridge Scheduler, with its expression and whether it is enabled."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from domain.cron import Schedule, ScheduleError, parse_schedule


@dataclass(frozen=True, slots=True)
class Trigger:
    """`kind` is "rule" or "scheduler"; `expression` and `timezone` are AWS's own words. A rule has no time zone: "UTC"."""

    job: str
    kind: str
    name: str
    expression: str
    timezone: str
    enabled: bool

    @property
    def schedule(self) -> Schedule | None:
        """The expression as a value; None where it is none of ours: an event pattern, or a single time."""
        try:
            return parse_schedule(self.expression)
        except ScheduleError:
            return None

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone or "UTC")
        except (KeyError, ValueError, OSError):
            return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Triggers:
    """All of them, as read at `asked_at` (epoch seconds)."""

    asked_at: int
    triggers: tuple[Trigger, ...] = ()


_TRIGGERS = TypeAdapter(Triggers)


def triggers_to_json(triggers: Triggers) -> str:
    """As the archive keeps it: equal values give equal texts."""
    return _TRIGGERS.dump_json(triggers).decode()


def triggers_from_json(text: str) -> Triggers:
    """What `starters_to_json` wrote. Raises ValueError where it did not."""
    return _TRIGGERS.validate_json(text)
