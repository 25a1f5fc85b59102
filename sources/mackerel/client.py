"""A typed client of the read half of Mackerel's API v0: mackerel_protocol says what is asked and what a reply means, one line here talks."""

import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Self

import requests
from urllib3.exceptions import ReadTimeoutError

from domain import Window
from sources.base import Health, Problem, ProblemKind, state_of
from sources.mackerel.models import (
    Alerts,
    Dashboard,
    Dashboards,
    GraphAnnotation,
    GraphAnnotations,
    Host,
    Hosts,
    Latest,
    MetricNames,
    Monitor,
    Monitors,
    OneHost,
    Organization,
    Point,
    Points,
    Service,
    Services,
)
from sources.mackerel.protocol import (
    DETAIL,
    HOPELESS,
    MackerelFault,
    Reply,
    Request,
    Shape,
    build,
    pause_s,
    read_reply,
    shaped,
)

BASE = "https://api.mackerelio.com"
TIMEOUT_S = (3.0, 10.0)  # to connect, to wait for the next byte
ATTEMPTS = 3
SKEW_S = 30  # beyond this the newest minutes are not the ones that are asked for
LONGEST_PAUSE_S = 20  # told to wait longer, it is given up for now: the next refresh asks again
# Up to 72,300 s Mackerel answers with minutes, beyond that with averages of 5 minutes (docs/mackerel.md).
LONGEST_OF_MINUTES_S = 72_000
ALERTS_A_PAGE = 100
HOST_STATUSES = ("working", "standby", "maintenance", "poweroff")


class MackerelApi:
    """One organization, read with one key. May serve a few threads at once. Every method raises MackerelFault and nothing else.

    `sleep`, `chance` and `clock` (epoch seconds) are the world's, unless a test brings its own.
    """

    def __init__(
        self,
        key: str,
        base: str = BASE,
        *,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._base = key.strip(), base.strip().rstrip("/")
        self._timeout_s, self._attempts = timeout_s, attempts
        self._sleep, self._chance, self._clock = sleep, chance, clock
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "migration-dashboard"
        self._ahead_s = 0.0
        self._organization = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The key from MACKEREL_APIKEY and the address from MACKEREL_APIBASE, the names that mkr uses."""
        return cls(environment.get("MACKEREL_APIKEY", ""), environment.get("MACKEREL_APIBASE", "") or BASE)

    def close(self) -> None:
        self._session.close()

    def skew(self, source: str) -> Problem | None:
        """A problem where the newest reply's Date and this machine's clock differ by more than SKEW_S seconds."""
        if abs(self._ahead_s) <= SKEW_S:
            return None
        theirs = datetime.fromtimestamp(self._clock() - self._ahead_s, UTC)
        return Problem("clock_skew", source, "", f"{self._ahead_s:+.0f} s", f"{theirs:%Y-%m-%d %H:%M:%S} UTC")

    def organization(self) -> Organization:
        return self._get(build("/api/v0/org"), Organization)

    def organization_name(self) -> str:
        """For links: asked for once, as a key belongs to one organization. "" as long as Mackerel does not say; nothing else waits for it."""
        if not self._organization:
            try:
                self._organization = self.organization().name
            except MackerelFault:
                return ""
        return self._organization

    def services(self) -> tuple[Service, ...]:
        return self._get(build("/api/v0/services"), Services).services

    def service(self, name: str) -> Service:
        """The service of that name. MackerelFault "not_found" names the organization that has none: the key may be another's."""
        request = build("/api/v0/services", about=name)
        for service in self._get(request, Services).services:
            if service.name == name:
                return service
        raise MackerelFault("not_found", request.operation, name, self.organization().name)

    def hosts(self, service: str = "", statuses: Iterable[str] = HOST_STATUSES) -> tuple[Host, ...]:
        """Every host that is not retired; only of `service`, if given."""
        query = (("service", service), *(("status", status) for status in statuses))
        return self._get(build("/api/v0/hosts", query=query, about=service), Hosts).hosts

    def host(self, host_id: str) -> Host:
        """One host, retired or not."""
        return self._get(build("/api/v0/hosts/<hostId>", hostId=host_id), OneHost).host

    def host_by_custom_identifier(self, identifier: str) -> Host:
        """The host of that identifier in any case: of a load balancer, its DNS name."""
        template = "/api/v0/hosts-by-custom-identifier/<customIdentifier>"
        query = (("caseInsensitive", "true"),)
        return self._get(build(template, query=query, customIdentifier=identifier), OneHost).host

    def host_metric_names(self, host_id: str) -> tuple[str, ...]:
        return self._get(build("/api/v0/hosts/<hostId>/metric-names", hostId=host_id), MetricNames).names

    def service_metric_names(self, service: str) -> tuple[str, ...]:
        """Without those of URL monitors, which can be read all the same."""
        template = "/api/v0/services/<serviceName>/metric-names"
        return self._get(build(template, serviceName=service), MetricNames).names

    def host_metrics(self, host_id: str, name: str, window: Window) -> tuple[Point, ...]:
        """A host metric's values a minute, oldest first. MackerelFault "no_such_metric" where it was never posted."""
        template = "/api/v0/hosts/<hostId>/metrics"
        return self._points(template, name, window, lambda: self.host_metric_names(host_id), hostId=host_id)

    def service_metrics(self, service: str, name: str, window: Window) -> tuple[Point, ...]:
        """A service metric's values a minute, oldest first. MackerelFault "no_such_metric" where it was never posted."""
        template = "/api/v0/services/<serviceName>/metrics"
        return self._points(template, name, window, lambda: self.service_metric_names(service), serviceName=service)

    def latest(self, host_ids: Iterable[str], names: Iterable[str]) -> Mapping[str, Mapping[str, Point | None]]:
        """Each host's newest point of each metric; None where it has none."""
        query = (*(("hostId", host_id) for host_id in host_ids), *(("name", name) for name in names))
        return self._get(build("/api/v0/tsdb/latest", query=query), Latest).tsdb_latest

    def graph_annotations(self, service: str, window: Window) -> tuple[GraphAnnotation, ...]:
        """The service's annotations that touch `window`."""
        query = (("service", service), ("from", window.start), ("to", window.end))
        request = build("/api/v0/graph-annotations", query=query, about=service)
        return self._get(request, GraphAnnotations).graph_annotations

    def alerts(self, next_id: str = "", *, closed: bool) -> Alerts:
        """One page of alerts, newest first; with the closed ones, if `closed`. `next_id` is that of the page before."""
        query = (("withClosed", "true" if closed else ""), ("nextId", next_id), ("limit", ALERTS_A_PAGE))
        return self._get(build("/api/v0/alerts", query=query), Alerts)

    def monitors(self) -> tuple[Monitor, ...]:
        return self._get(build("/api/v0/monitors"), Monitors).monitors

    def dashboards(self) -> tuple[Dashboard, ...]:
        """Every custom dashboard, some without their widgets."""
        return self._get(build("/api/v0/dashboards"), Dashboards).dashboards

    def dashboard(self, dashboard_id: str) -> Dashboard:
        return self._get(build("/api/v0/dashboards/<dashboardId>", dashboardId=dashboard_id), Dashboard)

    def _points(
        self, template: str, name: str, window: Window, names: Callable[[], Iterable[str]], **owner: str
    ) -> tuple[Point, ...]:
        """The points in `window`, in pieces short enough to be answered in minutes, each point once."""
        found: dict[int, Point] = {}
        for piece in window.pieces(LONGEST_OF_MINUTES_S):
            query = (("name", name), ("from", piece.start), ("to", piece.end))
            request = build(template, query=query, about=name, **owner)
            try:
                points = self._get(request, Points).metrics
            except MackerelFault as fault:
                if fault.kind != "not_found":
                    raise
                # 404 is both "no such metric" and "no such host": unless it says which, the list of names does, by being there.
                if "metric" not in fault.detail.lower():
                    names()
                raise MackerelFault("no_such_metric", fault.operation, name, fault.detail) from fault
            found |= {point.time: point for point in points if piece.start <= point.time < piece.end}
        return tuple(found[time_s] for time_s in sorted(found))

    def _get(self, request: Request, shape: type[Shape]) -> Shape:
        """The answer to `request`, asked again while Mackerel says that it is too busy."""
        reply = self._send(request)
        for attempt in range(self._attempts - 1):
            wait_s = pause_s(attempt, reply.retry_after_s, self._chance())
            if not reply.temporary or wait_s > LONGEST_PAUSE_S:
                break
            self._sleep(wait_s)
            reply = self._send(request)
        return shaped(request, reply, shape)

    def _send(self, request: Request) -> Reply:
        if not self._key:
            raise MackerelFault("no_credentials", request.operation, "MACKEREL_APIKEY")
        if not (self._key.isascii() and self._key.isprintable()):
            # Refused here: requests would name the key in what it raises.
            raise MackerelFault("wrong_key", request.operation, "MACKEREL_APIKEY")
        try:
            answer = self._session.get(
                self._base + request.path,
                params=request.query,
                headers={"X-Api-Key": self._key},
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise MackerelFault(_kind_without_answer(error), request.operation, self._base, _cause(error)) from error
        reply = read_reply(answer.status_code, answer.headers, answer.content)
        if reply.date_s is not None:
            self._ahead_s = self._clock() - reply.date_s
        return reply


def _kind_without_answer(error: requests.RequestException) -> ProblemKind:
    late_in_the_body = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
    if isinstance(error, requests.Timeout) or late_in_the_body:
        return "timeout"
    if isinstance(error, requests.ConnectionError):
        return "unreachable"
    # MACKEREL_APIBASE is no address; or the answer broke off or was packed wrongly.
    return "bad_request" if isinstance(error, ValueError) else "bad_reply"


def _cause(error: requests.RequestException) -> str:
    """What went wrong in the words of whoever noticed, without requests' wrapping and retries around it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner))[:DETAIL]


def checked(api: MackerelApi, source: str, steps: Iterable[tuple[str, Callable[[], object]]]) -> tuple[Health, ...]:
    """One line a step (its permission, and what tries it); none after a fault that the next would meet as well."""
    lines: list[Health] = []
    for permission, attempt in steps:
        began, problem = time.monotonic(), None
        try:
            attempt()
        except MackerelFault as fault:
            problem = fault.problem(source)
        took_s = time.monotonic() - began
        if problem is None and not lines:
            problem = api.skew(source)
        lines.append(Health(source, permission, state_of((problem,) if problem else (), took_s), took_s, problem))
        if problem and problem.kind in HOPELESS:
            break
    return tuple(lines)
