"""Results of probes, and jobs whose hand-over has findings."""

from analysis.batches.handover import Handover, Slot
from domain import Window
from domain.config.probe import Probe
from domain.probe import Difference, ProbeResult, SideResult
from domain.window import DAY_S
from services.batches import BatchView
from services.probing import ProbesWithResults
from tests.factories.job_reports import job, run


def probe_result(ts: int, probe: Probe | None = None, **changes: object) -> ProbeResult:
    """Both fleets answered 200 five times; JSON has a number as text on the canary. `changes`: of the result."""
    probe = probe or Probe(path="/api/photos/1207")
    sides = (
        SideResult("baseline", "", ((200, 5),), (), (0.06, 0.061, 0.062, 0.07, 0.08), 90),
        SideResult("canary", "X-Canary: ecs", ((200, 5),), (), (0.05, 0.051, 0.052, 0.06, 0.07), 92),
    )
    fields: dict[str, object] = {
        "key": f"p-{ts}",
        "ts": ts,
        "method": probe.method,
        "path": probe.path,
        "host": probe.host or "photo.example.com",
        "expect": probe.expect,
        "requests": probe.requests,
        "state": "different",
        "sides": sides,
        "differences": (Difference("json $.views", "int 48213", "str 48213"),),
        "ignored": ("header x-request-id",),
        "header": probe.header,
    }
    return ProbeResult(**(fields | changes))  # type: ignore[arg-type]


def probes(ts: int) -> ProbesWithResults:
    """One with a result, one that was never sent."""
    first = Probe(path="/api/photos/1207")
    return (first, probe_result(ts, first)), (Probe(path="/never"), None)


def twice_run_batches(end: int, name: str = "cleanup", *, complete: bool = True) -> BatchView:
    """A job that both schedulers ran on the last two days before `end`."""
    slots = tuple(Slot(at, (run(at),), (run(at + 60),)) for at in (end - 2 * DAY_S, end - DAY_S))
    found = job(name, handover=Handover({"both": slots}, runs_twice=True))
    return BatchView(Window(end - 14 * DAY_S, end), (found,), complete)
