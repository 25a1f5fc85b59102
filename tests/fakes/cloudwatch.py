"""CloudWatch on loopback for GetMetricData, with what no emulator has: percentiles, paging, retention, revision, sparse points and every fault."""

import base64
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil, inf
from socket import SHUT_RDWR, socket
from typing import Any

import numpy as np

from domain.window import DAY_S
from tests.fakes.http import LoopbackServer
from tests.fakes.traffic_model import TargetGroupMinute, TrafficModel

LOAD_BALANCER = "app/photo/50dc6c495c0c9188"
TARGET_PREFIX = "GraniteServiceVersion20100801."  # boto3 uses AWS JSON 1.0 for CloudWatch, in query-compatible mode

_GROUP_COUNTS: Mapping[str, Callable[[TargetGroupMinute], int]] = {
    "RequestCount": lambda minute: minute.requests,
    "HTTPCode_Target_2XX_Count": lambda minute: minute.responses_2xx,
    "HTTPCode_Target_3XX_Count": lambda minute: minute.responses_3xx,
    "HTTPCode_Target_4XX_Count": lambda minute: minute.responses_4xx,
    "HTTPCode_Target_5XX_Count": lambda minute: minute.responses_5xx,
    "TargetConnectionErrorCount": lambda minute: minute.connection_errors,
    "UnhealthyRoutingRequestCount": lambda minute: minute.fail_open,
}
_HOST_COUNTS: Mapping[str, Callable[[TargetGroupMinute], int]] = {
    "HealthyHostCount": lambda minute: minute.healthy,
    "UnHealthyHostCount": lambda minute: minute.unhealthy,
}
_ALB_COUNTS = {f"HTTPCode_ELB_{code}_Count": f"alb_{code.lower()}" for code in ("5XX", "500", "502", "503", "504")}
_TARGET_GROUP_ONLY = {"UnhealthyRoutingRequestCount", *_HOST_COUNTS}


class ServiceError(Exception):
    """An error reply: HTTP status, AWS's error code and message."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.message = status, code, sentence


@dataclass(frozen=True, slots=True)
class _Query:
    id: str
    metric: str
    dimensions: Mapping[str, str]
    stat: str
    period_s: int

    @property
    def target_group(self) -> str:
        """The group's name; "" for metrics of the load balancer."""
        return self.dimensions.get("TargetGroup", "//").split("/")[1]

    @property
    def aliases(self) -> set[str]:
        """The names that select this query in a fault."""
        return {self.metric, self.target_group, f"{self.metric} {self.stat}", f"{self.target_group} {self.metric}"}


class FakeCloudWatch(LoopbackServer):
    """Reports the metrics of `traffic_model` to an unpatched boto3, as CloudWatch would at `clock()`.

    Faults are plain attributes, set at any time. If a fault takes names, a name is a metric ("RequestCount"), a target group ("photo-ecs"),
    both ("photo-ecs RequestCount") or a metric and its statistic ("TargetResponseTime p95").
    """

    def __init__(
        self,
        traffic_model: TrafficModel,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        load_balancer: str = LOAD_BALANCER,
        region: str = "",
        port: int = 0,
    ) -> None:
        self.traffic_model, self.clock, self.load_balancer = traffic_model, clock, load_balancer
        self.region = region  # signatures for another region are rejected; "": any
        # Reporting
        self.sparse = True  # counts of 0 are absent
        self.revision_minutes = 0  # for how long after its end a minute still grows
        self.page_datapoints = 100_800
        # Faults
        self.access_keys: set[str] | None = None  # the known AWS_ACCESS_KEY_IDs; None: any
        self.denied = False
        self.signature_expired = False  # as if the clocks differed by 5 minutes
        self.token_expired = False
        self.throttle_next = 0  # number of calls
        self.fail_next = 0  # number of calls that end in HTTP 500
        self.fail_from_call = inf  # this call and all after it end in HTTP 500
        self.failing_stats: tuple[
            str, ...
        ] = ()  # the beginnings of statistics; a call with one of them ends in HTTP 500
        self.invalid_token = False  # rejects every NextToken
        self.hang: threading.Event | None = None  # calls wait for it
        self.raw_reply: bytes | None = None  # the body of a reply with status 200
        self.clock_skew_s = 0.0  # added to the Date header
        self.forbidden: set[str] = set()
        self.partial_without_token: set[str] = set()
        self.partial_without_end: set[str] = set()
        self.partial_with_new_tokens: set[str] = set()
        self.internal_errors: dict[str, int] = {}  # name → replies that still fail
        self.messages: list[tuple[str, str]] = []  # of the call: code, text
        self.result_messages: dict[str, list[tuple[str, str]]] = {}
        self.value_overrides: dict[str, object] = {}  # name → replaces every value
        self.timestamp_shift_s: dict[str, int] = {}  # name → added to every timestamp
        # What was requested. A further page is a call, but requests no metric again.
        self.calls = self.metrics_requested = self.datapoints_requested = 0
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        super().__init__(_Server(("127.0.0.1", port), _make_handler(self)))

    def release(self) -> None:
        if self.hang:
            self.hang.set()

    def handle(self, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The reply to one call. Raises ServiceError."""
        with self._lock:
            self.calls += 1
            self._raise_configured_fault(self.calls)
        self._check_signature(headers.get("Authorization", ""))
        if headers.get("Content-Type") != "application/x-amz-json-1.0":
            raise ServiceError(
                415, "UnsupportedMediaType", f"This CloudWatch reads AWS JSON 1.0, not {headers.get('Content-Type')}."
            )
        if headers.get("X-Amz-Target") != f"{TARGET_PREFIX}GetMetricData":
            raise ServiceError(400, "InvalidAction", f"Could not find operation {headers.get('X-Amz-Target')}")
        request = json.loads(body)
        queries = _parse_queries(request)
        if any(query.stat.startswith(self.failing_stats) for query in queries):
            raise ServiceError(500, "InternalFailure", "float() argument must be a string or a real number")
        with self._lock:
            self.requests.append(request)
            if "NextToken" not in request:
                self.metrics_requested += len(queries)
                length_s = request["EndTime"] - request["StartTime"]
                self.datapoints_requested += sum(ceil(length_s / query.period_s) for query in queries)
            return self._page(request, queries)

    def _raise_configured_fault(self, call: int) -> None:
        if self.throttle_next > 0:
            self.throttle_next -= 1
            raise ServiceError(400, "Throttling", "Rate exceeded")
        if self.fail_next > 0 or call >= self.fail_from_call:
            self.fail_next -= self.fail_next > 0
            raise ServiceError(500, "InternalServiceFault", "An error occurred on the server side")

    def _check_signature(self, authorization: str) -> None:
        # AWS4-HMAC-SHA256 Credential=AKIA…/20260102/ap-northeast-1/monitoring/aws4_request, SignedHeaders=…, Signature=…
        credential = re.search(r"Credential=([^/]+)/\d{8}/([^/]+)/monitoring/aws4_request", authorization)
        if not credential:
            raise ServiceError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        if self.access_keys is not None and credential[1] not in self.access_keys:
            raise ServiceError(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if self.region and credential[2] != self.region:
            raise ServiceError(
                403, "SignatureDoesNotMatch", f"Credential should be scoped to a valid region, not '{credential[2]}'."
            )
        if self.signature_expired:
            raise ServiceError(
                403, "SignatureDoesNotMatch", "Signature expired: 20260102T115000Z is now earlier than 20260102T115500Z"
            )
        if self.token_expired:
            raise ServiceError(403, "ExpiredToken", "The security token included in the request is expired")
        if self.denied:
            user = "arn:aws:iam::123456789012:user/viewer"
            raise ServiceError(
                403, "AccessDenied", f"User: {user} is not authorized to perform: cloudwatch:GetMetricData"
            )

    def _page(self, request: Mapping[str, Any], queries: Sequence[_Query]) -> dict[str, Any]:
        """One page: the points in the requested order, as many as fit, under every Id that has points on it."""
        digest = sha256(
            json.dumps([request["MetricDataQueries"], request["StartTime"], request["EndTime"]]).encode()
        ).hexdigest()[:16]
        offset, page_number = self._parse_token(request.get("NextToken"), digest)
        partial_aliases = self.partial_without_token | self.partial_without_end | self.partial_with_new_tokens
        partial = {query.id for query in queries if query.aliases & partial_aliases}
        points = self._sorted_points(request, queries, partial)
        size = min(self.page_datapoints, request.get("MaxDatapoints", self.page_datapoints))
        end = offset + size
        by_id: dict[str, list[tuple[int, float]]] = {query.id: [] for query in queries}
        for ts, query_id, value in points[offset:end]:
            by_id[query_id].append((ts, value))
        incomplete = partial | {query_id for _, query_id, _ in points[end:]}
        results = [
            self._result(query, by_id[query.id], "PartialData" if query.id in incomplete else "Complete")
            for query in queries
            if by_id[query.id] or page_number == 0 or query.id in partial
        ]
        token = ""
        aliases = set().union(*(query.aliases for query in queries))
        if end < len(points):
            token = f"{digest}:{end}:{page_number + 1}"
        elif aliases & self.partial_with_new_tokens:
            token = f"{digest}:{len(points)}:{page_number + 1}"
        elif aliases & self.partial_without_end:
            token = f"{digest}:{len(points)}:1"
        return {
            "MetricDataResults": results,
            "Messages": [{"Code": code, "Value": text} for code, text in self.messages],
            **({"NextToken": base64.b64encode(token.encode()).decode()} if token else {}),
        }

    def _sorted_points(
        self, request: Mapping[str, Any], queries: Sequence[_Query], partial: Set[str]
    ) -> list[tuple[int, str, float]]:
        """(ts, query Id, value) of all pages; of the `partial` queries the first half."""
        now = self.clock().timestamp()
        points: list[tuple[int, str, float]] = []
        for query in queries:
            series = [] if self._is_suppressed(query) else self._points(query, request, now)
            if query.id in partial:
                series = series[: len(series) // 2]
            points += [(ts, query.id, value) for ts, value in series]
        newest_first = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        points.sort(key=lambda point: point[0], reverse=newest_first)
        return points

    def _parse_token(self, token: str | None, digest: str) -> tuple[int, int]:
        if token is None:
            return 0, 0
        token_digest, offset, page_number = base64.b64decode(token).decode().split(":")
        if token_digest != digest or self.invalid_token:
            raise ServiceError(400, "InvalidNextToken", "The next token specified is invalid.")
        return int(offset), int(page_number)

    def _is_suppressed(self, query: _Query) -> bool:
        return bool(query.aliases & self.forbidden) or any(
            self.internal_errors.get(name, 0) > 0 for name in query.aliases
        )

    def _result(self, query: _Query, points: Sequence[tuple[int, float]], status: str) -> dict[str, Any]:
        for name in query.aliases & self.internal_errors.keys():
            if self.internal_errors[name] > 0:
                self.internal_errors[name] -= 1
                status = "InternalError"
        if query.aliases & self.forbidden:
            status = "Forbidden"
        messages = [message for name in sorted(query.aliases) for message in self.result_messages.get(name, ())]
        shift_s = sum(self.timestamp_shift_s.get(name, 0) for name in query.aliases)
        overrides = [self.value_overrides[name] for name in query.aliases if name in self.value_overrides]
        return {
            "Id": query.id,
            "Label": f"{query.target_group} {query.metric}".strip(),
            "Timestamps": [ts + shift_s for ts, _ in points],
            "Values": [overrides[0] if overrides else value for _, value in points],
            "StatusCode": status,
            "Messages": [{"Code": code, "Value": text} for code, text in messages],
        }

    def _points(self, query: _Query, request: Mapping[str, Any], now: float) -> list[tuple[int, float]]:
        """(period start, value), oldest first. Empty, without an error, if the period is finer than the retention at StartTime."""
        age_s = now - request["StartTime"]
        finest_s, round_s = (60, 60) if age_s < 15 * DAY_S else (300, 300) if age_s < 63 * DAY_S else (3600, 3600)
        if query.period_s % finest_s:
            return []
        start = int(max(request["StartTime"] // round_s * round_s, now - 455 * DAY_S))
        points = []
        for period in range(start - start % query.period_s, int(request["EndTime"]), query.period_s):
            minutes = range(
                max(period, start), min(period + query.period_s, int(ceil(request["EndTime"] / 60) * 60)), 60
            )
            value = self._value(query, minutes, now)
            if value is not None:
                points.append((period, value))
        return points

    def _value(self, query: _Query, minutes: Iterable[int], now: float) -> float | None:
        """One statistic of some minutes; None if there is no datapoint."""
        is_group = set(query.dimensions) == {"LoadBalancer", "TargetGroup"}
        if query.dimensions.get("LoadBalancer") != self.load_balancer or not (is_group or len(query.dimensions) == 1):
            return None  # these dimensions are not published
        if query.metric in _ALB_COUNTS and not is_group:
            name = _ALB_COUNTS[query.metric]
            counts = [
                int(self.traffic_model.load_balancer_errors(ts).get(name, 0) * self._ingested_share(ts, now))
                for ts in minutes
                if ts < now
            ]
            return self._count_statistic(query.stat, counts)
        if query.metric in _TARGET_GROUP_ONLY and not is_group:
            return None
        groups = [query.target_group] if is_group else self.traffic_model.target_groups()
        reported = list(self._reported_minutes(groups, minutes, now))
        if count := _GROUP_COUNTS.get(query.metric):
            return self._count_statistic(query.stat, [count(minute) for minute in reported])
        if hosts := _HOST_COUNTS.get(query.metric):
            numbers = [hosts(minute) for minute in reported]
            return _statistic(query.stat, numbers) if numbers else None
        if query.metric == "TargetResponseTime" and (
            latencies := [minute.latencies for minute in reported if len(minute.latencies)]
        ):
            return _latency_statistic(
                query.stat, np.sort(np.concatenate(latencies)) if len(latencies) > 1 else np.asarray(latencies[0])
            )
        return None

    def _count_statistic(self, stat: str, counts: Sequence[int]) -> float | None:
        total = sum(counts)
        if not counts or (total == 0 and self.sparse):
            return None
        return float(total) if stat in ("Sum", "SampleCount") else 1.0  # each request is one datum of the value 1

    def _reported_minutes(
        self, groups: Iterable[str], minutes: Iterable[int], now: float
    ) -> Iterator[TargetGroupMinute]:
        for group in groups:
            for ts in minutes:
                if ts < now and (minute := self.traffic_model.minute(group, ts)):
                    yield _partial_minute(minute, self._ingested_share(ts, now))

    def _ingested_share(self, ts: int, now: float) -> float:
        """The part of the minute at `ts` that is reported at `now`."""
        return min(1.0, (now - ts) / (60 * (1 + self.revision_minutes)))


def _partial_minute(minute: TargetGroupMinute, share: float) -> TargetGroupMinute:
    if share >= 1:
        return minute
    n_latencies = int(len(minute.latencies) * share)
    return TargetGroupMinute(
        requests=int(minute.requests * share),
        responses_2xx=int(minute.responses_2xx * share),
        responses_3xx=int(minute.responses_3xx * share),
        responses_4xx=int(minute.responses_4xx * share),
        responses_5xx=int(minute.responses_5xx * share),
        latencies=minute.latencies[:n_latencies],  # the fastest first, so that a percentile grows too
        connection_errors=int(minute.connection_errors * share),
        healthy=minute.healthy,
        unhealthy=minute.unhealthy,
        fail_open=int(minute.fail_open * share),
    )


def _latency_statistic(stat: str, latencies: Any) -> float:
    """A statistic of sorted seconds; percentiles interpolate between neighbours, and PR is in percent, its upper bound included."""
    if share := re.fullmatch(r"p(\d+(?:\.\d+)?)", stat):
        rank = (len(latencies) - 1) * float(share[1]) / 100
        below = int(rank)
        above = min(below + 1, len(latencies) - 1)
        return float(latencies[below] + (latencies[above] - latencies[below]) * (rank - below))
    if bounds := re.fullmatch(r"PR\(([\d.]*):([\d.]*)\)", stat):
        above = int(np.searchsorted(latencies, float(bounds[2]), side="right")) if bounds[2] else len(latencies)
        below = int(np.searchsorted(latencies, float(bounds[1]), side="right")) if bounds[1] else 0
        return (above - below) / len(latencies) * 100
    return _statistic(stat, latencies)


def _statistic(stat: str, numbers: Any) -> float:
    functions: Mapping[str, Callable[[Any], Any]] = {
        "Average": np.mean,
        "Minimum": np.min,
        "Maximum": np.max,
        "Sum": np.sum,
        "SampleCount": len,
    }
    return float(functions[stat](numbers))


_STAT = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?|p100|PR\((\d[\d.]*)?:(\d[\d.]*)?\)")


def _parse_queries(request: Mapping[str, Any]) -> list[_Query]:
    """The requested queries. Raises ServiceError with ValidationError."""
    queries = request["MetricDataQueries"]
    if len(queries) > 500:
        raise _invalid("The collection MetricDataQueries must not have a size greater than 500.")
    if request["StartTime"] >= request["EndTime"]:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    if len({query["Id"] for query in queries}) < len(queries):
        raise _invalid("The values for parameter id in MetricDataQueries are not unique.")
    return [_parse_query(query) for query in queries]


def _parse_query(query: Mapping[str, Any]) -> _Query:
    name = "parameter MetricDataQueries"
    if not re.fullmatch(r"[a-z][a-zA-Z0-9_]{0,254}", query["Id"]):
        raise _invalid(
            f"The value {query['Id']} for {name}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )
    if "MetricStat" not in query:
        raise _invalid("This CloudWatch answers MetricStat queries only.")
    metric_stat = query["MetricStat"]
    if metric_stat["Period"] % 60 or metric_stat["Period"] <= 0:
        raise _invalid(f"The {name}.MetricStat.Period must be a multiple of 60.")
    if not _STAT.fullmatch(metric_stat["Stat"]):
        raise _invalid(f"The value {metric_stat['Stat']} for {name}.MetricStat.Stat is not supported.")
    metric = metric_stat["Metric"]
    dimensions = {pair["Name"]: pair["Value"] for pair in metric.get("Dimensions", ())}
    metric_name = metric["MetricName"] if metric["Namespace"] == "AWS/ApplicationELB" else ""
    return _Query(query["Id"], metric_name, dimensions, metric_stat["Stat"], metric_stat["Period"])


def _invalid(message: str) -> ServiceError:
    return ServiceError(400, "ValidationError", message)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.open: set[socket] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that disconnected is part of the test
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Also ends the connections that a client keeps alive."""
        super().server_close()
        for connection in tuple(self.open):
            with suppress(OSError):  # it is closed already
                connection.shutdown(SHUT_RDWR)


def _make_handler(fake: FakeCloudWatch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body leave together

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if fake.hang:
                fake.hang.wait()
            try:
                reply, status, headers = json.dumps(fake.handle(dict(self.headers), body)).encode(), 200, {}
            except ServiceError as error:
                status = error.status
                reply = json.dumps(
                    {"__type": f"com.amazonaws.cloudwatch.v2010_08_01#{error.code}", "message": error.message}
                ).encode()
                headers = {"x-amzn-query-error": f"{error.code};{'Sender' if status < 500 else 'Receiver'}"}
            reply = reply if fake.raw_reply is None else fake.raw_reply
            self.send_response_only(status)
            self.send_header(
                "Date", format_datetime(datetime.now(UTC) + timedelta(seconds=fake.clock_skew_s), usegmt=True)
            )
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(reply)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            """Silent: tests read `fake.requests`."""

    return Handler
