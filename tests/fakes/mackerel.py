"""Mackerel on loopback: recorded replies, a load balancer's host with the metrics of a traffic model, the rule of its steps, and its faults."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from tests.fakes.http import LoopbackServer
from tests.fakes.traffic_model import TargetGroupMinute, TrafficModel

SAMPLES = Path(__file__).parent.parent / "samples" / "mackerel"
API_KEY = "an-example-key"
ALB_HOST = "2u4PP3TJqbx"
SERVICE = "photo"

# (family, leaf) of a metric of the AWS integration → its value in a minute; None is not reported.
_GROUP_METRICS: Mapping[tuple[str, str], Callable[[TargetGroupMinute], float | None]] = {
    ("request_per_group", "count"): lambda minute: minute.requests or None,
    ("httpcode_count_per_group", "target_2xx"): lambda minute: minute.responses_2xx or None,
    ("httpcode_count_per_group", "target_3xx"): lambda minute: minute.responses_3xx or None,
    ("httpcode_count_per_group", "target_4xx"): lambda minute: minute.responses_4xx or None,
    ("httpcode_count_per_group", "target_5xx"): lambda minute: minute.responses_5xx or None,
    ("response_per_group", "time"): lambda minute: _latency_statistic(minute, np.mean),
    ("response_per_group", "time_p90"): lambda minute: _latency_statistic(
        minute, lambda seconds: np.percentile(seconds, 90)
    ),
    ("response_per_group", "time_p95"): lambda minute: _latency_statistic(
        minute, lambda seconds: np.percentile(seconds, 95)
    ),
    ("response_per_group", "time_p99"): lambda minute: _latency_statistic(
        minute, lambda seconds: np.percentile(seconds, 99)
    ),
    ("host_count", "healthy"): lambda minute: minute.healthy,
    ("host_count", "unhealthy"): lambda minute: minute.unhealthy,
}
_GROUP_METRIC = re.compile(r"custom\.alb\.(?P<family>\w+)\.(?P<group>[\w-]+)\.(?P<leaf>\w+)")
_ALB_5XX = "custom.alb.httpcode_count.alb_5xx"


def load_sample(name: str) -> Any:
    """The JSON document of a recorded reply, as in sample("alerts.200")."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def alb_metric_names(groups: Iterable[str]) -> set[str]:
    """The names under which the AWS integration posts a load balancer with these target groups."""
    of_groups = {f"custom.alb.{family}.{group}.{leaf}" for group in groups for family, leaf in _GROUP_METRICS}
    return of_groups | {_ALB_5XX}


def response_step_s(length_s: int) -> int:
    """The step in seconds of Mackerel's reply for a range of `length_s`: the coarsest that fits more than 240 times, else a minute."""
    return next((step for step in (86_400, 3_600, 300) if length_s // step > 240), 60)


class _HttpError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeMackerel(LoopbackServer):
    """Replies as Mackerel would at `clock()`. Its state and faults are plain attributes, set at any time.

    With a `traffic_model`, the host `alb_host` has its metrics of each target group; `points` (host or service → metric name → time → value)
    add to them and override them. `alerts`, `monitors`, `dashboards`, `annotations`, `hosts` and `services` start with the recorded ones, and have
    the load balancer's host and the service "photo".
    """

    def __init__(
        self,
        traffic_model: TrafficModel | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lag_s: int = 0,
        port: int = 0,
    ) -> None:
        self.traffic_model, self.clock = traffic_model, clock
        self.lag_s = lag_s  # the AWS integration reads CloudWatch every 5 minutes
        self.alb_host = ALB_HOST
        self.organization: dict[str, Any] = load_sample("org.200")
        self.services: list[dict[str, Any]] = [
            *load_sample("services.200")["services"],
            {"name": SERVICE, "memo": "", "roles": []},
        ]
        identifier = "photo-1234567890.ap-northeast-1.elb.amazonaws.com"
        alb = {"id": ALB_HOST, "name": "photo", "customIdentifier": identifier, "status": "working", "roles": {}}
        self.hosts: list[dict[str, Any]] = [*load_sample("hosts.200")["hosts"], alb]
        self.alerts: list[dict[str, Any]] = load_sample("alerts.200")["alerts"]
        self.dashboards: list[dict[str, Any]] = [load_sample("dashboard.200")]
        self.monitors: list[dict[str, Any]] = load_sample("monitors.200")["monitors"]
        self.annotations: list[dict[str, Any]] = load_sample("graph_annotations.200")["graphAnnotations"]
        self.points: dict[str, dict[str, dict[int, float]]] = {}
        self.missing_metrics: set[str] = set()  # names of metrics that were never posted
        # Faults
        self.key = API_KEY  # any other is rejected with 401
        self.has_read_permission = True  # False: a key without the Read right, 403
        # Status, headers and body of the next replies
        self.queued_replies: list[tuple[int, Mapping[str, str], bytes]] = []
        self.failing_paths: set[str] = set()  # replied to with HTTP 500
        self.hang: threading.Event | None = None  # requests wait for it
        self.string_errors = False  # {"error": "…"} instead of {"error": {"message": "…"}}
        self.clock_skew_s = 0.0  # added to the Date header
        self.forced_step_s = 0  # the step of every reply, instead of `response_step_s`
        # What was requested
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        super().__init__(_Server(("127.0.0.1", port), _make_handler(self)))

    @property
    def paths(self) -> list[str]:
        """The requested paths, in order."""
        return [path for path, _ in self.requests]

    def queue_error(self, status: int, *, times: int = 1, retry_after: str = "", body: bytes = b"") -> None:
        """The next `times` requests get this reply."""
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.queued_replies += [(status, headers, body)] * times

    def release(self) -> None:
        if self.hang:
            self.hang.set()

    def handle(self, path: str, query: dict[str, list[str]], key: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the reply to one request."""
        self.requests.append((path, query))
        if self.hang:
            self.hang.wait()
        if self.queued_replies:
            return self.queued_replies.pop(0)
        try:
            self._authorize(path, key)
            return 200, {}, json.dumps(self._route(path, query)).encode()
        except _HttpError as refusal:
            error = refusal.message if self.string_errors else {"message": refusal.message}
            return refusal.status, {}, json.dumps({"error": error}).encode()

    def _authorize(self, path: str, key: str) -> None:
        if key != self.key:
            raise _HttpError(401, "Authentication failed. Please try with valid Api Key.")
        if not self.has_read_permission:
            raise _HttpError(403, "The API key is not permitted to read.")
        if path in self.failing_paths:
            raise _HttpError(500, "Internal Server Error")

    def _route(self, path: str, query: dict[str, list[str]]) -> object:
        collections: Mapping[str, Callable[[dict[str, list[str]]], object]] = {
            "org": lambda _query: self.organization,
            "services": lambda _query: {"services": self.services},
            "hosts": self._hosts,
            "graph-annotations": self._annotations,
            "alerts": self._alerts,
            "monitors": lambda _query: {"monitors": self.monitors},
            "dashboards": lambda _query: {
                "dashboards": [{**dashboard, "widgets": []} for dashboard in self.dashboards]
            },
        }
        match [unquote(part) for part in path.removeprefix("/api/v0/").split("/")]:
            case [collection] if collection in collections:
                return collections[collection](query)
            case ["dashboards", dashboard_id]:
                return self._find(self.dashboards, "id", dashboard_id, "Dashboard not found")
            case ["services", name, "metric-names" | "metrics" as resource]:
                self._find(self.services, "name", name, "Service not found")
                return self._metrics(name, resource, query)
            case ["hosts", host_id, "metric-names" | "metrics" as resource]:
                self._find(self.hosts, "id", host_id, "Host Not Found.")
                return self._metrics(host_id, resource, query)
        raise _HttpError(404, "Not Found")

    def _hosts(self, query: dict[str, list[str]]) -> object:
        statuses, service = query.get("status", ["working", "standby"]), query.get("service", [""])[0]
        hosts = [host for host in self.hosts if service in ("", *host.get("roles", {}))]
        return {"hosts": [host for host in hosts if host["status"] in statuses]}

    def _find(self, items: Sequence[dict[str, Any]], key: str, value: str, error_message: str) -> dict[str, Any]:
        item = next((item for item in items if item.get(key) == value), None)
        if item is None:
            raise _HttpError(404, error_message)
        return item

    def _metric_names(self, owner: str) -> set[str]:
        names = set(self.points.get(owner, {}))
        if self.traffic_model and owner == self.alb_host:
            names |= alb_metric_names(self.traffic_model.target_groups())
        return names - self.missing_metrics

    def _metrics(self, owner: str, resource: str, query: dict[str, list[str]]) -> object:
        if resource == "metric-names":
            return {"names": sorted(self._metric_names(owner))}
        if not {"name", "from", "to"} <= query.keys():
            raise _HttpError(400, "name, from and to are required")
        name, start, end = query["name"][0], int(query["from"][0]), int(query["to"][0])
        if name not in self._metric_names(owner):
            raise _HttpError(404, "Metric Not Found.")
        step = self.forced_step_s or response_step_s(end - start)
        buckets: dict[int, list[float]] = {}
        # Both ends are included, and a coarse step completely.
        for ts in range(start - start % step, end - end % step + step, 60):
            if (value := self._value(owner, name, ts)) is not None:
                buckets.setdefault(ts - ts % step, []).append(value)
        # A coarse point is the average of the existing points, of a count too.
        return {"metrics": [{"time": ts, "value": sum(values) / len(values)} for ts, values in sorted(buckets.items())]}

    def _value(self, owner: str, name: str, ts: int) -> float | None:
        if ts + 60 + self.lag_s > self.clock().timestamp():
            return None
        if name in self.points.get(owner, {}):
            return self.points[owner][name].get(ts)
        if self.traffic_model is None:
            return None
        if name == _ALB_5XX:
            return self.traffic_model.load_balancer_errors(ts).get("alb_5xx") or None
        match = _GROUP_METRIC.fullmatch(name)
        minute = self.traffic_model.minute(match["group"], ts) if match else None
        return _GROUP_METRICS[match["family"], match["leaf"]](minute) if match and minute else None

    def _annotations(self, query: dict[str, list[str]]) -> object:
        if not {"service", "from", "to"} <= query.keys():
            raise _HttpError(400, "service, from and to are required")
        service, start, end = query["service"][0], int(query["from"][0]), int(query["to"][0])
        if service not in {annotation["service"] for annotation in self.annotations}:
            self._find(self.services, "name", service, "Service not found")
        overlapping = [
            annotation
            for annotation in self.annotations
            if annotation["service"] == service and annotation["from"] <= end and annotation["to"] >= start
        ]
        return {"graphAnnotations": overlapping}

    def _alerts(self, query: dict[str, list[str]]) -> object:
        limit = int(query.get("limit", ["100"])[0])
        if limit > 100:
            raise _HttpError(400, "limit is at most 100")
        with_closed = query.get("withClosed") == ["true"]
        alerts = [alert for alert in self.alerts if with_closed or alert["status"] != "OK"]
        alerts.sort(key=lambda alert: alert["openedAt"], reverse=True)
        first = int(query.get("nextId", ["0"])[0])
        next_page = {"nextId": str(first + limit)} if first + limit < len(alerts) else {}
        return {"alerts": alerts[first : first + limit], **next_page}


def _latency_statistic(minute: TargetGroupMinute, statistic: Callable[[Any], Any]) -> float | None:
    return float(statistic(minute.latencies)) if len(minute.latencies) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them


def _make_handler(fake: FakeMackerel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, headers, body = fake.handle(url.path, parse_qs(url.query), self.headers.get("X-Api-Key", ""))
            try:
                self.send_response_only(status)
                self.send_header(
                    "Date", format_datetime(datetime.now(UTC) + timedelta(seconds=fake.clock_skew_s), usegmt=True)
                )
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # the client has disconnected

    return Handler
