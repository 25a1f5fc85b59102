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

from tests.fakes.traffic_model import Minute, Story

SAMPLES = Path(__file__).parent.parent / "samples" / "mackerel"
KEY = "an-example-key"
ALB_HOST = "2u4PP3TJqbx"
SERVICE = "photo"

# Metric family and leaf of the AWS integration -> what it reads of a minute; None is not reported.
_OF_GROUP: Mapping[tuple[str, str], Callable[[Minute], float | None]] = {
    ("request_per_group", "count"): lambda minute: minute.requests or None,
    ("httpcode_count_per_group", "target_2xx"): lambda minute: minute.responses_2xx or None,
    ("httpcode_count_per_group", "target_3xx"): lambda minute: minute.responses_3xx or None,
    ("httpcode_count_per_group", "target_4xx"): lambda minute: minute.responses_4xx or None,
    ("httpcode_count_per_group", "target_5xx"): lambda minute: minute.responses_5xx or None,
    ("response_per_group", "time"): lambda minute: _of_latencies(minute, np.mean),
    ("response_per_group", "time_p90"): lambda minute: _of_latencies(
        minute, lambda seconds: np.percentile(seconds, 90)
    ),
    ("response_per_group", "time_p95"): lambda minute: _of_latencies(
        minute, lambda seconds: np.percentile(seconds, 95)
    ),
    ("response_per_group", "time_p99"): lambda minute: _of_latencies(
        minute, lambda seconds: np.percentile(seconds, 99)
    ),
    ("host_count", "healthy"): lambda minute: minute.healthy,
    ("host_count", "unhealthy"): lambda minute: minute.unhealthy,
}
_GROUP_METRIC = re.compile(r"custom\.alb\.(?P<family>\w+)\.(?P<group>[\w-]+)\.(?P<leaf>\w+)")
_ALB_5XX = "custom.alb.httpcode_count.alb_5xx"


def sample(name: str) -> Any:
    """The JSON document of a recorded reply, as in sample("alerts.200")."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def alb_metric_names(groups: Iterable[str]) -> set[str]:
    """The names under which the AWS integration posts a load balancer with these target groups."""
    of_groups = {f"custom.alb.{family}.{group}.{leaf}" for group in groups for family, leaf in _OF_GROUP}
    return of_groups | {_ALB_5XX}


def step_of(length_s: int) -> int:
    """The step in seconds in which Mackerel answers a range of so many seconds: the coarsest of which it holds more than 240, else a minute."""
    return next((step for step in (86_400, 3_600, 300) if length_s // step > 240), 60)


class _Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class MackerelWorld:
    """Answers at `.url` as Mackerel would at `clock()`. A context manager. Everything is a plain attribute, set at any time.

    With a `story`, the host `alb_host` tells what it tells of each target group; `points` (host or service → metric name → time → value) are
    told besides and instead. `alerts`, `monitors`, `annotations`, `dashboards`, `hosts` and `services` are the recorded ones to begin with,
    and the load balancer's host and the service "photo".
    """

    def __init__(
        self,
        story: Story | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lag_s: int = 0,
        port: int = 0,
    ) -> None:
        self.story, self.clock = story, clock
        self.lag_s = lag_s  # the AWS integration reads CloudWatch every 5 minutes
        self.alb_host = ALB_HOST
        self.organization: dict[str, Any] = sample("org.200")
        self.services: list[dict[str, Any]] = [
            *sample("services.200")["services"],
            {"name": SERVICE, "memo": "", "roles": []},
        ]
        identifier = "photo-1234567890.ap-northeast-1.elb.amazonaws.com"
        alb = {"id": ALB_HOST, "name": "photo", "customIdentifier": identifier, "status": "working", "roles": {}}
        self.hosts: list[dict[str, Any]] = [*sample("hosts.200")["hosts"], alb]
        self.alerts: list[dict[str, Any]] = sample("alerts.200")["alerts"]
        self.monitors: list[dict[str, Any]] = sample("monitors.200")["monitors"]
        self.annotations: list[dict[str, Any]] = sample("graph_annotations.200")["graphAnnotations"]
        self.dashboards: list[dict[str, Any]] = [sample("dashboard.200")]
        self.points: dict[str, dict[str, dict[int, float]]] = {}
        # What was never posted: a metric's name.
        self.never: set[str] = set()
        # Faults
        self.key = KEY  # another one is refused with 401
        self.readable = True  # False: a key without the Read right, 403
        self.refuse_next: list[tuple[int, Mapping[str, str], bytes]] = []  # status, headers, body of the next replies
        self.unwell: set[str] = set()  # paths that end in HTTP 500 as long as they are in here
        self.hang: threading.Event | None = None  # requests wait for it; closing sets it
        self.plain_errors = False  # {"error": "…"} instead of {"error": {"message": "…"}}
        self.skew_s = 0.0  # added to the Date header
        self.coarse_s = 0  # the step of every answer, whatever the rule says
        # What it saw
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [path for path, _ in self.requests]

    def refuse(self, status: int, *, times: int = 1, retry_after: str = "", body: bytes = b"") -> None:
        """The next so many requests are answered with this instead."""
        headers = {"Retry-After": retry_after} if retry_after else {}
        self.refuse_next += [(status, headers, body)] * times

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

    def answer(self, path: str, query: dict[str, list[str]], key: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the reply to one request."""
        self.requests.append((path, query))
        if self.hang:
            self.hang.wait()
        if self.refuse_next:
            return self.refuse_next.pop(0)
        try:
            self._let_in(path, key)
            return 200, {}, json.dumps(self._document(path, query)).encode()
        except _Refusal as refusal:
            error = refusal.message if self.plain_errors else {"message": refusal.message}
            return refusal.status, {}, json.dumps({"error": error}).encode()

    def _let_in(self, path: str, key: str) -> None:
        if key != self.key:
            raise _Refusal(401, "Authentication failed. Please try with valid Api Key.")
        if not self.readable:
            raise _Refusal(403, "The API key is not permitted to read.")
        if path in self.unwell:
            raise _Refusal(500, "Internal Server Error")

    def _document(self, path: str, query: dict[str, list[str]]) -> object:
        match [unquote(part) for part in path.removeprefix("/api/v0/").split("/")]:
            case ["org"]:
                return self.organization
            case ["services"]:
                return {"services": self.services}
            case ["services", name, "metric-names" | "metrics" as what]:
                self._one(self.services, "name", name, "Service not found")
                return self._metrics(name, what, query)
            case ["hosts"]:
                wanted = query.get("status", ["working", "standby"])
                of_service = [one for one in self.hosts if query.get("service", [""])[0] in ("", *one.get("roles", {}))]
                return {"hosts": [one for one in of_service if one["status"] in wanted]}
            case ["hosts", host_id]:
                return {"host": self._one(self.hosts, "id", host_id, "Host Not Found.")}
            case ["hosts", host_id, "metric-names" | "metrics" as what]:
                self._one(self.hosts, "id", host_id, "Host Not Found.")
                return self._metrics(host_id, what, query)
            case ["hosts-by-custom-identifier", identifier]:
                return {"host": self._one(self.hosts, "customIdentifier", identifier, "Host Not Found.")}
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
                return self._one(self.dashboards, "id", dashboard_id, "Dashboard not found")
        raise _Refusal(404, "Not Found")

    def _one(self, among: Sequence[dict[str, Any]], key: str, value: str, otherwise: str) -> dict[str, Any]:
        found = next((one for one in among if one.get(key) == value), None)
        if found is None:
            raise _Refusal(404, otherwise)
        return found

    def _names(self, owner: str) -> set[str]:
        told = alb_metric_names(self.story.groups()) if self.story and owner == self.alb_host else set()
        return (told | set(self.points.get(owner, {}))) - self.never

    def _metrics(self, owner: str, what: str, query: dict[str, list[str]]) -> object:
        if what == "metric-names":
            return {"names": sorted(self._names(owner))}
        if not {"name", "from", "to"} <= query.keys():
            raise _Refusal(400, "name, from and to are required")
        name, start, end = query["name"][0], int(query["from"][0]), int(query["to"][0])
        if name not in self._names(owner):
            raise _Refusal(404, "Metric Not Found.")
        step = self.coarse_s or step_of(end - start)
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
        if self.story is None:
            return None
        if name == _ALB_5XX:
            return self.story.load_balancer(ts).get("alb_5xx") or None
        found = _GROUP_METRIC.fullmatch(name)
        minute = self.story.minute(found["group"], ts) if found else None
        return _OF_GROUP[found["family"], found["leaf"]](minute) if found and minute else None

    def _latest(self, owner: str, names: Iterable[str]) -> dict[str, object]:
        def newest(name: str) -> object:
            told = self.points.get(owner, {}).get(name, {})
            return {"time": max(told), "value": told[max(told)]} if told else None

        return {name: newest(name) for name in names}

    def _annotations(self, query: dict[str, list[str]]) -> object:
        if not {"service", "from", "to"} <= query.keys():
            raise _Refusal(400, "service, from and to are required")
        service, start, end = query["service"][0], int(query["from"][0]), int(query["to"][0])
        if service not in {one["service"] for one in self.annotations}:
            self._one(self.services, "name", service, "Service not found")
        touching = [
            one for one in self.annotations if one["service"] == service and one["from"] <= end and one["to"] >= start
        ]
        return {"graphAnnotations": touching}

    def _alerts(self, query: dict[str, list[str]]) -> object:
        limit = int(query.get("limit", ["100"])[0])
        if limit > 100:
            raise _Refusal(400, "limit is at most 100")
        closed = query.get("withClosed") == ["true"]
        told = sorted(
            (one for one in self.alerts if closed or one["status"] != "OK"),
            key=lambda one: one["openedAt"],
            reverse=True,
        )
        first = int(query.get("nextId", ["0"])[0])
        more = {"nextId": str(first + limit)} if first + limit < len(told) else {}
        return {"alerts": told[first : first + limit], **more}


def _of_latencies(minute: Minute, statistic: Callable[[Any], Any]) -> float | None:
    return float(statistic(minute.latencies)) if len(minute.latencies) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them: none outlives the world


def _handler(world: MackerelWorld) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            status, headers, body = world.answer(asked.path, parse_qs(asked.query), self.headers.get("X-Api-Key", ""))
            try:
                self.send_response_only(status)
                self.send_header(
                    "Date", format_datetime(datetime.now(UTC) + timedelta(seconds=world.skew_s), usegmt=True)
                )
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # whoever asked has left

    return Handler
