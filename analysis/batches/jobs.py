"""How each batch stands: its last run, whether it ran when it was due, whether it took as long as usual, in both eras. Pure: no I/O, no clock."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Literal, get_args

from analysis.batches.due_times import due, last_due, next_due
from analysis.batches.invocations import Counted, Invoked, counted, died
from analysis.batches.runs import MINUTE_S, Run, Runs, Usual, overlapping, usual
from domain import FLEETS, Window
from domain.config.batches import Batches, Era, Job
from domain.cron import Cron, Rate, Schedule
from domain.triggers import Starter

# What became of one due time, the worst first.
Mark = Literal["failed", "missed", "late", "slow", "unknown", "paused", "waiting", "ok"]
MARKS: tuple[Mark, ...] = get_args(Mark)
# How a job stands now: the mark of its newest due time that is over, "stopped" after several missed ones, "never" without any run.
State = Literal["failed", "stopped", "missed", "never", "late", "slow", "unknown", "paused", "ok"]
STATES: tuple[State, ...] = get_args(State)
STOPPED_AFTER = 3  # missed in a row
DEFAULT_GRACE_S = int(Job.model_fields["grace_minutes"].default) * 60


@dataclass(frozen=True, slots=True)
class Slot:
    """One due time (epoch seconds), the runs that belong to it, and what became of it. Without a schedule each run is due when it began."""

    due: int
    mark: Mark
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class EraReport:
    """The runs of one era that are known: how many of them, how many succeeded and failed, from when to when, and how long the last ones took."""

    runs: int
    succeeded: int
    failed: int
    span: Window
    usual: Usual | None

    @property
    def success_rate(self) -> float | None:
        told = self.succeeded + self.failed
        return self.succeeded / told if told else None


@dataclass(frozen=True, slots=True)
class JobReport:
    """One job. `slots` are those of the window, in order; `last` is the newest run of `era`, the newest era that has any.

    `schedule` is the configured one, else what AWS says; `differs`: both are known and are not the same. `since`: the due time from which on
    nothing ran. `both`: when both eras reported. `overlaps`: runs of the window that began before the one before had ended. `counted`: what AWS
    counted of its function over the window; None where that was not read.
    """

    name: str
    job: Job | None
    state: State
    schedule: Schedule | None = None
    starter: Starter | None = None
    differs: bool = False
    era: Era | None = None
    last: Run | None = None
    usual: Usual | None = None
    next_due: int | None = None
    since: int | None = None
    slots: tuple[Slot, ...] = ()
    eras: Mapping[Era, EraReport] = field(default_factory=dict)
    both: Window | None = None
    overlaps: int = 0
    counted: Counted | None = None

    @property
    def timezone(self) -> str:
        """The time zone in which its schedule is meant."""
        if self.job and self.job.schedule:
            return self.job.timezone
        return self.starter.timezone if self.starter else "UTC"

    def count(self, mark: Mark) -> int:
        return sum(slot.mark == mark for slot in self.slots)


def batches(
    settings: Batches,
    runs: Runs,
    *,
    window: Window,
    now: int,
    unanswered: Sequence[Window] = (),
    starters: Mapping[str, Starter] | None = None,
    invoked: Mapping[str, Sequence[Invoked]] | None = None,
) -> tuple[JobReport, ...]:
    """Every job that is configured or has a run, the worst first.

    `runs` are all that are known, before the window too: they tell what is usual, and from when on a job can miss a run. `unanswered`: time for
    which it is not known what ran. `starters`: by job, what AWS says starts it. `invoked`: by job, what AWS counted of its function; an error of
    which nothing was posted is a failed run.
    """
    names = dict.fromkeys((*(job.name for job in settings.jobs), *(name for name, _ in runs)))
    invoked = invoked or {}
    seen = _Seen(window, now, tuple(unanswered))
    found = (
        _job(name, settings.configured(name), runs, seen, (starters or {}).get(name), invoked.get(name))
        for name in names
    )
    return tuple(sorted(found, key=lambda one: (STATES.index(one.state), one.name)))


@dataclass(frozen=True, slots=True)
class _Seen:
    window: Window
    now: int
    unanswered: tuple[Window, ...]

    def known(self, start: int, end: int) -> bool:
        """Whether it is known what ran between two times."""
        return not any(gap.start < end and gap.end > start for gap in self.unanswered)


def _job(
    name: str,
    job: Job | None,
    runs: Runs,
    seen: _Seen,
    starter: Starter | None,
    invoked: Sequence[Invoked] | None,
) -> JobReport:
    of_era: dict[Era, tuple[Run, ...]] = {era: runs[name, era] for era in FLEETS if runs.get((name, era))}
    silent = _silent(of_era, invoked or (), seen)
    if silent:
        of_era["canary"] = tuple(sorted((*of_era.get("canary", ()), *silent), key=lambda run: (run.at, run.began)))
    timing = _timing(job, starter)
    told = counted(invoked, silent, seen.window) if invoked is not None else None
    bare = JobReport(name, job, "unknown", timing.schedule, starter, differs=_differs(job, starter), counted=told)
    era = next((era for era in reversed(FLEETS) if era in of_era), None)
    if era is None:
        coming = _next(timing, seen.now, seen.now)
        return replace(bare, state="never" if seen.known(seen.window.start, seen.now) else "unknown", next_due=coming)
    newest = of_era[era]
    took = usual(newest)
    timing = replace(timing, patience_s=timing.grace_s + int(took.high_s if took else 0))
    earlier = [run for other in FLEETS if other != era for run in of_era.get(other, ()) if run.began < newest[0].began]
    slots = [*(Slot(run.began, _mark((run,)), (run,)) for run in earlier), *_slots(newest, timing, seen)]
    state, since = _state(slots)
    return replace(
        bare,
        state=state,
        era=era,
        last=newest[-1],
        usual=took,
        next_due=_next(timing, newest[-1].began, seen.now),
        since=since,
        slots=tuple(slot for slot in slots if seen.window.start <= slot.due < seen.window.end),
        eras={each: _era(of_era[each]) for each in FLEETS if each in of_era},
        both=_both(of_era),
        overlaps=overlapping([run for run in newest if seen.window.start <= run.began < seen.window.end]),
    )


def _silent(of_era: Mapping[Era, Sequence[Run]], invoked: Sequence[Invoked], seen: _Seen) -> tuple[Run, ...]:
    """The runs that died without a word, from the first that posted on; before it, those after the last run of cron: else a trial is no run."""
    posted, by_cron = of_era.get("canary", ()), of_era.get("baseline", ())
    firsts = [posted[0].began - MINUTE_S] if posted else []
    since = min([*firsts, *(run.began for run in by_cron[-1:])], default=0)
    return tuple(run for run in died(invoked, posted, seen.known) if run.began > since)


@dataclass(frozen=True, slots=True)
class _Timing:
    """When a job is due. A run is reported at most `patience_s` after it was due: its grace, and as long as it usually takes."""

    schedule: Schedule | None
    zone: tzinfo
    grace_s: int
    patience_s: int
    paused: bool


def _timing(job: Job | None, starter: Starter | None) -> _Timing:
    grace_s = job.grace_s if job else DEFAULT_GRACE_S
    paused = starter is not None and not starter.enabled
    if job and job.due:
        return _Timing(job.due, job.zone, grace_s, grace_s, paused)
    if starter:
        return _Timing(starter.schedule, starter.zone, grace_s, grace_s, paused)
    return _Timing(None, UTC, grace_s, grace_s, paused)


def _differs(job: Job | None, starter: Starter | None) -> bool:
    """Whether the configuration and AWS tell of two schedules. How they are spelt does not matter."""
    if not (job and job.due and starter and starter.schedule):
        return False
    told = replace(starter.schedule, text=job.due.text)
    zones = isinstance(told, Cron) and job.timezone != starter.timezone
    return told != job.due or zones


def _slots(runs: Sequence[Run], timing: _Timing, seen: _Seen) -> list[Slot]:
    match timing.schedule:
        case Cron() as schedule:
            return _slots_of_cron(runs, schedule, timing, seen)
        case Rate(every_s=every_s):
            return _slots_of_rate(runs, every_s, timing, seen)
    return [Slot(run.began, _mark((run,)), (run,)) for run in runs]


def _slots_of_cron(runs: Sequence[Run], schedule: Cron, timing: _Timing, seen: _Seen) -> list[Slot]:
    """Every due time from the first run that is known, or the window's start, with the runs up to the next one; a run before the first is its own."""
    # An end that is known to the minute makes a beginning up to a minute early.
    start = max(runs[0].began - MINUTE_S + 1, last_due(schedule, timing.zone, seen.window.start + 1) or 0)
    whole = Window(start // MINUTE_S * MINUTE_S, max(seen.now, start) // MINUTE_S * MINUTE_S + MINUTE_S)
    times = [at for at in due(schedule, timing.zone, whole) if start <= at <= seen.now]
    of_slot: dict[int, list[Run]] = {at: [] for at in times}
    slots = []
    for run in runs:
        place = bisect_right(times, run.began + MINUTE_S - 1) - 1
        if place >= 0:
            of_slot[times[place]].append(run)
        elif run.began >= start - MINUTE_S:
            slots.append(Slot(run.began, _mark((run,)), (run,)))
    for at, mine in of_slot.items():
        late = bool(mine) and mine[0].began - at > timing.grace_s
        mark = _mark(mine, late=late) if mine else _absent(at, runs[-1].began, timing, seen)
        slots.append(Slot(at, mark, tuple(mine)))
    return slots


def _slots_of_rate(runs: Sequence[Run], every_s: int, timing: _Timing, seen: _Seen) -> list[Slot]:
    """Each run, and between two of them, and after the last, as many as should have been there. A rate has no phase: only its pace is known."""
    slots = list[Slot]()
    for run, following in zip(runs, (*runs[1:], None), strict=True):
        slots.append(Slot(run.began, _mark((run,)), (run,)))
        until = following.began - every_s // 2 if following else seen.now + 1
        first = max(1, (seen.window.start - run.began) // every_s)
        absent = range(run.began + first * every_s, until, every_s)
        slots += [Slot(at, _absent(at, runs[-1].began, timing, seen)) for at in absent]
    return slots


def _mark(runs: Sequence[Run], *, late: bool = False) -> Mark:
    """What became of a due time that has runs: its last one counts, because a failure may have been repeated with success."""
    last = runs[-1]
    if last.result == "failed":
        return "failed"
    return "late" if late else "slow" if last.slow else "ok"


def _absent(at: int, last: int, timing: _Timing, seen: _Seen) -> Mark:
    """What became of a due time without a run."""
    if timing.paused and at > last:
        return "paused"
    if seen.now < at + timing.patience_s:
        return "waiting"
    return "missed" if seen.known(at, at + timing.patience_s) else "unknown"


def _state(slots: Sequence[Slot]) -> tuple[State, int | None]:
    """How the job stands, and from which due time on nothing ran."""
    over = [slot for slot in slots if slot.mark != "waiting"]
    missed: list[Slot] = []
    for slot in reversed(over):
        if slot.mark != "missed":
            break
        missed.append(slot)
    if missed:
        return "stopped" if len(missed) >= STOPPED_AFTER else "missed", missed[-1].due
    mark = over[-1].mark if over else "ok"
    return "ok" if mark == "waiting" else mark, None


def _next(timing: _Timing, last: int, now: int) -> int | None:
    """When the job is due next, its last run having begun at `last`; None where nobody can tell, and while it is paused."""
    if timing.paused:
        return None
    match timing.schedule:
        case Cron() as schedule:
            return next_due(schedule, timing.zone, now)
        case Rate(every_s=every_s) if last < now:
            return last + -(-(now - last) // every_s) * every_s
    return None


def _era(runs: Sequence[Run]) -> EraReport:
    results = [run.result for run in runs]
    start, end = runs[0].at, max(run.at for run in runs) + MINUTE_S
    return EraReport(len(runs), results.count("ok"), results.count("failed"), Window(start, end), usual(runs))


def _both(of_era: Mapping[Era, Sequence[Run]]) -> Window | None:
    """The time in which both eras reported."""
    if len(of_era) < len(FLEETS):
        return None
    start = max(runs[0].at for runs in of_era.values())
    end = min(runs[-1].at for runs in of_era.values()) + MINUTE_S
    return Window(start, end) if start < end else None


@dataclass(frozen=True, slots=True)
class Cell:
    """Several due times as one cell of a strip, from `start` to `end`: the worst of their marks, and how many of each."""

    start: int
    end: int
    slots: tuple[Slot, ...]

    @property
    def mark(self) -> Mark:
        return min((slot.mark for slot in self.slots), key=MARKS.index)

    @property
    def counts(self) -> dict[Mark, int]:
        marks = [slot.mark for slot in self.slots]
        return {mark: marks.count(mark) for mark in MARKS if mark in marks}


def strip(slots: Sequence[Slot], edges: Sequence[int], *, most: int) -> tuple[Cell, ...]:
    """One cell a due time where there are at most so many; else one for all between two `edges` (epoch seconds, in order), where there are any."""
    if len(slots) <= most:
        return tuple(Cell(slot.due, slot.due, (slot,)) for slot in slots)
    cells: dict[int, list[Slot]] = {}
    for slot in slots:
        cells.setdefault(bisect_right(edges, slot.due) - 1, []).append(slot)
    return tuple(
        Cell(edges[place], edges[min(place + 1, len(edges) - 1)], tuple(mine))
        for place, mine in cells.items()
        if place >= 0
    )


def by_state(reports: Iterable[JobReport]) -> dict[State, list[str]]:
    """The jobs' names by how they stand, the worst first."""
    told: dict[State, list[str]] = {state: [] for state in STATES}
    for one in reports:
        told[one.state].append(one.name)
    return {state: names for state, names in told.items() if names}
