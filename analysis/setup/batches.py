"""Which batches an account has: what EventBridge starts, matched by name with the metrics that runs post to a Mackerel service. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domain.config.batches import RUN_METRICS, RunMetric
from domain.inventory import FoundTrigger

_WORDS: dict[RunMetric, frozenset[str]] = {
    "duration": frozenset(("duration", "elapsed", "seconds", "time")),
    "success": frozenset(("success", "succeeded", "ok")),
    "failure": frozenset(("failure", "failed", "failures", "error", "errors")),
}
_JOB = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class ProposedBatches:
    """`patterns`: keys of [batches] and their values. `jobs`: by name, with what starts each; its metrics exist."""

    service: str
    patterns: tuple[tuple[str, str], ...]
    jobs: tuple[tuple[str, FoundTrigger], ...]


def propose_batches(
    triggers: Sequence[FoundTrigger], service: str, metric_names: Iterable[str]
) -> ProposedBatches | None:
    """The jobs of which a part of a metric's name is that of a rule, a schedule or a function: `batch.{job}.duration`. None if there is none.

    Of several patterns of a metric, the one with the most jobs; patterns with "cron" in their name are those of cron.
    """
    jobs_of: defaultdict[tuple[str, str], dict[str, FoundTrigger]] = defaultdict(dict)  # (key, pattern) → job → trigger
    for name in sorted(set(metric_names)):
        for metric, pattern, job in _readings(name):
            if trigger := next((item for item in triggers if _starts(item, job)), None):
                key = f"cron_{metric}" if "cron" in pattern.lower() else metric
                jobs_of[key, pattern][job] = trigger
    best: dict[str, str] = {}
    for (key, pattern), jobs in jobs_of.items():
        if key not in best or len(jobs) > len(jobs_of[key, best[key]]):
            best[key] = pattern
    order = [*RUN_METRICS, *(f"cron_{metric}" for metric in RUN_METRICS)]
    patterns = tuple((key, best[key]) for key in order if key in best)
    jobs = {job: trigger for pattern in patterns for job, trigger in jobs_of[pattern].items()}
    return ProposedBatches(service, patterns, tuple(sorted(jobs.items()))) if jobs else None


def _readings(name: str) -> Iterator[tuple[RunMetric, str, str]]:
    """The ways to read a metric's name as that of a job: (metric, pattern, job)."""
    *parts, last = name.split(".")
    for metric, words in _WORDS.items():
        if last.lower() in words:
            for at, job in enumerate(parts):
                if _JOB.fullmatch(job):
                    yield metric, ".".join([*parts[:at], "{job}", *parts[at + 1 :], last]), job


def _starts(trigger: FoundTrigger, job: str) -> bool:
    """Whether the trigger's or its function's name is the job's, or ends with it: photo-thumbnails."""
    names = (trigger.name.rpartition("/")[2], trigger.function)
    return any(name == job or name.endswith((f"-{job}", f"_{job}")) for name in names)
