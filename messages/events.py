"""What is said of the things that happened: in a few words on a line, in full for whoever points at it or hears it read, and who did it how."""

from collections.abc import Callable

from domain import ChangeTool, Event, EventKind, WeightChange
from messages import numbers
from messages.i18n import _, ngettext

EVENT = _("event")
# The name of the control that leaves kinds of events out.
FILTER_LABEL = _("Events on the charts")
LIST_HEAD = _("when"), _("what"), _("by"), _("more")


def kind(name: EventKind) -> str:
    """A kind of event, as a filter names it."""
    return {
        "weight": _("Weights"),
        "alert": _("Alerts"),
        "annotation": _("Annotations"),
        "deployment": _("Deployments"),
        "rollback": _("Roll-backs"),
        "note": _("Notes"),
    }[name]


def kind_singular(name: EventKind) -> str:
    """What one event of that kind is called."""
    return {
        "weight": _("weights"),
        "alert": _("alert"),
        "annotation": _("annotation"),
        "deployment": _("deployment"),
        "rollback": _("roll-back"),
        "note": _("note"),
    }[name]


def short_title(event: Event) -> str:
    """What stands on its line: the canary's new share, or the title."""
    change = event.change
    if event.kind == "weight" and change:
        return _share(change.after)
    return _operation(change) if change else event.title


def title(event: Event) -> str:
    """What happened, in one line: "10.0 % → 25.0 %"."""
    change = event.change
    if event.kind == "weight" and change:
        return step(change)
    return f"{_operation(change)}: {change.about}" if change and change.about else short_title(event)


def step(change: WeightChange) -> str:
    """From which share to which: "10.0 % → 25.0 %", "?" for what nobody knows."""
    return f"{_share(change.before)} → {_share(change.after)}"


def details(event: Event, format_time: Callable[[int], str]) -> tuple[str, ...]:
    """Everything about an event, line by line: what it was, whose hands it was, when (`clock` writes an epoch second), and what else was said."""
    lines = [_("{kind}: {title}").format(kind=kind_singular(event.kind), title=title(event))]
    lines += [author(event.change)] if event.change else []
    lines.append(when(event, format_time))
    if event.detail and not event.change:
        lines += event.detail.splitlines()
    return tuple(line for line in lines if line)


def title_with_author(event: Event) -> str:
    """What happened, and whose hands it was where that is known, in one line: "10.0 % → 25.0 % (kenji.mori, AWS CLI)"."""
    change = event.change
    if change is None or (not change.author and change.tool == "unknown"):
        return title(event)
    return _("{title} ({author})").format(title=title(event), author=author(change))


def when(event: Event, format_time: Callable[[int], str]) -> str:
    """When something happened: a moment, from when to when, or since when it goes on."""
    if event.change:
        return change_time(event.change, format_time)
    if event.open:
        return _("since {start}, still open").format(start=format_time(event.ts))
    if event.until is not None and event.until > event.ts:
        return _("{start} to {end}").format(start=format_time(event.ts), end=format_time(event.until))
    return format_time(event.ts)


def change_time(change: WeightChange, format_time: Callable[[int], str]) -> str:
    """When a change was made: a second, or the two looks that it fell between."""
    if change.since >= change.ts:
        return format_time(change.ts)
    return _("between {start} and {end}").format(start=format_time(change.since), end=format_time(change.ts))


def author(change: WeightChange) -> str:
    """Who made a change, and how: "kenji.mori, AWS CLI"."""
    known = [change.author, tool(change.tool) if change.tool != "unknown" else ""]
    return ", ".join(filter(None, known)) or _("author not known")


def tool(name: ChangeTool) -> str:
    """By which means a change was made."""
    return {
        "console": _("AWS console"),
        "cli": _("AWS CLI"),
        "program": _("a program"),
        "terraform": "Terraform",
        "cloudformation": "CloudFormation",
        "deployment": _("a deployment"),
        "unknown": _("not known"),
    }[name]


def event_count(number: int) -> str:
    """What stands where so many events are too close together to be told apart."""
    return _("{number} events").format(number=number)


def more_events(number: int) -> str:
    """What a list says of the events that it has no room for."""
    return _("… and {number} more").format(number=number)


def _share(share: float | None) -> str:
    return "?" if share is None else numbers.share(share)


def _operation(change: WeightChange) -> str:
    return {
        "ModifyRule": _("Rule changed"),
        "ModifyListener": _("Listener changed"),
        "CreateRule": _("Rule created"),
        "DeleteRule": _("Rule deleted"),
        "SetRulePriorities": _("Rule moved"),
    }.get(change.operation, change.operation)


def list_title(number: int, hidden: int) -> str:
    """The heading of the list of events; `left_out` are those of kinds that are not shown."""
    text = ngettext("{number} event in this window", "{number} events in this window", number).format(number=number)
    return text if not hidden else _("{text}, {left_out} more not shown").format(text=text, left_out=hidden)


def marked_events(number: int) -> str:
    """What a chart's words for readers who do not see it say of its events."""
    return ngettext(
        "{number} event is marked on it and listed below the charts.",
        "{number} events are marked on it and listed below the charts.",
        number,
    ).format(number=number)
