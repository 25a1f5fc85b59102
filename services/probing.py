"""Runs the configured probes, for the command and for the page, and keeps their results. Nothing runs on its own."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from archive import Archive, ArchiveError, ArchiveProblem
from domain import Clock, Migration, Window, utc_now
from domain.config.probe import Probe
from domain.probe import PROBE, ProbeResult
from domain.window import DAY_S, MINUTE_S
from services.probe import Plan, Resolve, Sender, plan_probe, run_probe
from sources.aws.load_balancer_dns import load_balancer_dns
from sources.base import Problem, TrafficSource
from sources.demo.probe import DNS_NAME, DemoProbeClient, before_the_split, demo_resolve
from sources.probe import ProbeClient, resolve

HISTORY_S = 120 * DAY_S
OnProgress = Callable[[int, int], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProbePlans:
    """What would be sent, in the order of the configuration."""

    plans: tuple[Plan, ...]
    sender: Sender
    problems: tuple[Problem, ...] = ()

    @property
    def n_requests(self) -> int:
        return sum(2 * plan.probe.requests for plan in self.plans if not plan.refusal)


def plan_probes(
    migration: Migration,
    traffic: TrafficSource | None,
    *,
    sender: Sender | None = None,
    resolve_host: Resolve = resolve,
    dns_name: str | None = None,
) -> ProbePlans:
    """Reads the rules as they are now and the load balancer's name. Sends no probe. `sender`, `resolve_host`, `dns_name`: instead of the real ones."""
    snapshot = traffic.snapshot() if traffic else None
    problems = list(snapshot.problems) if snapshot else []
    if migration.demo:
        sender, resolve_host, dns_name = sender or DemoProbeClient(), demo_resolve, DNS_NAME
    if dns_name is None:
        answer = load_balancer_dns(migration) if migration.aws else ""
        if isinstance(answer, Problem):
            problems.append(answer)
            answer = ""
        dns_name = answer
    rules = snapshot.traffic if snapshot else None
    if migration.demo and rules:
        rules = before_the_split(rules)
    plans = tuple(plan_probe(probe, rules, dns_name, resolve_host) for probe in migration.probe)
    return ProbePlans(plans, sender or ProbeClient(), tuple(problems))


def run_probes(
    archive: Archive, plans: ProbePlans, *, now: datetime, on_progress: OnProgress = lambda _done, _total: None
) -> tuple[ProbeResult, ...]:
    """Sends the requests one after the other, and keeps each result. Raises ArchiveError."""
    results, sent = list[ProbeResult](), 0
    for plan in plans.plans:
        before = sent

        def report(done: int, _total: int, before: int = before) -> None:
            on_progress(before + done, plans.n_requests)

        result = run_probe(plan, plans.sender, now=int(now.timestamp()), on_progress=report)
        sent += 0 if plan.refusal else 2 * plan.probe.requests
        archive.observations.save_probe(result)
        results.append(result)
    return tuple(results)


ProbesWithResults = tuple[tuple[Probe, ProbeResult | None], ...]


def latest_results(archive: Archive, migration: Migration, *, now: datetime) -> ProbesWithResults:
    """Each configured probe with its newest result up to `now`, None without one. Raises ArchiveError."""
    if not migration.probe:
        return ()
    end = int(now.timestamp()) // MINUTE_S * MINUTE_S + MINUTE_S
    newest_first = archive.observations.probes(Window(end - HISTORY_S, end))[::-1]
    return tuple((probe, next((r for r in newest_first if _is_of(r, probe)), None)) for probe in migration.probe)


def _is_of(result: ProbeResult, probe: Probe) -> bool:
    """The host of a result is the one that was sent: that of the rule if none is configured."""
    is_same = (result.method, result.path, result.header) == (probe.method, probe.path, probe.header)
    return is_same and result.host == (probe.host.lower() or result.host)


class ProbeRunner:
    """Runs the probes for pages, which do not wait, in a thread of its own, one run at a time. Safe to share between threads."""

    def __init__(
        self, archive: Archive, migration: Migration, traffic: TrafficSource | None, clock: Clock = utc_now
    ) -> None:
        self._archive, self._migration, self._traffic, self._clock = archive, migration, traffic, clock
        self._lock = threading.Lock()
        self._progress: tuple[int, int] | None = None
        self._problems: tuple[Problem | ArchiveProblem, ...] = ()
        self._thread: threading.Thread | None = None

    @property
    def problems(self) -> tuple[Problem | ArchiveProblem, ...]:
        """Why the last run was incomplete: what could not be read for it, that a result was not stored, or an unexpected exception."""
        return self._problems

    @property
    def progress(self) -> tuple[int, int] | None:
        """(sent, total) requests of the current run; None without one."""
        return self._progress

    def start(self) -> bool:
        """Starts a run; False if there is one."""
        with self._lock:
            if self._progress is not None:
                return False
            self._progress, self._problems = (0, 0), ()
            self._thread = threading.Thread(target=self._run, name="probes", daemon=True)
            self._thread.start()
        return True

    def wait(self) -> None:
        """Until nothing is under way."""
        if thread := self._thread:
            thread.join()

    def _run(self) -> None:
        problems: list[Problem | ArchiveProblem] = []
        try:
            plans = plan_probes(self._migration, self._traffic)
            problems += plans.problems
            run_probes(self._archive, plans, now=self._clock(), on_progress=self._report)
        except ArchiveError as error:
            logger.warning("The result of a probe was not stored: %s", error)
            problems.append(error.problem)
        except Exception as error:
            logger.exception("probe failed")
            problems.append(Problem("internal_error", PROBE, "run", detail=f"{type(error).__name__}: {error}"))
        with self._lock:
            self._progress, self._problems = None, tuple(problems)

    def _report(self, done: int, total: int) -> None:
        with self._lock:
            self._progress = (done, total)
