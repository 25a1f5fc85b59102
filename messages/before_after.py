"""What is said of the week before the first step against the week after the last."""

from datetime import datetime, tzinfo

from analysis.retrospective.before_after import BeforeAfter, Change
from messages import numbers, times
from messages.i18n import _, ngettext

TITLE = _("Before and after")


def measure(change: Change) -> str:
    return {
        "requests": _("requests an hour"),
        "error_rate": _("error rate"),
        "p95": _("p95 of an hour"),
        "slow": _("slow answers"),
    }[change.measure]


def measured(change: Change, value: float) -> str:
    if change.measure == "requests":
        return numbers.count(value)
    return numbers.milliseconds(value) if change.measure == "p95" else numbers.percent(value)


def changed(change: Change, value: float | None) -> str:
    if value is None:
        return numbers.NONE
    return numbers.relative(value) if change.relative else numbers.points(value)


def head() -> tuple[str, ...]:
    return (_("the service as a whole"), _("before"), _("after"), _("difference"), _("where it surely lies"))


def about(found: BeforeAfter, zone: tzinfo, *, now: datetime) -> str:
    """Which weeks, and how much of them could be paired."""
    before = times.span(found.before.starts_at, found.before.ends_at, zone, now=now)
    after = times.span(found.after.starts_at, found.after.ends_at, zone, now=now)
    if found.complete:
        opening = _("The week before the first step ({before}) against the week after the last ({after}).")
    else:
        opening = _(
            "The week before the first step ({before}) against the time since the last step: {length} so far ({after}). It is complete after a week."
        )
    said = [opening.format(before=before, after=after, length=times.duration(found.after.end - found.after.start))]
    said.append(
        _("{hours} of the same weekdays could be paired.").format(
            hours=ngettext("{count} hour", "{count} hours", found.hours).format(count=found.hours)
        )
    )
    if found.clocks:
        said.append(_("The clocks changed in between: hours are paired by the wall clock."))
    return " ".join(said)


def none(found: BeforeAfter | None) -> str:
    if found is None:
        return _("The last step is too young: the first whole hour after it has to be over, and to have settled.")
    return _("The archive holds no hour of the same weekday from both before the first step and after the last.")


def interval(change: Change) -> str:
    """Where the difference surely lies; "–" before ten hours could be paired."""
    if change.low is None or change.high is None:
        return numbers.NONE
    return f"{changed(change, change.low)} … {changed(change, change.high)}"


def no_step() -> str:
    return _("Without a step there is no before and no after.")


def explained() -> str:
    return _(
        "Both fleets together, hour by hour. Other things change in two months too: this is what users saw, not what the migration caused."
    )
