"""Messages for the comparison of the week before the first step with the week after the last."""

from datetime import datetime, tzinfo

from analysis.retrospective.before_after import MIN_DAYS, BeforeAfter, MeasureChange
from messages import numbers, times
from messages.i18n import _, lazy, plural

TITLE = lazy("Before and after")
TABLE_HEAD = (
    lazy("whole service"),
    lazy("before"),
    lazy("after"),
    lazy("difference"),
    lazy("95% CI"),
)
NO_STEP = lazy("No weight change, so no before/after comparison.")
EXPLAINED = lazy(
    "Both fleets combined, by days. This is what users experienced, not the migration's effect alone: other "
    "things changed in the same time."
)


def metric(change: MeasureChange) -> str:
    return {
        "requests": _("requests per hour"),
        "error_rate": _("error rate"),
        "p95": _("hourly p95"),
        "slow": _("slow responses"),
    }[change.measure]


def value(change: MeasureChange, value: float) -> str:
    if change.measure == "requests":
        return numbers.count(value)
    return numbers.milliseconds(value) if change.measure == "p95" else numbers.percent(value)


def difference(change: MeasureChange, value: float | None) -> str:
    if value is None:
        return numbers.NONE
    return numbers.relative(value) if change.relative else numbers.points(value)


def compared_weeks(comparison: BeforeAfter, zone: tzinfo, *, now: datetime) -> str:
    before = times.span(comparison.before.starts_at, comparison.before.ends_at, zone, now=now)
    after = times.span(comparison.after.starts_at, comparison.after.ends_at, zone, now=now)
    if comparison.complete:
        opening = _("Week before the first step ({before}) vs. week after the last ({after}).")
    else:
        opening = _(
            "Week before the first step ({before}) vs. {length} since the last ({after}); complete after a week."
        )
    length = times.duration(comparison.after.end - comparison.after.start)
    hours, days = plural("{n} hour", "{n} hours", comparison.hours), plural("{n} day", "{n} days", comparison.days)
    sentences = [
        opening.format(before=before, after=after, length=length),
        _("{hours} paired by weekday and hour, on {days}.").format(hours=hours, days=days),
    ]
    if comparison.days < MIN_DAYS:
        sentences.append(_("One day is one observation; a CI needs {least} paired days.").format(least=MIN_DAYS))
    if comparison.clocks_changed:
        sentences.append(_("Daylight saving time changed in between; hours are paired by local time."))
    return " ".join(sentences)


def no_comparison(comparison: BeforeAfter | None) -> str:
    if comparison is None:
        return _("Too soon: the first day after the last step must be over and final.")
    return _(
        "No comparable day: at least half of its hours must be archived before the first step and after the last, on "
        "the same weekday."
    )


def interval(change: MeasureChange) -> str:
    """The CI of the difference; "–" with too few paired days."""
    if change.lower is None or change.upper is None:
        return numbers.NONE
    return numbers.interval(difference(change, change.lower), difference(change, change.upper))
