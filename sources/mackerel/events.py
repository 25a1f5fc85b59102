"""Mackerel as a source of events: its alerts, and what people noted on the service's graphs."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from domain import Clock, Event, Mackerel, Migration, Window, utc_now
from sources.base import Events, Health, Problem
from sources.mackerel.client import MackerelApi, run_checks
from sources.mackerel.models import Alert, GraphAnnotation, Monitor
from sources.mackerel.protocol import FATAL_KINDS, MackerelError
from sources.mackerel.queries import alert_link, service_link

ALERT_CONTEXT_TTL_S = 300  # monitors and hosts are asked for again after so long
MAX_ALERT_PAGES = 20  # of 100 alerts
# Alerts are listed by when they opened. One that opened up to a day before a window and closed inside it is still found.
ALERT_LOOKBACK_S = 86_400

_ALERTS_OPERATION = "GET /api/v0/alerts"


@dataclass(frozen=True, slots=True)
class _AlertContext:
    """What alerts are joined with: monitors, and the services that each host has a role in."""

    fetched_at: int
    monitors: Mapping[str, Monitor]
    services_by_host: Mapping[str, frozenset[str]]

    def services(self, alert: Alert) -> frozenset[str]:
        """The services an alert is about; empty where neither its host nor its monitor says."""
        monitor = self.monitors.get(alert.monitor_id)
        return self.services_by_host.get(alert.host_id) or (monitor.services if monitor else frozenset())


class MackerelEvents:
    """A sources.EventSource. One may serve many threads.

    With a configured service: its annotations, and the alerts that are not known to be about another one. Without: every alert, no annotations.
    """

    name = "mackerel_events"

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        self._settings = migration.mackerel or Mackerel()
        self._clock = clock
        self._api = api or MackerelApi.from_environment()
        self._lock = threading.Lock()
        self._alert_context: _AlertContext | None = None

    def events(self, window: Window) -> Events:
        """Alerts that were open at some time of `window`, and annotations that touch it, in order. Never raises for Mackerel's faults."""
        began, now = time.monotonic(), int(self._clock().timestamp())
        found: list[Event] = []
        problems: list[Problem] = []
        for part in (self._alerts, self._annotations):
            try:
                events, more = part(window, now)
            except MackerelError as fault:
                problems.append(fault.to_problem(self.name))
                if fault.kind in FATAL_KINDS:
                    break
            else:
                found += events
                problems += more
        complete = not problems
        if skew := self._api.clock_skew(self.name):
            problems.append(skew)
        return Events(
            window=window,
            asked_at=now,
            events=tuple(sorted(found, key=lambda event: (event.ts, event.key))),
            problems=tuple(problems),
            complete=complete,
            took_s=time.monotonic() - began,
        )

    def check(self) -> tuple[Health, ...]:
        """Can alerts, what they are joined with, and annotations be read?"""
        recent = Window.last(5, now=self._clock())
        steps: list[tuple[str, Callable[[], object]]] = [
            (_ALERTS_OPERATION, lambda: self._api.alerts(include_closed=False)),
            ("GET /api/v0/monitors", self._api.monitors),
        ]
        if self._settings.service:
            steps.append(("GET /api/v0/graph-annotations", lambda: self._read_annotations(recent)))
        return run_checks(self._api, self.name, steps)

    def _alerts(self, window: Window, now: int) -> tuple[list[Event], list[Problem]]:
        known = self._get_alert_context(now)
        alerts: dict[str, Alert] = {}
        problems: list[Problem] = []
        # Those still open, however old; then the closed ones back to the window. Read in this order, one that closes meanwhile is closed.
        for closed, oldest in ((False, 0), (True, window.start - ALERT_LOOKBACK_S)):
            for page in self._alert_pages(oldest, include_closed=closed):
                if page is None:
                    problems.append(Problem("incomplete", self.name, _ALERTS_OPERATION, f"{MAX_ALERT_PAGES} pages"))
                else:
                    # An id may come twice, at a page's edge or as it was and as it is: the closed one is the news.
                    alerts |= {one.id: one for one in page if one.id not in alerts or not one.open}
        overlapping = [
            one
            for one in alerts.values()
            if one.opened_at < window.end and (one.open or (one.closed_at or one.opened_at) >= window.start)
        ]
        organization = (self._settings.organization or self._api.organization_name()) if overlapping else ""
        ours = [one for one in overlapping if self._is_relevant(known.services(one), one)]
        return [self._alert_event(one, known.monitors.get(one.monitor_id), organization) for one in ours], problems

    def _alert_pages(self, opened_since: int, *, include_closed: bool) -> Iterator[tuple[Alert, ...] | None]:
        """Pages until one holds only alerts that opened before `oldest`; None after too many."""
        next_id = ""
        for _ in range(MAX_ALERT_PAGES):
            page = self._api.alerts(next_id, include_closed=include_closed)
            yield page.alerts
            past = page.alerts and max(one.opened_at for one in page.alerts) < opened_since
            if past or page.next_id in ("", next_id):
                return
            next_id = page.next_id
        yield None

    def _is_relevant(self, services: frozenset[str], alert: Alert) -> bool:
        ours = self._settings.service
        return not ours or not services or ours in services or alert.host_id == self._settings.alb_host != ""

    def _alert_event(self, alert: Alert, monitor: Monitor | None, organization: str) -> Event:
        said = (alert.status, alert.message or alert.reason, alert.memo)
        return Event(
            ts=alert.opened_at,
            until=alert.closed_at,
            kind="alert",
            title=(monitor.name if monitor else "") or alert.type,
            detail="\n".join(filter(None, said)),
            fleet="",
            link=alert_link(organization, alert.id) if organization else "",
            source=self.name,
            key=alert.id,
            open=alert.open,
        )

    def _annotations(self, window: Window, now: int) -> tuple[list[Event], list[Problem]]:
        if not self._settings.service:
            return [], []
        annotations = self._read_annotations(window)
        organization = (self._settings.organization or self._api.organization_name()) if annotations else ""
        return [self._annotation_event(one, organization) for one in annotations if one.start < window.end], []

    def _read_annotations(self, window: Window) -> tuple[GraphAnnotation, ...]:
        try:
            return self._api.graph_annotations(self._settings.service, window)
        except MackerelError as fault:
            if fault.kind == "not_found":
                self._api.service(self._settings.service)  # raises what names the organization that was looked in
            raise

    def _annotation_event(self, annotation: GraphAnnotation, organization: str) -> Event:
        return Event(
            ts=annotation.start,
            until=annotation.end if annotation.end > annotation.start else None,
            kind="annotation",
            title=annotation.title,
            detail=annotation.description,
            fleet="",
            link=service_link(organization, annotation.service) if organization else "",
            source=self.name,
            key=annotation.id or f"{annotation.service} {annotation.start} {annotation.title}",
        )

    def _get_alert_context(self, now: int) -> _AlertContext:
        with self._lock:
            if self._alert_context is None or now - self._alert_context.fetched_at >= ALERT_CONTEXT_TTL_S:
                monitors = {one.id: one for one in self._api.monitors()}
                hosts = self._api.hosts() if self._settings.service else ()
                self._alert_context = _AlertContext(now, monitors, {host.id: frozenset(host.roles) for host in hosts})
            return self._alert_context
