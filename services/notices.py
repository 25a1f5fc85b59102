"""The present values of a migration whose changes are announced, and the notice of each change."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

from archive import Archive, BatchArchive, SourceState
from archive.decisions import RecordedDecision
from archive.notifications import Announced
from channels.base import Notice, NoticeKind
from domain import FLEETS, FleetName, Migration, Window
from domain.deployments import Deployment
from domain.window import DAY_S, HOUR_S, MINUTE_S
from messages import notifications as text
from messages.decision import SIGNS
from messages.deployments import failure_reason
from messages.errors.sources import format_problem
from messages.parity import phase_share
from services.batches import BatchView, batches_cache_key, read_batches
from services.recorded_decision import GateState, parse_body, read_state, why_unusable
from services.versioned_cache import VersionedCache

MAX_NEWS_AGE_S = DAY_S  # of what began while nothing ran: older is not announced
HOLD_SOURCE_S = MINUTE_S  # a source that is unavailable for less is not announced
LINK_BEFORE_S, LINK_AFTER_S = 2 * HOUR_S, MINUTE_S  # the window of a link, around the change
MAX_REASONS = 3
BATCHES_EVERY_S = 300  # their sources are polled as often; a run is missed as time passes
UNAVAILABLE = ("down", "denied")
_BATCH_FAILURES = ("failed", "missed", "stopped")
_BATCH_SUCCESSES = ("ok", "slow", "late")

_batch_views: WeakKeyDictionary[BatchArchive, VersionedCache[BatchView]] = WeakKeyDictionary()

Words = tuple[str, tuple[str, ...]]  # title, details


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """A migration whose changes are announced. `source_states`: raises ArchiveError. `batches`: its archive, and the sources' names."""

    migration: Migration
    archive: Archive
    source_states: Callable[[], tuple[SourceState, ...]]
    batches: tuple[BatchArchive, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a subject as of `read_at` (epoch seconds). `words`: for the change from the value before.

    A change is announced if another reading, `hold_s` seconds later or more, has it, too; at once if that is 0. `began`: of a subject that begins
    to exist; of others the first value is not announced. `is_over`: its value does not change any more.
    """

    subject: str
    kind: NoticeKind
    value: str
    read_at: int
    words: Callable[[str], Words]
    hold_s: int = 0
    began: int | None = None
    is_over: bool = False
    thread: str = ""


def step(
    known: Announced | None, reading: Reading, *, started: int
) -> tuple[Literal["nothing", "note", "announce"], Announced]:
    """What follows from a reading: nothing, or a state to be kept, with or without an announcement. `started`: since when changes are announced."""
    before = known or Announced("", reading.read_at)
    is_new = known is None and (reading.began is None or reading.began < max(started, reading.read_at - MAX_NEWS_AGE_S))
    if is_new:
        first = Announced(reading.value, reading.read_at)
        return ("nothing" if reading.is_over else "note"), first
    if reading.value == before.value:
        return ("note", Announced(before.value, before.since_s)) if before.candidate else ("nothing", before)
    held_s = reading.read_at - before.candidate_s
    if reading.hold_s == 0 or (before.candidate == reading.value and held_s >= reading.hold_s):
        return "announce", Announced(reading.value, reading.read_at)
    if before.candidate == reading.value and held_s >= 0:  # else its time comes from a wrong clock
        return "nothing", before
    return "note", replace(before, candidate=reading.value, candidate_s=reading.read_at)


def build_notice(target: NotifyTarget, reading: Reading, before: str, *, key: str, now: datetime) -> Notice:
    """The notice of a change, in the language of this context."""
    migration, at = target.migration, int(now.timestamp())
    title, details = reading.words(before)
    link = link_to(migration, reading.began or at, at)
    thread = reading.thread or migration.slug
    return Notice(key, reading.kind, migration.slug, migration.name, title, details, link, thread, at, reading.value)


def link_to(migration: Migration, start: int, end: int) -> str:
    """The Live page of a window that begins LINK_BEFORE_S before `start` (at most a day before its end)."""
    if migration.notify is None:
        return ""
    last = (end + LINK_AFTER_S) // MINUTE_S * MINUTE_S
    first = max(start - LINK_BEFORE_S, last - DAY_S) // MINUTE_S * MINUTE_S
    query = {"migration": migration.slug, "from": _url_time(first), "to": _url_time(last)}
    if migration.notify.language:
        query["lang"] = migration.notify.language
    return f"{migration.notify.dashboard_url}/?{urlencode(query)}"


def _url_time(epoch_s: int) -> str:
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%MZ}"


def read_readings(target: NotifyTarget, now: datetime) -> Iterator[Reading]:
    """Of every subject that is known now; of a release, the decision and the incidents: the rest is its migration's. Raises ArchiveError."""
    state = read_state(target.archive, target.migration.slug)
    if state.decisions and not target.migration.is_release_board:
        recorded = state.decisions[-1]
        if not why_unusable(state, recorded, now.timestamp()):
            content = parse_body(recorded.body)
            thread = f"{target.migration.slug} {recorded.phase}"
            yield _decision(target, content, recorded, thread)
            for incident in content["incidents"]:
                yield _incident(target, incident, content, recorded.recorded_at, thread)
    if target.migration.release:
        return
    now_s, labels = int(now.timestamp()), target.migration.labels
    yield from _weights(state, labels, now_s)
    for deployment in target.archive.events.deployments():
        yield _deployment(deployment, labels, now_s)
    for source in target.source_states():
        yield _source(source, now_s)
    if target.batches:
        archive, names = target.batches
        yield from _batches(target.migration, archive, names, now_s)


def _decision(target: NotifyTarget, content: Mapping[str, Any], recorded: RecordedDecision, thread: str) -> Reading:
    about = text.phase(recorded.phase, phase_share(content["configured"].get("canary")), target.migration.name)
    sentences = tuple(dict.fromkeys(reason["sentence"] for reason in content["reasons"]))
    words = f"{SIGNS[content['decision']]} {content['headline']}", (about, *sentences[:MAX_REASONS])
    at = recorded.recorded_at
    return Reading("decision", "decision", content["decision"], at, lambda _: words, hold_s=1, thread=thread)


def _incident(
    target: NotifyTarget, incident: Mapping[str, Any], content: Mapping[str, Any], recorded_at: int, thread: str
) -> Reading:
    migration, is_open = target.migration, bool(incident["open"])
    start, end = (datetime.fromisoformat(incident[name]) for name in ("from", "to"))
    fleets: list[FleetName] = [fleet for fleet in FLEETS if fleet in incident["fleets"]]
    reasons = [item["sentence"] for item in content["reasons"] if item["subject"] == incident["id"]]
    title = text.incident(fleets, migration.labels, is_open=is_open)
    details = tuple(reasons) or (text.incident_span(start, None if is_open else end, migration.zone),)
    began = int(start.timestamp())
    value = "open" if is_open else "over"
    subject = f"incident:{incident['id']}"
    return Reading(subject, "incident", value, recorded_at, lambda _: (title, details), 1, began, not is_open, thread)


def _weights(state: GateState, labels: Mapping[FleetName, str], now: int) -> Iterator[Reading]:
    if (share := state.canary_share) is not None:
        value = f"{share:.6f}"
        yield Reading("weights", "weights", value, now, lambda before: (text.weights(before, value, labels), ()))


def _deployment(deployment: Deployment, labels: Mapping[FleetName, str], now: int) -> Reading:
    value = "waiting" if deployment.running and deployment.waits else deployment.outcome
    reason = failure_reason(deployment)
    title = text.deployment(deployment, value, labels[deployment.fleet])
    details = (reason,) if reason else ()
    subject, began = f"deployment:{deployment.system}:{deployment.id}", deployment.created
    is_over = not deployment.running
    return Reading(subject, "deployment", value, now, lambda _: (title, details), began=began, is_over=is_over)


def _source(source: SourceState, now: int) -> Reading:
    is_down = source.state in UNAVAILABLE
    title = text.source(source.source, is_down=is_down)
    messages = [format_problem(problem) for problem in source.problems[:1] if is_down]
    details = tuple(f"{message.text} {message.next_step}" for message in messages)
    subject, value = f"source:{source.source}:{source.role}", "down" if is_down else "up"
    return Reading(subject, "source", value, now, lambda _: (title, details), HOLD_SOURCE_S)


def _batches(migration: Migration, archive: BatchArchive, names: tuple[str, ...], now: int) -> Iterator[Reading]:
    assert migration.batches
    end = now // BATCHES_EVERY_S * BATCHES_EVERY_S
    cache, version = _batch_views.setdefault(archive, VersionedCache()), (end, batches_cache_key(archive, names))
    view = cache.get(names, version)
    if view is None:
        view = read_batches(archive, migration.batches, names, Window(end - DAY_S, end))
        cache.put(names, version, view)
    for job in view.jobs:
        if job.state in _BATCH_FAILURES or job.state in _BATCH_SUCCESSES:
            value = job.state if job.state in _BATCH_FAILURES else "ok"
            yield _batch(job.name, value, now)


def _batch(job: str, value: str, now: int) -> Reading:
    return Reading(f"batch:{job}", "batch", value, now, lambda _: (text.batch(job, value), ()))
