"""Messages for alarms. An alarm is never called a verdict."""

from collections.abc import Iterable, Mapping

from analysis import Alarm, AlarmRule, AlarmValue, LabelledAlarm
from domain import Event, FleetName
from domain.serialization import from_json
from messages import numbers
from messages.i18n import LazyText, _, comma_list, lazy

HEADING = lazy("Alarm (not a verdict)")
SIGN = "✕"
NOT_KNOWN = lazy("Alarms unknown: no current data.")
RULES: dict[AlarmRule, LazyText | str] = {
    "error_rate": lazy("error rate"),
    "no_response": lazy("no response"),
    "no_requests": lazy("no requests"),
    "latency_p95": "p95",
}


def title(alarm: Alarm, labels: Mapping[FleetName, str]) -> str:
    """ "ECS error rate 96.3%", "ECS no requests", "ECS p95 840 ms"."""
    return f"{labels[alarm.fleet]} {RULES[alarm.rule]} {_value(alarm, alarm.values[alarm.fleet])}".rstrip()


def sentence(alarm: Alarm, labels: Mapping[FleetName, str]) -> str:
    """Both fleets' values with their counts: "error rate ECS 96.3% (19,775 of 20,538), EC2 0.21% (14 of 6,846)"."""
    other: FleetName = "baseline" if alarm.fleet == "canary" else "canary"
    own, reference = alarm.values[alarm.fleet], alarm.values[other]
    fleets = {"label": labels[alarm.fleet], "other": labels[other]}
    if alarm.rule == "no_requests":
        return _("no requests to {label} (expected {expected}); {other} had {requests}").format(
            expected=numbers.count(own.total), requests=numbers.count(reference.count), **fleets
        )
    return _("{rule} {label} {value} ({counts}), {other} {reference} ({reference_counts})").format(
        rule=RULES[alarm.rule],
        value=_value(alarm, own),
        counts=_counts(own),
        reference=_value(alarm, reference),
        reference_counts=_counts(reference),
        **fleets,
    )


def detail(alarm: Alarm, labels: Mapping[FleetName, str]) -> str:
    return _("{heading}: {sentence}.").format(heading=HEADING, sentence=sentence(alarm, labels))


def event_texts(event: Event) -> tuple[str, str]:
    """Title and detail of the event of an alarm: of its values; those of an older version are stored as sentences."""
    try:
        stored = from_json(LabelledAlarm, event.detail)
    except ValueError:
        return event.title, event.detail
    return title(stored.alarm, stored.labels), detail(stored.alarm, stored.labels)


def since(sentence: str, time: str) -> str:
    return _("{sentence}, since {time}").format(sentence=sentence, time=time)


def not_known(rules: Iterable[AlarmRule]) -> str:
    """Rules that could not be checked for lack of data."""
    names = comma_list(str(RULES[rule]) for rule in dict.fromkeys(rules))
    return _("Insufficient data for: {rules}.").format(rules=names)


def _value(alarm: Alarm, value: AlarmValue) -> str:
    return numbers.milliseconds(value.value) if alarm.rule == "latency_p95" else _percent(value.value)


def _percent(rate: float | None) -> str:
    return "" if rate is None else numbers.percent(rate)


def _counts(value: AlarmValue) -> str:
    if value.count is None:
        return _("{n} responses").format(n=numbers.count(value.total))
    return _("{count} of {total}").format(count=numbers.count(value.count), total=numbers.count(value.total))
