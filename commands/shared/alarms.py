"""Alarms in the terminal."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from rich.text import Text

from commands.shared.output import plain
from commands.shared.styles import BAD, WARN
from domain import FleetName
from messages import alarms as text
from messages import times
from services.alarms import AlarmStatus


def alarm_lines(
    alarms: AlarmStatus | None, labels: Mapping[FleetName, str], zone: tzinfo, *, now: datetime
) -> list[Text]:
    """A red line for each open alarm, and one for what is not known; none without alarms."""
    if alarms is None:
        return []
    lines = []
    for alarm in alarms.alarms:
        start = times.clock(datetime.fromtimestamp(alarm.start, UTC), zone, now=now)
        sentence = text.since(text.sentence(alarm, labels), start)
        lines.append(plain(f"{text.SIGN} {text.HEADING}: {sentence}", f"bold {BAD}"))
    if not alarms.is_known:
        lines.append(Text(str(text.NOT_KNOWN), WARN))
    elif alarms.not_known:
        lines.append(Text(text.not_known(rule for rule, _fleet in alarms.not_known), WARN))
    return lines
