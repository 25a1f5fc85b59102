"""Messages for events: short titles, details, authors and lists."""

from collections.abc import Callable, Mapping

from domain import FLEETS, ChangeTool, Event, EventKind, FleetName, WeightChange
from messages import alarms, numbers
from messages.i18n import LazyText, _, comma_list, lazy, plural
from messages.steps import ENTERED

FILTER_LABEL = lazy("Events on the charts")
LIST_HEAD = (lazy("when"), lazy("event"), lazy("by"), lazy("details"))
# In filters.
KINDS: dict[EventKind, LazyText] = {
    "weight": lazy("Weights"),
    "alarm": lazy("Alarms"),
    "alert": lazy("Alerts"),
    "annotation": lazy("Annotations"),
    "deployment": lazy("Deployments"),
    "rollback": lazy("Rollbacks"),
    "note": lazy("Notes"),
}
KINDS_SINGULAR: dict[EventKind, LazyText] = {
    "weight": lazy("weights"),
    "alarm": lazy("alarm"),
    "alert": lazy("alert"),
    "annotation": lazy("annotation"),
    "deployment": lazy("deployment"),
    "rollback": lazy("rollback"),
    "note": lazy("note"),
}
TOOLS: dict[ChangeTool, LazyText | str] = {
    "console": lazy("AWS console"),
    "cli": lazy("AWS CLI"),
    "program": lazy("API client"),
    "terraform": "Terraform",
    "cloudformation": "CloudFormation",
    "deployment": lazy("deployment"),
    "unknown": lazy("unknown"),
}


def short_title(event: Event) -> str:
    """The canary's new share, or the title."""
    change = event.change
    if event.kind == "weight" and change:
        share = _share(change.after)
        return _("{step} ({origin})").format(step=share, origin=ENTERED) if change.origin == "entered" else share
    if change:
        return _operation(change)
    return alarms.event_texts(event)[0] if event.kind == "alarm" else event.title


def title(event: Event) -> str:
    """ "10% → 25%", "Rule changed: …"."""
    change = event.change
    if event.kind == "weight" and change:
        return step(change)
    return f"{_operation(change)}: {change.about}" if change and change.about else short_title(event)


def step(change: WeightChange) -> str:
    """ "10% → 25%", "? → 10% (entered)"; "?" for an unknown share."""
    text = f"{_share(change.before)} → {_share(change.after)}"
    return _("{step} ({origin})").format(step=text, origin=ENTERED) if change.origin == "entered" else text


def detail(event: Event) -> str:
    """External text, but for an alarm."""
    return alarms.event_texts(event)[1] if event.kind == "alarm" else event.detail


def kind(event: Event, labels: Mapping[FleetName, str]) -> str:
    """ "alert", or "ECS deployment" of a fleet's."""
    label = next((labels[fleet] for fleet in FLEETS if fleet == event.fleet), "")
    if label and event.kind == "deployment":
        return _("{fleet} deployment").format(fleet=label)
    if label and event.kind == "rollback":
        return _("{fleet} rollback").format(fleet=label)
    return str(KINDS_SINGULAR[event.kind])


def kind_and_title(event: Event, labels: Mapping[FleetName, str]) -> str:
    return _("{kind}: {title}").format(kind=kind(event, labels), title=title(event))


def details(event: Event, labels: Mapping[FleetName, str], format_time: Callable[[int], str]) -> tuple[str, ...]:
    """Lines with kind and title, author, time (`format_time` formats epoch seconds) and details."""
    lines = [kind_and_title(event, labels)]
    lines += [author(event.change)] if event.change else []
    lines.append(when(event, format_time))
    if not event.change:
        lines += detail(event).splitlines()
    return tuple(line for line in lines if line)


def title_with_author(event: Event) -> str:
    """ "10% → 25% (kenji.mori, AWS CLI)"."""
    change = event.change
    if change is None or (not change.author and change.tool == "unknown"):
        return title(event)
    return _("{title} ({author})").format(title=title(event), author=author(change))


def when(event: Event, format_time: Callable[[int], str]) -> str:
    if event.change:
        return change_time(event.change, format_time)
    if event.open:
        return _("since {start}, ongoing").format(start=format_time(event.ts))
    if event.until is not None and event.until > event.ts:
        return _("{start} to {end}").format(start=format_time(event.ts), end=format_time(event.until))
    return format_time(event.ts)


def change_time(change: WeightChange, format_time: Callable[[int], str]) -> str:
    """The time of a logged change, else the interval between two snapshots; one time if both ends read alike."""
    start, end = format_time(min(change.since, change.ts)), format_time(change.ts)
    return end if start == end else _("between {start} and {end}").format(start=start, end=end)


def author(change: WeightChange) -> str:
    """ "kenji.mori, AWS CLI"."""
    tool = TOOLS[change.tool] if change.tool != "unknown" else ""
    parts = [change.author, str(ENTERED if change.origin == "entered" else tool)]
    return comma_list(filter(None, parts)) or _("author unknown")


def event_count(number: int) -> str:
    """At a cluster of events."""
    return _("{number} events").format(number=number)


def more_events(number: int) -> str:
    return _("… and {number} more").format(number=number)


def _share(share: float | None) -> str:
    return "?" if share is None else numbers.configured_share(share)


def _operation(change: WeightChange) -> str:
    return {
        "ModifyRule": _("Rule changed"),
        "ModifyListener": _("Listener changed"),
        "CreateRule": _("Rule created"),
        "DeleteRule": _("Rule deleted"),
        "SetRulePriorities": _("Rule moved"),
    }.get(change.operation, change.operation)


def list_title(number: int, hidden: int) -> str:
    """`hidden`: the number of events of kinds that are not shown."""
    text = _("Events ({number})").format(number=numbers.count(number))
    return text if not hidden else _("{text}, {left_out} filtered out").format(text=text, left_out=hidden)


def marked_events(number: int) -> str:
    """In a chart's text alternative."""
    return plural(
        "{number} event is marked and listed below the charts.",
        "{number} events are marked and listed below the charts.",
        number,
        number=number,
    )
