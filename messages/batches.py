"""Messages of the Batches page and of `cli.py batches`: states of jobs, results of runs, next steps."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from analysis.batches.invocations import InvocationTotals
from analysis.batches.jobs import JobState, RunStatus, ScheduledRun
from analysis.batches.runs import Run, TypicalDuration
from domain.config.batches import SchedulerKind
from domain.window import DAY_S
from messages import numbers, times
from messages.command_help import command_help
from messages.i18n import _, comma_list, lazy, plural

BATCHES_TITLE = lazy("Batches")
# Shapes, so that states do not differ by colour alone.
SIGNS: Mapping[str, str] = {
    "failed": "✕",
    "stopped": "■",
    "missed": "○",
    "never": "○",
    "late": "◔",
    "slow": "▲",
    "unknown": "?",
    "paused": "‖",
    "waiting": "…",
    "ok": "✓",
}
MAX_NAMED = 3  # jobs of a state, in the headline
COMMAND = command_help(
    lazy("Show whether each batch job ran as scheduled"),
    exit_codes={
        0: lazy("All jobs ran as scheduled; slow, late and paused jobs do not count as failed."),
        1: lazy("A job failed, missed its last run, stopped, or never reported."),
        3: lazy(
            "Unknown: a source did not respond, no [batches], invalid option or configuration, or archive unavailable."
        ),
    },
    examples="""
        cli.py batches
        cli.py batches --window 7d
        cli.py batches --json | jq -r '.jobs[] | select(.state != "ok") | .name'
    """,
)
WINDOW = lazy("How far back: 45m, 3h, 2d; default and max. 14d.")
EXAMPLE = """[batches]
service = "photo"
duration = "batch.{job}.duration"
success = "batch.{job}.success"
cron_duration = "cron.{job}.duration"
cron_success = "cron.{job}.success"

[[batches.jobs]]
name = "thumbnails"
schedule = "cron(0 18 ? * MON-FRI *)"
"""
WINDOW_LABEL = lazy("Window")
TABLE_HEAD = (lazy("job"), lazy("state"), lazy("last run"), lazy("duration"), lazy("history"))
TERMINAL_HEAD = (lazy("state"), lazy("job"), lazy("scheduled"), lazy("last run"), lazy("duration"), "")
NO_SCHEDULE = lazy("no schedule configured")
COMPARISON_TITLE = lazy("cron vs. EventBridge + Lambda")
COMPARISON_HEAD = (
    lazy("job"),
    lazy("scheduler"),
    lazy("runs"),
    lazy("succeeded"),
    lazy("median"),
    lazy("typical range"),
    lazy("first–last run"),
)
TOO_FEW_RUNS = lazy("too few runs")
FOUND_BY_PATTERN = lazy("Found by its metrics. Add a [[batches.jobs]] with its schedule to detect missed runs.")
ONE_POINT_A_MINUTE = lazy(
    "Mackerel keeps one point per minute: of several runs that end in the same minute, only the last is recorded."
)
RUNS_TITLE = lazy("Runs")
RUNS_HEAD = (lazy("scheduled"), lazy("started"), lazy("result"), lazy("duration"), lazy("scheduler"))
SHOW_LABEL = lazy("Jobs to show")
NO_PROBLEMS = lazy("No job has a problem.")
ALL_JOBS = lazy("All jobs")
SOURCES_TITLE = lazy("Data sources")
NOT_CONFIGURED = lazy("Batches are not configured")
NOT_CONFIGURED_TEXT = lazy(
    "Jobs post the duration and success of each run to Mackerel as service metrics. Add the metric names to migration.toml and restart; see "
    "docs/batches.md."
)
READING = lazy("Loading runs …")
PARTLY_UNREAD = lazy("Some runs could not be read; see data sources below.")


def shown_jobs(choice: str, n: int) -> str:
    """ "All 7", "Problems only 3"."""
    text = _("Problems only {n}") if choice else _("All {n}")
    return text.format(n=numbers.count(n))


def window_length(choice: str) -> str:
    """ "14d" for the choice "14d"."""
    return times.duration(int(choice[:-1]) * DAY_S)


def window(choice: str) -> str:
    """ "last 14d"."""
    return _("last {length}").format(length=window_length(choice))


def state(name: JobState) -> str:
    return {
        "failed": _("failed"),
        "stopped": _("stopped"),
        "missed": _("missed"),
        "never": _("never reported"),
        "late": _("late"),
        "slow": _("slow"),
        "unknown": _("unknown"),
        "paused": _("paused"),
        "ok": _("ran"),
    }[name]


def run_status(name: RunStatus) -> str:
    return _("due now") if name == "waiting" else state(name)


def explain(name: JobState, last: Run | None, *, scheduled: bool) -> str:
    if name == "ok" and not scheduled:
        return _("Ran; no schedule to compare with.")
    if name == "failed" and last and not last.was_reported:
        return _("Last run crashed (Lambda error, no metric).")
    return {
        "failed": _("Last run reported a failure."),
        "stopped": _("Several runs missed in a row (no metric)."),
        "missed": _("Last run missed (no metric)."),
        "never": _("Configured, but never reported."),
        "late": _("Last run started after its grace period."),
        "slow": _("Last run slower than its baseline."),
        "unknown": _("Recent runs not read; see data sources below."),
        "paused": _("Schedule disabled."),
        "ok": _("Ran as scheduled."),
    }[name]


def headline(
    jobs: Mapping[JobState, Sequence[str]], unscheduled: Collection[str] = (), twice: Sequence[str] = ()
) -> str:
    """The page in a line: "1 of 7 jobs failed: cleanup · slow: rankings · paused: newsletter". `jobs`: their names by state, the worst first.

    `unscheduled`: the jobs without a known schedule. If they ran, they are named apart. `twice`: those that cron and EventBridge still run.
    """
    total = sum(map(len, jobs.values()))
    if not total:
        return _("No job has reported yet.")
    if set(jobs) == {"unknown"}:
        return _("Unknown: runs could not be read.")
    without_schedule = [name for state in ("ok", "slow") for name in jobs.get(state, ()) if name in unscheduled]
    ran = sum(len(jobs.get(state, ())) for state in ("ok", "slow")) - len(without_schedule)
    others = {name: names for name, names in jobs.items() if name != "ok"}
    if worst := next((name for name in ("failed", "stopped", "missed", "never") if name in others), None):
        opening = _failing(worst, others.pop(worst), total)
    elif len(without_schedule) == total:
        opening = plural("The job ran", "All {total} jobs ran", total, total=total)
    elif ran == total:
        opening = plural("The job ran as scheduled", "All {total} jobs ran as scheduled", total, total=total)
    else:
        opening = _("{ran} of {total} jobs ran as scheduled").format(ran=ran, total=total)
    parts = [_("{state}: {jobs}").format(state=state(name), jobs=_names(names)) for name, names in others.items()]
    parts += [_("no schedule: {jobs}").format(jobs=_names(without_schedule))] if without_schedule else []
    parts += [_("run by cron and EventBridge: {jobs}").format(jobs=_names(twice))] if twice else []
    return " · ".join((opening, *parts))


def _failing(name: JobState, jobs: Sequence[str], total: int) -> str:
    """ "1 of 7 jobs failed: cleanup"."""
    text = {
        "failed": _("{n} of {total} jobs failed: {jobs}"),
        "stopped": _("{n} of {total} jobs stopped: {jobs}"),
        "missed": _("{n} of {total} jobs missed a run: {jobs}"),
        "never": _("{n} of {total} jobs never reported: {jobs}"),
    }[name]
    return text.format(n=numbers.count(len(jobs)), total=numbers.count(total), jobs=_names(jobs))


def _names(jobs: Sequence[str]) -> str:
    """The first three, and the number of others: "a, b, c, +2"."""
    more = len(jobs) - MAX_NAMED
    return comma_list((*jobs[:MAX_NAMED], *([f"+{numbers.count(more)}"] if more > 0 else [])))


def in_window(length: str, counts: Mapping[RunStatus, int]) -> str:
    """ "Last 14d: 4,403 runs, 2 failed, 1 missed." """
    runs = sum(count for name, count in counts.items() if name in ("ok", "slow", "late", "failed"))
    parts = [plural("{n} run", "{n} runs", runs)]
    parts += [status_count(name, counts[name]) for name in counts if name not in ("ok", "waiting")]
    return _("{window}: {parts}.").format(window=f"{length[:1].upper()}{length[1:]}", parts=comma_list(parts))


def next_due(ts: int, zone: tzinfo, now: datetime) -> str:
    return _("next {time}").format(time=times.clock(datetime.fromtimestamp(ts, UTC), zone, now=now))


def since(ts: int, zone: tzinfo, now: datetime) -> str:
    """Since when a stopped job has not run."""
    return _("since {time}").format(time=times.clock(datetime.fromtimestamp(ts, UTC), zone, now=now))


def result(run: Run) -> str:
    if not run.was_reported:
        return _("Lambda error, no metric")
    return {"ok": _("succeeded"), "failed": _("failed"), "unknown": _("reported no result")}[run.result]


def run_duration(value: float | None) -> str:
    """ "7.1s", "4m 53s", "1h 05m"."""
    return numbers.NONE if value is None else times.run_time(value)


def typical_duration(typical: TypicalDuration | None) -> str:
    if typical is None:
        return _("Too few runs for a baseline")
    return _("Typical {low}–{high} (p10–p90)").format(low=run_duration(typical.p10_s), high=run_duration(typical.p90_s))


def typical_duration_explained(typical: TypicalDuration) -> str:
    return _("p10–p90 of the last {runs} successful runs: {low}–{high}; median {median}.").format(
        runs=typical.runs,
        low=run_duration(typical.p10_s),
        high=run_duration(typical.p90_s),
        median=run_duration(typical.median_s),
    )


def scheduled_run(scheduled: ScheduledRun, zone: tzinfo, now: datetime) -> str:
    """A cell of the strip: time, status, and result and duration of its runs."""
    due = times.clock(datetime.fromtimestamp(scheduled.scheduled_at, UTC), zone, now=now)
    parts = [f"{due}: {run_status(scheduled.status)}"]
    parts += [f"{result(run)}, {run_duration(run.duration_s)}" for run in scheduled.runs]
    if not scheduled.runs and scheduled.status == "missed":
        parts.append(_("no metric"))
    return " · ".join(parts)


def cell(start: str, counts: Mapping[RunStatus, int]) -> str:
    """A cell of the strip for several scheduled runs."""
    return f"{start}: {_status_counts(counts)}"


def partial_cell(start: str, status: RunStatus, n: int, total: int) -> str:
    """Below the strip: "◔ 26 Nov: 1/288 failed"."""
    return _("◔ {start}: {n}/{total} {status}").format(
        start=start, n=numbers.count(n), total=numbers.count(total), status=run_status(status)
    )


def strip(name: str, counts: Mapping[RunStatus, int]) -> str:
    """The text alternative of a strip."""
    text = _status_counts(counts) or _("no runs in this window")
    return _("{job}, oldest first: {counts}").format(job=name, counts=text)


def _status_counts(counts: Mapping[RunStatus, int]) -> str:
    return comma_list(status_count(name, count) for name, count in counts.items())


def status_count(name: RunStatus, count: int) -> str:
    """ "3 failed"."""
    return _("{count} {status}").format(count=numbers.count(count), status=run_status(name))


def scheduler_kind(name: SchedulerKind) -> str:
    return _("cron") if name == "baseline" else _("EventBridge and Lambda")


def overlap_length(length: str) -> str:
    return _("Parallel run {length}").format(length=length)


def median_change(fraction: float) -> str:
    return _("median {change} vs. cron").format(change=numbers.relative(fraction))


def schedule_mismatch(configured: str, actual: str) -> str:
    return _("Schedule mismatch: {configured} in the configuration, {actual} in AWS.").format(
        configured=configured, actual=actual
    )


def overlaps(count: int) -> str:
    return plural(
        "{count} run overlapped the previous run.",
        "{count} runs overlapped the previous run.",
        count,
        count=count,
    )


def lambda_counts(counts: InvocationTotals) -> str:
    """The CloudWatch metrics of a job's function over the window."""
    parts = [
        plural("{n} invocation", "{n} invocations", counts.invocations),
        plural("{n} error", "{n} errors", counts.errors) if counts.errors else _("no error"),
    ]
    if counts.silent_failures:
        parts.append(_("{n} not reported to Mackerel").format(n=numbers.count(counts.silent_failures)))
    if counts.throttles:
        parts.append(_("{n} throttled").format(n=numbers.count(counts.throttles)))
    if counts.undelivered:
        parts.append(_undelivered(counts.undelivered))
    return _("Lambda in this window: {parts}.").format(parts=comma_list(parts))


def lambda_issues(counts: InvocationTotals) -> str:
    """The errors among them; "" if there are none."""
    parts = [plural("{n} error", "{n} errors", counts.errors)] if counts.errors else []
    parts += [_("{n} throttled").format(n=numbers.count(counts.throttles))] if counts.throttles else []
    issues = [_("Lambda: {parts}").format(parts=comma_list(parts))] if parts else []
    issues += [_undelivered(counts.undelivered)] if counts.undelivered else []
    return "; ".join(issues)


def _undelivered(failures: int) -> str:
    return plural("1 failed invocation by its rule", "{n} failed invocations by its rule", failures)


def trigger(kind: str, name: str, *, enabled: bool) -> str:
    text = _("EventBridge rule {name}") if kind == "rule" else _("EventBridge Scheduler {name}")
    return text.format(name=name) + ("" if enabled else f" ({_('disabled')})")


def failures(scheduler_name: str) -> str:
    """In the legend of the chart of durations."""
    return _("{era}, failed").format(era=scheduler_name)


def durations_title(name: str) -> str:
    return _("Duration of {job}").format(job=name)


def durations_alternative(name: str, span: str) -> str:
    return _("Every run of {job} with its duration, {span}; crosses are failures.").format(job=name, span=span)


def no_such_job(name: str) -> str:
    return _("No job “{name}”; showing all jobs.").format(name=name)


def no_metrics_yet(service: str) -> str:
    return _("No metric of the service “{service}” matches a pattern of [batches] yet.").format(service=service)


def no_metrics_yet_next_step(patterns: str) -> str:
    return _(
        "Post a point under {patterns}, or correct the patterns; `cli.py doctor` lists the existing names."
    ).format(patterns=patterns)


def legend(name: RunStatus) -> str:
    return f"{SIGNS[name]} {run_status(name)}"
