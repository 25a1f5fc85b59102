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
from sources.base import Health, Problem, ProblemKind, health_state
from sources.mackerel.models import (
    Alerts,
    Dashboard,
    Dashboards,
    GraphAnnotation,
    GraphAnnotations,
    Host,
    HostEnvelope,
    Hosts,
    Latest,
    MetricNames,
    Monitor,
    Monitors,
    Organization,
    Point,
    Points,
    Service,
    Services,
)
from sources.mackerel.protocol import (
    FATAL_KINDS,
    MAX_DETAIL_CHARS,
    MackerelError,
    ModelT,
    Request,
    Response,
    build_request,
    parse_response,
    pause_s,
    read_response,
)

BASE_URL = "https://api.mackerelio.com"
TIMEOUT_S = (3.0, 10.0)  # to connect, to wait for the next byte
MAX_ATTEMPTS = 3
MAX_CLOCK_SKEW_S = 30  # beyond this the newest minutes are not the ones that are asked for
MAX_RETRY_WAIT_S = 20  # told to wait longer, it is given up for now: the next refresh asks again
# Up to 72,300 s Mackerel answers with minutes, beyond that with averages of 5 minutes (docs/mackerel.md).
MAX_MINUTE_RANGE_S = 72_000
ALERTS_PER_PAGE = 100
HOST_STATUSES = ("working", "standby", "maintenance", "poweroff")


class MackerelApi:
    """One organization, read with one key. May serve a few threads at once. Every method raises MackerelFault and nothing else.

    `sleep`, `chance` and `clock` (epoch seconds) are the world's, unless a test brings its own.
    """

    def __init__(
        self,
        key: str,
        base_url: str = BASE_URL,
        *,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        attempts: int = MAX_ATTEMPTS,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._base_url = key.strip(), base_url.strip().rstrip("/")
        self._timeout_s, self._attempts = timeout_s, attempts
        self._sleep, self._chance, self._clock = sleep, chance, clock
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "migration-dashboard"
        self._clock_skew_s = 0.0
        self._organization = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The key from MACKEREL_APIKEY and the address from MACKEREL_APIBASE, the names that mkr uses."""
        return cls(environment.get("MACKEREL_APIKEY", ""), environment.get("MACKEREL_APIBASE", "") or BASE_URL)

    def close(self) -> None:
        self._session.close()

    def clock_skew(self, source: str) -> Problem | None:
        """A problem where the newest reply's Date and this machine's clock differ by more than SKEW_S seconds."""
        if abs(self._clock_skew_s) <= MAX_CLOCK_SKEW_S:
            return None
        theirs = datetime.fromtimestamp(self._clock() - self._clock_skew_s, UTC)
        return Problem("clock_skew", source, "", f"{self._clock_skew_s:+.0f} s", f"{theirs:%Y-%m-%d %H:%M:%S} UTC")

    def organization(self) -> Organization:
        return self._get(build_request("/api/v0/org"), Organization)

    def organization_name(self) -> str:
        """For links: asked for once, as a key belongs to one organization. "" as long as Mackerel does not say; nothing else waits for it."""
        if not self._organization:
            try:
                self._organization = self.organization().name
            except MackerelError:
                return ""
        return self._organization

    def services(self) -> tuple[Service, ...]:
        return self._get(build_request("/api/v0/services"), Services).services

    def service(self, name: str) -> Service:
        """The service of that name. MackerelFault "not_found" names the organization that has none: the key may be another's."""
        request = build_request("/api/v0/services", about=name)
        for service in self._get(request, Services).services:
            if service.name == name:
                return service
        raise MackerelError("not_found", request.operation, name, self.organization().name)

    def hosts(self, service: str = "", statuses: Iterable[str] = HOST_STATUSES) -> tuple[Host, ...]:
        """Every host that is not retired; only of `service`, if given."""
        query = (("service", service), *(("status", status) for status in statuses))
        return self._get(build_request("/api/v0/hosts", query=query, about=service), Hosts).hosts

    def host(self, host_id: str) -> Host:
        """One host, retired or not."""
        return self._get(build_request("/api/v0/hosts/<hostId>", hostId=host_id), HostEnvelope).host

    def host_by_custom_identifier(self, identifier: str) -> Host:
        """The host of that identifier in any case: of a load balancer, its DNS name."""
        template = "/api/v0/hosts-by-custom-identifier/<customIdentifier>"
        query = (("caseInsensitive", "true"),)
        return self._get(build_request(template, query=query, customIdentifier=identifier), HostEnvelope).host

    def host_metric_names(self, host_id: str) -> tuple[str, ...]:
        return self._get(build_request("/api/v0/hosts/<hostId>/metric-names", hostId=host_id), MetricNames).names

    def service_metric_names(self, service: str) -> tuple[str, ...]:
        """Without those of URL monitors, which can be read all the same."""
        template = "/api/v0/services/<serviceName>/metric-names"
        return self._get(build_request(template, serviceName=service), MetricNames).names

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
        return self._get(build_request("/api/v0/tsdb/latest", query=query), Latest).tsdb_latest

    def graph_annotations(self, service: str, window: Window) -> tuple[GraphAnnotation, ...]:
        """The service's annotations that touch `window`."""
        query = (("service", service), ("from", window.start), ("to", window.end))
        request = build_request("/api/v0/graph-annotations", query=query, about=service)
        return self._get(request, GraphAnnotations).graph_annotations

    def alerts(self, next_id: str = "", *, include_closed: bool) -> Alerts:
        """One page of alerts, newest first; with the closed ones, if `closed`. `next_id` is that of the page before."""
        query = (("withClosed", "true" if include_closed else ""), ("nextId", next_id), ("limit", ALERTS_PER_PAGE))
        return self._get(build_request("/api/v0/alerts", query=query), Alerts)

    def monitors(self) -> tuple[Monitor, ...]:
        return self._get(build_request("/api/v0/monitors"), Monitors).monitors

    def dashboards(self) -> tuple[Dashboard, ...]:
        """Every custom dashboard, some without their widgets."""
        return self._get(build_request("/api/v0/dashboards"), Dashboards).dashboards

    def dashboard(self, dashboard_id: str) -> Dashboard:
        return self._get(build_request("/api/v0/dashboards/<dashboardId>", dashboardId=dashboard_id), Dashboard)

    def _points(
        self, template: str, name: str, window: Window, list_names: Callable[[], Iterable[str]], **path_params: str
    ) -> tuple[Point, ...]:
        """The points in `window`, in pieces short enough to be answered in minutes, each point once."""
        found: dict[int, Point] = {}
        for piece in window.chunks(MAX_MINUTE_RANGE_S):
            query = (("name", name), ("from", piece.start), ("to", piece.end))
            request = build_request(template, query=query, about=name, **path_params)
            try:
                points = self._get(request, Points).metrics
            except MackerelError as fault:
                if fault.kind != "not_found":
                    raise
                # 404 is both "no such metric" and "no such host": unless it says which, the list of names does, by being there.
                if "metric" not in fault.detail.lower():
                    list_names()
                raise MackerelError("no_such_metric", fault.operation, name, fault.detail) from fault
            found |= {point.time: point for point in points if piece.start <= point.time < piece.end}
        return tuple(found[time_s] for time_s in sorted(found))

    def _get(self, request: Request, model: type[ModelT]) -> ModelT:
        """The answer to `request`, asked again while Mackerel says that it is too busy."""
        reply = self._send(request)
        for attempt in range(self._attempts - 1):
            wait_s = pause_s(attempt, reply.retry_after_s, self._chance())
            if not reply.temporary or wait_s > MAX_RETRY_WAIT_S:
                break
            self._sleep(wait_s)
            reply = self._send(request)
        return parse_response(request, reply, model)

    def _send(self, request: Request) -> Response:
        if not self._key:
            raise MackerelError("no_credentials", request.operation, "MACKEREL_APIKEY")
        if not (self._key.isascii() and self._key.isprintable()):
            # Refused here: requests would name the key in what it raises.
            raise MackerelError("wrong_key", request.operation, "MACKEREL_APIKEY")
        try:
            answer = self._session.get(
                self._base_url + request.path,
                params=request.query,
                headers={"X-Api-Key": self._key},
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise MackerelError(
                _transport_error_kind(error), request.operation, self._base_url, _root_cause(error)
            ) from error
        reply = read_response(answer.status_code, answer.headers, answer.content)
        if reply.server_time_s is not None:
            self._clock_skew_s = self._clock() - reply.server_time_s
        return reply


def _transport_error_kind(error: requests.RequestException) -> ProblemKind:
    late_in_the_body = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
    if isinstance(error, requests.Timeout) or late_in_the_body:
        return "timeout"
    if isinstance(error, requests.ConnectionError):
        return "unreachable"
    # MACKEREL_APIBASE is no address; or the answer broke off or was packed wrongly.
    return "bad_request" if isinstance(error, ValueError) else "bad_reply"


def _root_cause(error: requests.RequestException) -> str:
    """What went wrong in the words of whoever noticed, without requests' wrapping and retries around it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner))[:MAX_DETAIL_CHARS]


def run_checks(api: MackerelApi, source: str, steps: Iterable[tuple[str, Callable[[], object]]]) -> tuple[Health, ...]:
    """One line a step (its permission, and what tries it); none after a fault that the next would meet as well."""
    lines: list[Health] = []
    for permission, attempt in steps:
        began, problem = time.monotonic(), None
        try:
            attempt()
        except MackerelError as fault:
            problem = fault.to_problem(source)
        took_s = time.monotonic() - began
        if problem is None and not lines:
            problem = api.clock_skew(source)
        lines.append(Health(source, permission, health_state((problem,) if problem else (), took_s), took_s, problem))
        if problem and problem.kind in FATAL_KINDS:
            break
    return tuple(lines)
