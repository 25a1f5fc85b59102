"""Client of the read half of Mackerel's API v0. protocol.py builds the requests and parses the responses; this module sends them."""

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from types import TracebackType
from typing import Self

import requests
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from domain import Window
from sources.base import MAX_CLOCK_SKEW_S, Health, Problem, ProblemKind, check_result, clock_lead_s, with_newest
from sources.mackerel import models, protocol
from sources.mackerel.protocol import MackerelError, ModelT
from sources.transport import LimitedAdapter, http_date_s, read_body

BASE_URL = "https://api.mackerelio.com"
TIMEOUT_S = (3.0, 10.0)  # to connect, between two bytes
MAX_RETRIES = 2
BACKOFF_S = 0.5  # before the first retry; doubled before each further one
MAX_RETRY_AFTER_S = 20  # a longer Retry-After is not waited for: the next poll requests again
# Up to 72,300 s Mackerel returns minutes, beyond that averages of 5 minutes (docs/mackerel.md).
MAX_MINUTE_RANGE_S = 72_000
ALERTS_PER_PAGE = 100
HOST_STATUSES = ("working", "standby", "maintenance", "poweroff")


class _Retry(Retry):
    """urllib3's retries, with a back-off before the first one too, and none after a Retry-After of more than MAX_RETRY_AFTER_S."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if response is not None and (self.get_retry_after(response) or 0) > MAX_RETRY_AFTER_S:
            raise MaxRetryError(_pool, url or "")  # type: ignore[arg-type]  # urllib3 catches it and returns the response
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return protocol.retry_after_s(response.headers)

    def get_backoff_time(self) -> float:
        backoff_s: float = self.backoff_factor * 2 ** (len(self.history) - 1)
        return backoff_s * (1 + random.random())  # spreads clients that were rejected at the same time


class MackerelApi:
    """One organization, read with one API key. Thread-safe for a few threads. Its methods raise MackerelError only.

    HTTP 429 and 5xx are retried MAX_RETRIES times; network errors are not.
    """

    def __init__(
        self,
        key: str,
        base_url: str = BASE_URL,
        *,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        backoff_s: float = BACKOFF_S,
    ) -> None:
        self._key, self._base_url = key.strip(), base_url.strip().rstrip("/")
        self._timeout_s = timeout_s
        retries = _Retry(
            total=None,
            connect=0,
            read=False,
            other=0,
            status=MAX_RETRIES,
            status_forcelist=(429, *range(500, 600)),
            backoff_factor=backoff_s,
            raise_on_status=False,
        )
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "migration-dashboard"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, LimitedAdapter(max_retries=retries))
        self._clock_skew_s = 0.0
        self._organization_name = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The key is MACKEREL_APIKEY, the URL MACKEREL_APIBASE, as for mkr."""
        return cls(environment.get("MACKEREL_APIKEY", ""), environment.get("MACKEREL_APIBASE", "") or BASE_URL)

    def close(self) -> None:
        self._session.close()

    @property
    def clock_ahead_s(self) -> float:
        """By how much the local clock was ahead of the last response (sources.base.clock_lead_s)."""
        return clock_lead_s(self._clock_skew_s)

    def clock_skew(self, source: str) -> tuple[Problem, ...]:
        """A problem if the Date of the last response and the local clock differ by more than MAX_CLOCK_SKEW_S."""
        if abs(self._clock_skew_s) <= MAX_CLOCK_SKEW_S:
            return ()
        server_time = f"{datetime.fromtimestamp(time.time() - self._clock_skew_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return (Problem("clock_skew", source, "", f"{self._clock_skew_s:+.0f} s", server_time),)

    def organization(self) -> models.Organization:
        return self._get("/api/v0/org", models.Organization)

    def organization_name(self) -> str:
        """The name that links need, requested once; "" if it cannot be read."""
        if not self._organization_name:
            try:
                self._organization_name = self.organization().name
            except MackerelError:
                return ""
        return self._organization_name

    def service(self, name: str) -> models.Service:
        """The service of that name. The detail of a MackerelError "not_found" is the organization: the key may belong to another one."""
        for service in self.services(about=name):
            if service.name == name:
                return service
        raise MackerelError("not_found", "GET /api/v0/services", name, self.organization().name)

    def services(self, *, about: str = "") -> tuple[models.Service, ...]:
        return self._get("/api/v0/services", models.Services, about=about).services

    def hosts(self) -> tuple[models.Host, ...]:
        """All hosts that are not retired."""
        query = (("status", status) for status in HOST_STATUSES)
        return self._get("/api/v0/hosts", models.Hosts, query=query).hosts

    def host_metric_names(self, host_id: str) -> tuple[str, ...]:
        return self._get("/api/v0/hosts/<hostId>/metric-names", models.MetricNames, hostId=host_id).names

    def service_metric_names(self, service: str) -> tuple[str, ...]:
        """Mackerel omits those of URL monitors, which can be read nevertheless."""
        return self._get("/api/v0/services/<serviceName>/metric-names", models.MetricNames, serviceName=service).names

    def host_metrics(
        self, host_id: str, name: str, window: Window, *, max_range_s: int = MAX_MINUTE_RANGE_S
    ) -> tuple[models.Point, ...]:
        """The values of a host metric, one a minute, oldest first. MackerelError "no_such_metric" if it was never posted.

        `max_range_s`: the range of one request; beyond the default, the values are Mackerel's averages.
        """
        template = "/api/v0/hosts/<hostId>/metrics"
        chunks = window.chunks(max_range_s)
        return self._points(template, name, chunks, lambda: self.host_metric_names(host_id), hostId=host_id)

    def service_metrics(
        self, service: str, name: str, window: Window, *, max_range_s: int = MAX_MINUTE_RANGE_S
    ) -> tuple[models.Point, ...]:
        """The values of a service metric, as those of a host metric."""
        template = "/api/v0/services/<serviceName>/metrics"
        chunks = window.chunks(max_range_s)
        return self._points(template, name, chunks, lambda: self.service_metric_names(service), serviceName=service)

    def graph_annotations(self, service: str, window: Window) -> tuple[models.GraphAnnotation, ...]:
        """The service's annotations that overlap or touch `window`."""
        query = (("service", service), ("from", window.start), ("to", window.end))
        response = self._get("/api/v0/graph-annotations", models.GraphAnnotations, query=query, about=service)
        return response.graph_annotations

    def alerts(self, next_id: str = "", *, include_closed: bool) -> models.Alerts:
        """One page of alerts, newest first. `next_id`: that of the previous page."""
        query = (("withClosed", "true" if include_closed else ""), ("nextId", next_id), ("limit", ALERTS_PER_PAGE))
        return self._get("/api/v0/alerts", models.Alerts, query=query)

    def dashboards(self) -> tuple[models.Dashboard, ...]:
        """The custom dashboards, which may come without their widgets."""
        return self._get("/api/v0/dashboards", models.Dashboards).dashboards

    def dashboard(self, dashboard_id: str) -> models.Dashboard:
        return self._get("/api/v0/dashboards/<dashboardId>", models.Dashboard, dashboardId=dashboard_id)

    def monitors(self) -> tuple[models.Monitor, ...]:
        return self._get("/api/v0/monitors", models.Monitors).monitors

    def _points(
        self,
        template: str,
        name: str,
        chunks: Iterable[Window],
        list_names: Callable[[], Iterable[str]],
        **path_params: str,
    ) -> tuple[models.Point, ...]:
        """The points in all `chunks`, each of which is one request."""
        points: dict[int, models.Point] = {}
        for chunk in chunks:
            query = (("name", name), ("from", chunk.start), ("to", chunk.end))
            try:
                returned = self._get(template, models.Points, query=query, about=name, **path_params).metrics
            except MackerelError as error:
                if error.kind != "not_found":
                    raise
                # 404 is both "no such metric" and "no such host". If the message leaves it open, listing the metrics' names decides.
                if "metric" not in error.detail.lower():
                    list_names()
                raise MackerelError("no_such_metric", error.operation, name, error.detail) from error
            points |= {point.time: point for point in returned if chunk.start <= point.time < chunk.end}
        return tuple(points[time_s] for time_s in sorted(points))

    def _get(
        self,
        template: str,
        model: type[ModelT],
        *,
        query: Iterable[tuple[str, object]] = (),
        about: str = "",
        **path_params: str,
    ) -> ModelT:
        """The response to a request (see build_request) as `model`."""
        request = protocol.build_request(template, query=query, about=about, **path_params)
        if not self._key:
            raise MackerelError("no_credentials", request.operation, "MACKEREL_APIKEY")
        if not (self._key.isascii() and self._key.isprintable()):
            # Checked here, because requests would put the key into its exception.
            raise MackerelError("wrong_key", request.operation, "MACKEREL_APIKEY")
        try:
            reply = self._session.get(
                self._base_url + request.path,
                params=request.query,
                headers={"X-Api-Key": self._key},
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            )
            body = read_body(reply)
        except requests.RequestException as error:
            public_url = re.sub(r"[^/]*@", "", self._base_url)
            detail = _root_cause(error).replace(self._base_url, public_url)
            raise MackerelError(_transport_error_kind(error), request.operation, public_url, detail) from None
        server_time_s = http_date_s(reply.headers.get("Date", ""))
        if server_time_s is not None:
            self._clock_skew_s = time.time() - server_time_s
        return protocol.parse_response(request, reply.status_code, body, model)


def _transport_error_kind(error: requests.RequestException) -> ProblemKind:
    timed_out_in_body = any(isinstance(cause, ReadTimeoutError) for cause in error.args)
    if isinstance(error, requests.Timeout) or timed_out_in_body:
        return "timeout"
    if isinstance(error, requests.ConnectionError):
        return "unreachable"
    # MACKEREL_APIBASE is not a URL; otherwise the response was truncated or wrongly encoded.
    return "bad_request" if isinstance(error, ValueError) else "bad_reply"


def _root_cause(error: requests.RequestException) -> str:
    """The text of the error that requests and urllib3 have wrapped."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "reason", inner))[: protocol.MAX_DETAIL_CHARS]


@dataclass(frozen=True, slots=True)
class CheckStep:
    """A permission and a call that needs it. `needs`: the permission of a step without which it fails, too.

    `subject`: what the call reads; its result is then the age of the newest datapoint in seconds, if known.
    """

    permission: str
    call: Callable[[], object]
    subject: str = ""
    needs: str = ""
    stale_after_s: float = inf


def run_checks(api: MackerelApi, source: str, steps: Iterable[CheckStep]) -> tuple[Health, ...]:
    """The result of each step; not checked after an error that it would meet too."""
    results: list[Health] = []
    fatal: Problem | None = None
    failed: dict[str, Problem] = {}
    for step in steps:
        if reason := fatal or failed.get(step.needs):
            results.append(Health(source, step.permission, "not_checked", 0.0, reason, step.subject))
            continue
        started_s, problem, age_s = time.monotonic(), None, None
        try:
            result = step.call()
            age_s = result if step.subject and isinstance(result, int) else None
        except MackerelError as error:
            problem = failed[step.permission] = error.to_problem(source)
            fatal = problem if problem.kind in protocol.FATAL_KINDS else None
        took_s = time.monotonic() - started_s
        problems = (problem,) if problem else () if results else api.clock_skew(source)
        result = check_result(source, step.permission, took_s, problems, subject=step.subject)
        results.append(with_newest(result, age_s, stale_after_s=step.stale_after_s))
    return tuple(results)
