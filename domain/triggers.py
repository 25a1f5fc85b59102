"""What starts a batch job: an EventBridge rule or an EventBridge Scheduler schedule."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.cron import Schedule, ScheduleError, parse_schedule


@dataclass(frozen=True, slots=True)
class Trigger:
    """`kind` is "rule" or "scheduler"; `expression` and `timezone` are as AWS returns them. The time zone of a rule is "UTC"."""

    job: str
    kind: str
    name: str
    expression: str
    timezone: str
    enabled: bool

    @property
    def schedule(self) -> Schedule | None:
        """The parsed expression; None for an event pattern or a one-time schedule."""
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
    """The triggers of all jobs, fetched at `asked_at` (epoch seconds)."""

    asked_at: int
    triggers: tuple[Trigger, ...] = ()
