"""A Mackerel on loopback: recorded replies, a load balancer's host whose metrics a story tells, the rule of its steps, and its faults."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from tests.fakes.traffic_model import TargetGroupMinute, TrafficModel

SAMPLES = Path(__file__).parent.parent / "samples" / "mackerel"
API_KEY = "an-example-key"
ALB_HOST = "2u4PP3TJqbx"
SERVICE = "photo"

# Metric family and leaf of the AWS integration -> what it reads of a minute; None is not reported.
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
    """The step in seconds in which Mackerel answers a range of so many seconds: the coarsest of which it holds more than 240, else a minute."""
    return next((step for step in (86_400, 3_600, 300) if length_s // step > 240), 60)


class _HttpError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class FakeMackerel:
    """Answers at `.url` as Mackerel would at `clock()`. A context manager. Everything is a plain attribute, set at any time.

    With a `story`, the host `alb_host` tells what it tells of each target group; `points` (host or service → metric name → time → value) are
    told besides and instead. `alerts`, `monitors`, `annotations`, `dashboards`, `hosts` and `services` are the recorded ones to begin with,
    and the load balancer's host and the service "photo".
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
        self.monitors: list[dict[str, Any]] = load_sample("monitors.200")["monitors"]
        self.annotations: list[dict[str, Any]] = load_sample("graph_annotations.200")["graphAnnotations"]
        self.dashboards: list[dict[str, Any]] = [load_sample("dashboard.200")]
        self.points: dict[str, dict[str, dict[int, float]]] = {}
        # What was never posted: a metric's name.
        self.missing_metrics: set[str] = set()
        # Faults
        self.key = API_KEY  # another one is refused with 401
        self.has_read_permission = True  # False: a key without the Read right, 403
        self.queued_replies: list[
            tuple[int, Mapping[str, str], bytes]
        ] = []  # status, headers, body of the next replies
        self.failing_paths: set[str] = set()  # paths that end in HTTP 500 as long as they are in here
        self.hang: threading.Event | None = None  # requests wait for it; closing sets it
        self.string_errors = False  # {"error": "…"} instead of {"error": {"message": "…"}}
        self.clock_skew_s = 0.0  # added to the Date header
        self.forced_step_s = 0  # the step of every answer, whatever the rule says
        # What it saw
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self._server = _Server(("127.0.0.1", port), _make_handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _ in self.requests]

    def queue_error(self, status: int, *, times: int = 1, retry_after: str = "", body: bytes = b"") -> None:
        """The next so many requests are answered with this instead."""
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.queued_replies += [(status, headers, body)] * times

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.hang:
            self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

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
        match [unquote(part) for part in path.removeprefix("/api/v0/").split("/")]:
            case ["org"]:
                return self.organization
            case ["services"]:
                return {"services": self.services}
            case ["services", name, "metric-names" | "metrics" as what]:
                self._find(self.services, "name", name, "Service not found")
                return self._metrics(name, what, query)
            case ["hosts"]:
                wanted = query.get("status", ["working", "standby"])
                of_service = [one for one in self.hosts if query.get("service", [""])[0] in ("", *one.get("roles", {}))]
                return {"hosts": [one for one in of_service if one["status"] in wanted]}
            case ["hosts", host_id]:
                return {"host": self._find(self.hosts, "id", host_id, "Host Not Found.")}
            case ["hosts", host_id, "metric-names" | "metrics" as what]:
                self._find(self.hosts, "id", host_id, "Host Not Found.")
                return self._metrics(host_id, what, query)
            case ["hosts-by-custom-identifier", identifier]:
                return {"host": self._find(self.hosts, "customIdentifier", identifier, "Host Not Found.")}
            case ["tsdb", "latest"]:
                return {"tsdbLatest": {host: self._latest(host, query["name"]) for host in query["hostId"]}}
            case ["graph-annotations"]:
                return self._annotations(query)
            case ["alerts"]:
                return self._alerts(query)
            case ["monitors"]:
                return {"monitors": self.monitors}
            case ["dashboards"]:
                return {"dashboards": [{k: v for k, v in one.items() if k != "widgets"} for one in self.dashboards]}
            case ["dashboards", dashboard_id]:
                return self._find(self.dashboards, "id", dashboard_id, "Dashboard not found")
        raise _HttpError(404, "Not Found")

    def _find(self, items: Sequence[dict[str, Any]], key: str, value: str, error_message: str) -> dict[str, Any]:
        found = next((one for one in items if one.get(key) == value), None)
        if found is None:
            raise _HttpError(404, error_message)
        return found

    def _metric_names(self, owner: str) -> set[str]:
        told = (
            alb_metric_names(self.traffic_model.target_groups())
            if self.traffic_model and owner == self.alb_host
            else set()
        )
        return (told | set(self.points.get(owner, {}))) - self.missing_metrics

    def _metrics(self, owner: str, what: str, query: dict[str, list[str]]) -> object:
        if what == "metric-names":
            return {"names": sorted(self._metric_names(owner))}
        if not {"name", "from", "to"} <= query.keys():
            raise _HttpError(400, "name, from and to are required")
        name, start, end = query["name"][0], int(query["from"][0]), int(query["to"][0])
        if name not in self._metric_names(owner):
            raise _HttpError(404, "Metric Not Found.")
        step = self.forced_step_s or response_step_s(end - start)
        buckets: dict[int, list[float]] = {}
        # Both ends are answered, and a coarse step whole.
        for ts in range(start - start % step, end - end % step + step, 60):
            if (value := self._value(owner, name, ts)) is not None:
                buckets.setdefault(ts - ts % step, []).append(value)
        # A coarse point is the average of those that there are, of a count too.
        return {"metrics": [{"time": ts, "value": sum(said) / len(said)} for ts, said in sorted(buckets.items())]}

    def _value(self, owner: str, name: str, ts: int) -> float | None:
        if ts + 60 + self.lag_s > self.clock().timestamp():
            return None
        if name in self.points.get(owner, {}):
            return self.points[owner][name].get(ts)
        if self.traffic_model is None:
            return None
        if name == _ALB_5XX:
            return self.traffic_model.load_balancer_errors(ts).get("alb_5xx") or None
        found = _GROUP_METRIC.fullmatch(name)
        minute = self.traffic_model.minute(found["group"], ts) if found else None
        return _GROUP_METRICS[found["family"], found["leaf"]](minute) if found and minute else None

    def _latest(self, owner: str, names: Iterable[str]) -> dict[str, object]:
        def newest(name: str) -> object:
            told = self.points.get(owner, {}).get(name, {})
            return {"time": max(told), "value": told[max(told)]} if told else None

        return {name: newest(name) for name in names}

    def _annotations(self, query: dict[str, list[str]]) -> object:
        if not {"service", "from", "to"} <= query.keys():
            raise _HttpError(400, "service, from and to are required")
        service, start, end = query["service"][0], int(query["from"][0]), int(query["to"][0])
        if service not in {one["service"] for one in self.annotations}:
            self._find(self.services, "name", service, "Service not found")
        touching = [
            one for one in self.annotations if one["service"] == service and one["from"] <= end and one["to"] >= start
        ]
        return {"graphAnnotations": touching}

    def _alerts(self, query: dict[str, list[str]]) -> object:
        limit = int(query.get("limit", ["100"])[0])
        if limit > 100:
            raise _HttpError(400, "limit is at most 100")
        closed = query.get("withClosed") == ["true"]
        told = sorted(
            (one for one in self.alerts if closed or one["status"] != "OK"),
            key=lambda one: one["openedAt"],
            reverse=True,
        )
        first = int(query.get("nextId", ["0"])[0])
        more = {"nextId": str(first + limit)} if first + limit < len(told) else {}
        return {"alerts": told[first : first + limit], **more}


def _latency_statistic(minute: TargetGroupMinute, statistic: Callable[[Any], Any]) -> float | None:
    return float(statistic(minute.latencies)) if len(minute.latencies) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: none outlives the world


def _make_handler(world: FakeMackerel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, headers, body = world.handle(asked.path, parse_qs(asked.query), self.headers.get("X-Api-Key", ""))
            try:
                self.send_response_only(status)
                self.send_header(
                    "Date", format_datetime(datetime.now(UTC) + timedelta(seconds=world.clock_skew_s), usegmt=True)
                )
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked has left

    return Handler
