"""The demo's logs: the SQL of the digest and the cleanup, by cron and by EventBridge. The digest by EventBridge marks fewer rows."""

from collections.abc import Iterator, Mapping, Sequence

from domain import FLEETS, Window
from domain.config.batches import SchedulerKind
from domain.run_steps import RUN_STEPS, RunStep
from domain.window import DAY_S
from sources.demo.base import DemoSource
from sources.demo.batches import DEMO_JOBS, DemoJob, DemoRun, simulate_runs
from sources.run_logs import RunLogs

HISTORY_S = 14 * DAY_S
# SQL, rows by cron and by EventBridge, share of the run's duration
_STATEMENTS: Mapping[str, Sequence[tuple[str, tuple[int, int], float]]] = {
    "digest": (
        ("SELECT user_id FROM digest_subscriptions WHERE active", (18_204, 18_204), 0.1),
        (
            "INSERT INTO mail_queue SELECT user_id, 'digest' FROM digest_subscriptions WHERE active",
            (18_204, 18_204),
            0.6,
        ),
        ("UPDATE photos SET digested = true WHERE created_at < '2026-11-01' AND NOT digested", (51_377, 49_912), 0.3),
    ),
    "cleanup": (
        ("DELETE FROM sessions WHERE expires_at < now()", (120_558, 120_112), 0.7),
        ("DELETE FROM thumbnails WHERE photo_id IS NULL", (3_310, 3_304), 0.3),
    ),
}


class DemoRunLogs(DemoSource):
    """A RunLogSource."""

    name = RUN_STEPS
    groups = tuple(f"/aws/lambda/photo-{job}" for job in _STATEMENTS)

    def read_steps(self, read_until: Mapping[str, int]) -> RunLogs:
        now = self._now()
        start = min((read_until.get(group, 0) for group in self.groups), default=0)
        window = Window(max(start, now - HISTORY_S) // 60 * 60, now // 60 * 60 + 60)
        steps = tuple(step for step in self._steps(window) if step.ts <= now)
        return RunLogs(now, steps, tuple((group, Window(window.start, window.end - 60)) for group in self.groups))

    def _steps(self, window: Window) -> Iterator[RunStep]:
        for job in (job for job in DEMO_JOBS if job.name in _STATEMENTS):
            for scheduler in FLEETS:
                for run in simulate_runs(self._scenario, job, scheduler, window):
                    yield from _steps_of(job, scheduler, run)


def _steps_of(job: DemoJob, scheduler: SchedulerKind, run: DemoRun) -> Iterator[RunStep]:
    """The statements of a run, until the one that failed."""
    ended_s = run.starts_s
    for index, (sql, rows, share) in enumerate(_STATEMENTS[job.name]):
        seconds = run.duration_s * share
        ended_s += seconds
        key = f"{job.name}:{scheduler}:{int(run.starts_s)}:{index}"
        event_id = f"{int(run.starts_s):012x}" if scheduler == "canary" else ""
        failed = run.success == 0
        yield RunStep(
            key,
            job.name,
            scheduler,
            int(ended_s),
            event_id,
            event_id,
            sql,
            None if failed else float(rows[FLEETS.index(scheduler)]),
            round(seconds, 2),
            not failed,
        )
        if failed:
            return
