"""The program's own metrics, for Prometheus: what is recorded, read when it is scraped. docs/metrics.md describes each.

Nothing is judged for a scrape: decisions and verdicts are those that the gate answers with.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from analysis import Verdict
from archive import Archive, ArchiveError, SourceState
from archive.status import size_bytes
from domain import Clock, Migration, utc_now
from domain.decision import EXIT_CODES
from domain.durations import DurationHistogram
from services.channels import ChannelReport, archived_reports
from services.recorded_decision import GateState, parse_body, read_state, why_unusable
from sources.base import ANSWERING_STATES

# By name: what it is, and its labels.
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "migration_decision": (
        "1 for the decision that the gate answers with now, 0 for the others.",
        ("migration", "phase", "decision"),
    ),
    "migration_decision_recorded_timestamp_seconds": ("When the last decision was recorded.", ("migration",)),
    "migration_data_until_timestamp_seconds": ("The end of the data that the last decision rests on.", ("migration",)),
    "migration_verdict": (
        "1 for the verdict of the criterion in the current phase, 0 for the others.",
        ("migration", "phase", "criterion", "verdict"),
    ),
    "migration_configured_share_ratio": (
        "Share of the traffic (0-1) by the weights that were read last.",
        ("migration", "fleet"),
    ),
    "migration_observed_share_ratio": (
        "Share of the requests (0-1) since the weights changed.",
        ("migration", "fleet"),
    ),
    "migration_source_up": ("1 while the source answers.", ("migration", "source", "role")),
    "migration_source_last_success_timestamp_seconds": (
        "When the source last answered.",
        ("migration", "source", "role"),
    ),
    "migration_source_problems": (
        "Problems that the last poll found, by kind.",
        ("migration", "source", "role", "kind"),
    ),
    "migration_notifications_failing": (
        "1 if the last attempt to send to the channel failed, or a message was given up in the last day.",
        ("migration", "channel"),
    ),
    "migration_notifications_waiting": ("Messages that are to be sent.", ("migration", "channel")),
    "migration_notifications_given_up": ("Messages that were given up in the last day.", ("migration", "channel")),
    "migration_notification_last_sent_timestamp_seconds": (
        "When a message was last sent to the channel.",
        ("migration", "channel"),
    ),
    "migration_archive_readable": ("1 while the archive can be read.", ("migration",)),
    "migration_archive_size_bytes": ("Size of the SQLite file with its log, or of the tables in PostgreSQL.", ()),
    "migration_viewers": ("Open pages.", ()),
}
POLLS = "migration_poll_duration_seconds"
POLLS_HELP, POLLS_LABELS = "How long polls took, also those that had nothing to do.", ("migration", "source", "role")


class Poll(Protocol):
    """What collector.polling.PollTask is here."""

    @property
    def source(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def durations(self) -> DurationHistogram: ...


class MetricsTarget(Protocol):
    """A migration, or a release that runs, with what polls it. `source_states` may raise ArchiveError."""

    @property
    def migration(self) -> Migration: ...
    @property
    def archive(self) -> Archive: ...
    @property
    def tasks(self) -> Sequence[Poll]: ...
    def source_states(self) -> Sequence[SourceState]: ...


class _Families:
    """The metrics of one scrape."""

    def __init__(self) -> None:
        self._gauges = {name: GaugeMetricFamily(name, text, labels=labels) for name, (text, labels) in GAUGES.items()}
        self._polls = HistogramMetricFamily(POLLS, POLLS_HELP, labels=POLLS_LABELS)

    def __iter__(self) -> Iterator[Metric]:
        yield from (family for family in (*self._gauges.values(), self._polls) if family.samples)

    def set(self, name: str, value: float, *labels: str) -> None:
        self._gauges[name].add_metric(labels, value)

    def set_one_of(self, name: str, values: Iterable[str], current: str, *labels: str) -> None:
        """1 for the current one of `values`, 0 for the others."""
        for value in values:
            self.set(name, float(value == current), *labels, value)

    def add_polls(self, durations: DurationHistogram, *labels: str) -> None:
        buckets = [("+Inf" if bound == float("inf") else str(bound), n) for bound, n in durations.cumulative]
        self._polls.add_metric(labels, buckets, durations.total_s)


class RecordedState(Collector):
    """Reads the state of all `targets`, and what they share. `viewers`: the number of open pages; None if there are no pages."""

    def __init__(
        self,
        targets: Callable[[], Iterable[MetricsTarget]],
        viewers: Callable[[], int] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._targets, self._viewers, self._clock = targets, viewers, clock

    def collect(self) -> Iterator[Metric]:
        families, targets, now = _Families(), tuple(self._targets()), self._clock()
        for target in targets:
            if not target.migration.is_release_board:
                _add_decision(families, target, now.timestamp())
            _add_notifications(families, target, now)
            _add_sources(families, target)
        if targets:
            with suppress(ArchiveError):  # migration_archive_readable says so
                families.set("migration_archive_size_bytes", size_bytes(targets[0].archive.engine))
        if self._viewers:
            families.set("migration_viewers", self._viewers())
        yield from families


def _add_decision(families: _Families, target: MetricsTarget, now: float) -> None:
    """What the gate answers. What was judged is left out while it is not of now."""
    slug = target.migration.slug
    try:
        state = read_state(target.archive, slug)
    except ArchiveError:
        state = GateState(slug, ())
    last = state.decisions[-1] if state.decisions else None
    recorded = parse_body(last.body) if last else {}
    content = recorded if last and not why_unusable(state, last, now) else {}
    labels = (slug, str(last.phase) if last else "")
    families.set_one_of("migration_decision", EXIT_CODES, content.get("decision", "no_data"), *labels)
    if last:
        families.set("migration_decision_recorded_timestamp_seconds", last.recorded_at, slug)
    if data_until := recorded.get("data_until"):
        until_s = datetime.fromisoformat(data_until).timestamp()
        families.set("migration_data_until_timestamp_seconds", until_s, slug)
    for result in content.get("criteria", ()):
        criterion = (*labels, result["metric"])
        families.set_one_of("migration_verdict", get_args(Verdict), result["verdict"], *criterion)
    for fleet, share in state.shares:
        families.set("migration_configured_share_ratio", share, slug, fleet)
    for fleet, share in content.get("observed", {}).items():
        families.set("migration_observed_share_ratio", share, slug, fleet)


def _add_notifications(families: _Families, target: MetricsTarget, now: datetime) -> None:
    reports: Sequence[ChannelReport] = ()
    with suppress(ArchiveError):
        reports = archived_reports(target.archive, target.migration, now)
    for report in reports:
        labels = (target.migration.slug, report.channel)
        families.set("migration_notifications_failing", float(report.problem is not None), *labels)
        state = report.state
        families.set("migration_notifications_waiting", state.waiting if state else 0, *labels)
        families.set("migration_notifications_given_up", state.failed if state else 0, *labels)
        if state and state.last_sent_at is not None:
            families.set("migration_notification_last_sent_timestamp_seconds", state.last_sent_at, *labels)


def _add_sources(families: _Families, target: MetricsTarget) -> None:
    slug = target.migration.slug
    states: Sequence[SourceState] = ()
    with suppress(ArchiveError):
        states = target.source_states()
    for state in states:
        labels = (slug, state.source, state.role)
        families.set("migration_source_up", float(state.state in ANSWERING_STATES), *labels)
        if state.last_success_at is not None:
            families.set("migration_source_last_success_timestamp_seconds", state.last_success_at, *labels)
        for kind, n in Counter(problem.kind for problem in state.problems).items():
            families.set("migration_source_problems", n, *labels, kind)
    families.set("migration_archive_readable", float(target.archive.outage is None), slug)
    polls: dict[tuple[str, str], DurationHistogram] = {}
    for poll in target.tasks:  # the archive is checked by several collectors
        key = poll.source, poll.role
        polls[key] = polls[key] + poll.durations if key in polls else poll.durations
    for key, durations in polls.items():
        families.add_polls(durations, slug, *key)


def metrics_registry(recorded: RecordedState) -> CollectorRegistry:
    """All metrics of a process."""
    registry = CollectorRegistry()
    registry.register(recorded)
    ProcessCollector(registry=registry)
    return registry


@dataclass(frozen=True, slots=True)
class Scrape(Collector):
    """The metrics at one moment."""

    metrics: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        return self.metrics

    def encoded(self, accept: str) -> tuple[bytes, str]:
        """In the format that an Accept header asks for, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self), media_type
