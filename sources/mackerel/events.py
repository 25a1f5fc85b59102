"""Mackerel as an event source: alerts and graph annotations."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from domain import Clock, Event, Mackerel, Migration, Window, utc_now
from domain.window import DAY_S
from sources.base import Events, Health, Problem
from sources.mackerel.client import CheckStep, MackerelApi, run_checks
from sources.mackerel.models import Alert, GraphAnnotation, Monitor
from sources.mackerel.protocol import FATAL_KINDS, MackerelError
from sources.mackerel.queries import alert_link, service_link

ALERT_CONTEXT_TTL_S = 300
MAX_ALERT_PAGES = 20  # of 100 alerts
# Alerts are listed by their opening time. One that opened up to a day before a window and closed inside it is still included.
ALERT_LOOKBACK_S = DAY_S

_ALERTS_OPERATION = "GET /api/v0/alerts"


@dataclass(frozen=True, slots=True)
class _AlertContext:
    """What alerts are joined with: monitors by id, and the services in which each host has a role. `fetched_at`: epoch seconds."""

    fetched_at: int
    monitors: Mapping[str, Monitor]
    services_by_host: Mapping[str, frozenset[str]]

    def services(self, alert: Alert) -> frozenset[str]:
        """The services of the alert's host, else of its monitor; empty if neither names any."""
        monitor = self.monitors.get(alert.monitor_id)
        return self.services_by_host.get(alert.host_id) or (monitor.services if monitor else frozenset())


class MackerelEvents:
    """An EventSource. Thread-safe.

    With a configured service: its annotations, and the alerts that are not known to belong to another service. Without: all alerts, no annotations.
    """

    name = "mackerel_events"

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, api: MackerelApi | None = None) -> None:
        self._settings = migration.mackerel or Mackerel()
        self._clock = clock
        self._api = api or MackerelApi.from_environment()
        self._lock = threading.Lock()
        self._alert_context: _AlertContext | None = None

    def events(self, window: Window) -> Events:
        """Alerts that were open at some time in `window`, and annotations that overlap it, by time. Mackerel's errors are problems."""
        started_s, now = time.monotonic(), int(self._clock().timestamp())
        events: list[Event] = []
        problems: list[Problem] = []
        for read in (self._alerts, self._annotations):
            try:
                more_events, more_problems = read(window, now)
            except MackerelError as error:
                problems.append(error.to_problem(self.name))
                if error.kind in FATAL_KINDS:
                    break
            else:
                events += more_events
                problems += more_problems
        return Events(
            window=window,
            asked_at=now,
            events=tuple(sorted(events, key=lambda event: (event.ts, event.key))),
            problems=(*problems, *self._api.clock_skew(self.name)),
            complete=not problems,
            took_s=time.monotonic() - started_s,
            clock_ahead_s=self._api.clock_ahead_s,
        )

    def check(self) -> tuple[Health, ...]:
        """Checks reading alerts, monitors and annotations."""
        recent = Window.last(5, now=self._clock())
        steps = [
            CheckStep(_ALERTS_OPERATION, lambda: self._api.alerts(include_closed=False)),
            CheckStep("GET /api/v0/monitors", self._api.monitors),
        ]
        if self._settings.service:
            steps.append(CheckStep("GET /api/v0/graph-annotations", lambda: self._read_annotations(recent)))
        return run_checks(self._api, self.name, steps)

    def _alerts(self, window: Window, now: int) -> tuple[list[Event], list[Problem]]:
        context = self._get_alert_context(now)
        alerts: dict[str, Alert] = {}
        problems: list[Problem] = []
        # Open alerts of any age first, then closed ones back to the window: an alert that closes in between is read as closed.
        for include_closed, opened_since in ((False, 0), (True, window.start - ALERT_LOOKBACK_S)):
            for page in self._alert_pages(opened_since, include_closed=include_closed):
                if page is None:
                    problems.append(Problem("incomplete", self.name, _ALERTS_OPERATION, f"{MAX_ALERT_PAGES} pages"))
                else:
                    # The same id may appear twice, at a page boundary or in both states: the closed state is the newer one.
                    alerts |= {alert.id: alert for alert in page if alert.id not in alerts or not alert.open}
        overlapping = [
            alert
            for alert in alerts.values()
            if alert.opened_at < window.end and (alert.open or (alert.closed_at or alert.opened_at) >= window.start)
        ]
        organization = self._organization(overlapping)
        relevant = [alert for alert in overlapping if self._is_relevant(context.services(alert), alert)]
        events = [self._alert_event(alert, context.monitors.get(alert.monitor_id), organization) for alert in relevant]
        return events, problems

    def _alert_pages(self, opened_since: int, *, include_closed: bool) -> Iterator[tuple[Alert, ...] | None]:
        """Pages up to the first with only alerts that opened before `opened_since`; a None after MAX_ALERT_PAGES."""
        next_id = ""
        for _ in range(MAX_ALERT_PAGES):
            page = self._api.alerts(next_id, include_closed=include_closed)
            yield page.alerts
            too_old = page.alerts and max(alert.opened_at for alert in page.alerts) < opened_since
            if too_old or page.next_id in ("", next_id):
                return
            next_id = page.next_id
        yield None

    def _is_relevant(self, services: frozenset[str], alert: Alert) -> bool:
        service = self._settings.service
        return not service or not services or service in services or alert.host_id == self._settings.alb_host != ""

    def _organization(self, linked: Sequence[object]) -> str:
        """The organization's name for links, requested only if there is anything to link."""
        return (self._settings.organization or self._api.organization_name()) if linked else ""

    def _alert_event(self, alert: Alert, monitor: Monitor | None, organization: str) -> Event:
        details = (alert.status, alert.message or alert.reason, alert.memo)
        return Event(
            ts=alert.opened_at,
            until=alert.closed_at,
            kind="alert",
            title=(monitor.name if monitor else "") or alert.type,
            detail="\n".join(filter(None, details)),
            fleet="",
            link=alert_link(organization, alert.id) if organization else "",
            source=self.name,
            key=alert.id,
            open=alert.open,
        )

    def _annotations(self, window: Window, _now: int) -> tuple[list[Event], list[Problem]]:
        if not self._settings.service:
            return [], []
        annotations = self._read_annotations(window)
        organization = self._organization(annotations)
        return [self._annotation_event(note, organization) for note in annotations if note.start < window.end], []

    def _read_annotations(self, window: Window) -> tuple[GraphAnnotation, ...]:
        try:
            return self._api.graph_annotations(self._settings.service, window)
        except MackerelError as error:
            if error.kind == "not_found":
                self._api.service(self._settings.service)  # raises an error that names the key's organization
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
                monitors = {monitor.id: monitor for monitor in self._api.monitors()}
                hosts = self._api.hosts() if self._settings.service else ()
                services_by_host = {host.id: frozenset(host.roles) for host in hosts}
                self._alert_context = _AlertContext(now, monitors, services_by_host)
            return self._alert_context
