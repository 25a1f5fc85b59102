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
from messages.i18n import _, comma_list, full_stop, lazy, ngettext, plural

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
COMMAND = command_help(
    lazy("Show whether every batch ran as scheduled, the worst first."),
    exit_codes={
        0: lazy("Every job ran as scheduled; slow, late and paused ones are remarks."),
        1: lazy("A job failed, missed its last run, stopped, or never reported."),
        3: lazy(
            "Unknown: a source does not answer, there is no [batches], an option or the configuration is invalid, or the archive cannot be opened."
        ),
    },
    examples="""
        cli.py batches
        cli.py batches --window 7d
        cli.py batches --json | jq -r '.jobs[] | select(.state != "ok") | .name'
    """,
)
WINDOW = lazy("How far back to look: 45m, 3h, 2d; at most and by default 14d.")
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
TABLE_HEAD = (lazy("job"), lazy("state"), lazy("last run"), lazy("took"), lazy("history"))
TERMINAL_HEAD = (lazy("state"), lazy("job"), lazy("due"), lazy("last run"), lazy("took"), "")
NO_SCHEDULE = lazy("no schedule configured")
COMPARISON_TITLE = lazy("cron vs. EventBridge + Lambda")
COMPARISON_HEAD = (
    lazy("job"),
    lazy("era"),
    lazy("runs"),
    lazy("succeeded"),
    lazy("median"),
    lazy("usual range"),
    lazy("known from – to"),
)
TOO_FEW_RUNS = lazy("too few runs")
FOUND_BY_PATTERN = lazy(
    "Found by its metrics. Add a [[batches.jobs]] with its schedule, and a run that does not come is seen."
)
ONE_POINT_A_MINUTE = lazy(
    "Mackerel keeps one point a minute: of several runs that end in the same minute only the last is seen."
)
RUNS_TITLE = lazy("Runs")
RUNS_HEAD = (lazy("due"), lazy("began"), lazy("what became of it"), lazy("took"), lazy("era"))
SHOW_LABEL = lazy("Jobs to show")
NO_PROBLEMS = lazy("No job has a problem.")
ALL_JOBS = lazy("All jobs")
SOURCES_TITLE = lazy("Data sources")
NOT_CONFIGURED = lazy("Batches are not configured")
NOT_CONFIGURED_TEXT = lazy(
    "Each run of a job posts its duration and its success to Mackerel as service metrics. Tell under which names in migration.toml, and start "
    "this program again. docs/batches.md explains the rest."
)
READING = lazy("The runs are being read; they come by themselves.")
PARTLY_UNREAD = lazy("Not everything could be read. The source below says why, and what to do.")


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
        return _("It ran. No schedule is known, so it is unknown whether it was due.")
    if name == "failed" and last and not last.was_reported:
        return _("Last run crashed (Lambda error, no metric).")
    return {
        "failed": _("Its last run reported a failure."),
        "stopped": _("It has missed several runs in a row: nothing was reported."),
        "missed": _("Its last run was due and nothing was reported."),
        "never": _("It is configured, and nothing was ever reported under its name."),
        "late": _("Its last run began later than its grace allows."),
        "slow": _("Its last run took longer than the runs before it let expect."),
        "unknown": _("What it did lately was not read: see the sources below."),
        "paused": _("Schedule disabled."),
        "ok": _("It ran when it was due."),
    }[name]


def headline(jobs: Mapping[JobState, Sequence[str]], unscheduled: Collection[str] = ()) -> str:
    """The page in a sentence. `jobs`: their names by state. "6 of 7 jobs ran as scheduled, rankings slowly; cleanup failed."

    `unscheduled`: the jobs without a known schedule. If they ran, they are counted apart.
    """
    total = sum(map(len, jobs.values()))
    if not total:
        return _("No job has reported yet.")
    if set(jobs) == {"unknown"}:
        return _("Unknown: runs could not be read.")
    ok, slow = ([name for name in jobs.get(state, ()) if name not in unscheduled] for state in ("ok", "slow"))
    other_ok, other_slow = ([name for name in jobs.get(state, ()) if name in unscheduled] for state in ("ok", "slow"))
    ran = len(ok) + len(slow)
    if len(other_ok) == total:
        return plural(
            "The job ran; it has no schedule.", "All {total} jobs ran; none has a schedule.", total, total=total
        )
    if ran == total:
        opening = plural("The job ran as scheduled", "All {total} jobs ran as scheduled", total, total=total)
    else:
        opening = _("{ran} of {total} jobs ran as scheduled").format(ran=ran, total=total)
    if slow:
        opening += _(", {subject} slowly").format(
            subject=slow[0] if len(slow) == 1 else _("{count} of them").format(count=numbers.count(len(slow)))
        )
    clauses = [_clause(name, names) for name, names in jobs.items() if name not in ("ok", "slow")]
    clauses += [_unscheduled_clause(names, slowly=names is other_slow) for names in (other_slow, other_ok) if names]
    if not clauses:
        return full_stop(opening)
    return _("{opening}; {clauses}.").format(opening=opening, clauses=comma_list(clauses))


def _clause(name: JobState, jobs: Sequence[str]) -> str:
    """ "cleanup failed", "3 failed"."""
    n = len(jobs)
    subject = jobs[0] if n == 1 else numbers.count(n)
    return {
        "failed": _("{subject} failed"),
        "stopped": _("{subject} stopped"),
        "missed": _("{subject} missed a run"),
        "never": _("{subject} never reported"),
        "late": _("{subject} ran late"),
        "unknown": ngettext("{subject} is not known", "{subject} are not known", n),
        "paused": ngettext("{subject} is paused", "{subject} are paused", n),
    }[name].format(subject=subject)


def _unscheduled_clause(jobs: Sequence[str], *, slowly: bool) -> str:
    """ "backup ran and has no schedule"."""
    n = len(jobs)
    text = (
        ngettext("{subject} ran slowly and has no schedule", "{subject} ran slowly and have no schedule", n)
        if slowly
        else ngettext("{subject} ran and has no schedule", "{subject} ran and have no schedule", n)
    )
    return text.format(subject=jobs[0] if n == 1 else numbers.count(n))


def in_window(length: str, counts: Mapping[RunStatus, int]) -> str:
    """ "Last 14d: 4,403 runs, 2 failed, 1 missed." """
    runs = sum(count for name, count in counts.items() if name in ("ok", "slow", "late", "failed"))
    parts = [plural("{n} run", "{n} runs", runs)]
    parts += [f"{numbers.count(counts[name])} {run_status(name)}" for name in counts if name not in ("ok", "waiting")]
    return _("{window}: {parts}.").format(window=f"{length[:1].upper()}{length[1:]}", parts=comma_list(parts))


def next_due(ts: int, zone: tzinfo, now: datetime) -> str:
    return _("next {time}").format(time=times.clock(datetime.fromtimestamp(ts, UTC), zone, now=now))


def since(ts: int, zone: tzinfo, now: datetime) -> str:
    """Since when a stopped job has not run."""
    return _("since {time}").format(time=times.clock(datetime.fromtimestamp(ts, UTC), zone, now=now))


def result(run: Run) -> str:
    if not run.was_reported:
        return _("Lambda reported an error and nothing was posted")
    return {"ok": _("succeeded"), "failed": _("failed"), "unknown": _("reported no result")}[run.result]


def run_duration(value: float | None) -> str:
    """ "7.1s", "4m 53s", "1h 05m"."""
    return numbers.NONE if value is None else times.run_time(value)


def typical_duration(typical: TypicalDuration | None) -> str:
    if typical is None:
        return _("Too few runs for a baseline")
    return _("Typical {low}–{high} (p10–p90)").format(low=run_duration(typical.p10_s), high=run_duration(typical.p90_s))


def typical_duration_explained(typical: TypicalDuration) -> str:
    return _("Eight in ten of the last {runs} successful runs took {low} to {high}; the median is {median}.").format(
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
        parts.append(_("nothing was reported"))
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
    text = _status_counts(counts) or _("nothing in this window")
    return _("{job}, oldest first: {counts}").format(job=name, counts=text)


def _status_counts(counts: Mapping[RunStatus, int]) -> str:
    return comma_list(f"{numbers.count(count)} {run_status(name)}" for name, count in counts.items())


def scheduler_kind(name: SchedulerKind) -> str:
    return _("cron") if name == "baseline" else _("EventBridge and Lambda")


def overlap_length(length: str) -> str:
    return _("Parallel run {length}").format(length=length)


def median_change(fraction: float) -> str:
    return _("median {change} against cron").format(change=numbers.relative(fraction))


def schedule_mismatch(configured: str, actual: str) -> str:
    return _("The configuration says {configured}, AWS says {actual}: correct the one that is wrong.").format(
        configured=configured, actual=actual
    )


def overlaps(count: int) -> str:
    return plural(
        "{count} run began before the one before it had ended.",
        "{count} runs began before the one before them had ended.",
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
        parts.append(_("{n} without a word to Mackerel").format(n=numbers.count(counts.silent_failures)))
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
    return plural("its rule failed to start it once", "its rule failed to start it {n} times", failures)


def trigger(kind: str, name: str, *, enabled: bool) -> str:
    text = _("EventBridge rule {name}") if kind == "rule" else _("EventBridge Scheduler {name}")
    return text.format(name=name) + ("" if enabled else f" ({_('disabled')})")


def failures(scheduler_name: str) -> str:
    """In the legend of the chart of durations."""
    return _("{era}, failed").format(era=scheduler_name)


def durations_title(name: str) -> str:
    return _("How long {job} took").format(job=name)


def durations_alternative(name: str, span: str) -> str:
    return _("Every run of {job} with its duration, {span}; crosses are failures.").format(job=name, span=span)


def no_such_job(name: str) -> str:
    return _("There is no job “{name}”. All jobs are shown.").format(name=name)


def no_metrics_yet(service: str) -> str:
    return _("No metric of the service “{service}” fits a pattern of [batches] yet.").format(service=service)


def no_metrics_yet_next_step(patterns: str) -> str:
    return _(
        "Let a job post a point under {patterns}, or correct the patterns: `cli.py doctor` says which names there are to fit."
    ).format(patterns=patterns)


def legend(name: RunStatus) -> str:
    return f"{SIGNS[name]} {run_status(name)}"
