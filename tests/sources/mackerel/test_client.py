"""MackerelApi: building requests, parsing responses, and both against the loopback Mackerel."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import urllib3.util.retry
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from domain import Window
from sources.base import Problem
from sources.mackerel import client
from sources.mackerel.client import MAX_MINUTE_RANGE_S, MackerelApi
from sources.mackerel.models import (
    Alerts,
    GraphAnnotations,
    Host,
    Monitors,
    Organization,
    Points,
    Service,
    resolution_s,
)
from sources.mackerel.protocol import (
    MackerelError,
    Request,
    build_request,
    parse_response,
    problem_kind,
    retry_after_s,
)
from sources.transport import http_date_s
from tests.factories.mackerel import NOON
from tests.fakes.mackerel import ALB_HOST, API_KEY, SAMPLES, FakeMackerel, load_sample, response_step_s

HOUR = Window(NOON - 3_600, NOON)


@pytest.fixture
def fake_mackerel() -> Iterator[FakeMackerel]:
    with FakeMackerel() as fake:
        yield fake


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds before each retry, which are recorded instead of slept; without jitter."""
    seconds: list[float] = []
    monkeypatch.setattr(urllib3.util.retry, "time", SimpleNamespace(sleep=seconds.append, time=time.time))
    monkeypatch.setattr(client.random, "random", lambda: 0.0)
    return seconds


@pytest.fixture
def api(fake_mackerel: FakeMackerel, waits: list[float]) -> Iterator[MackerelApi]:
    api = MackerelApi(API_KEY, fake_mackerel.url)
    yield api
    api.close()


def problem_of_error(call: Callable[[], object]) -> tuple[str, str, str, str]:
    with pytest.raises(MackerelError) as raised:
        call()
    problem = raised.value.to_problem("mackerel")
    return problem.kind, problem.operation, problem.about, problem.detail


# Requests


def test_request_escapes_the_path_and_keeps_repeated_query_names() -> None:
    request = build_request(
        "/api/v0/hosts-by-custom-identifier/<customIdentifier>",
        query=(("status", "working"), ("status", "standby"), ("service", ""), ("from", 0)),
        customIdentifier="mydb001/001 ü",
    )
    assert request == Request(
        operation="GET /api/v0/hosts-by-custom-identifier/<customIdentifier>",
        path="/api/v0/hosts-by-custom-identifier/mydb001%2F001%20%C3%BC",
        query=(("status", "working"), ("status", "standby"), ("from", "0")),
        about="mydb001/001 ü",
    )


# Responses


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ((SAMPLES / "host_not_found.404.json").read_bytes(), "Host Not Found."),
        (b'{"error": "Host Not Found."}', "Host Not Found."),
        (b"Host Not Found.\n", "Host Not Found."),
        (b"", ""),
        (b'{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        (b"\xff<html>", "\ufffd<html>"),
        (b"[" * 500, "[" * 300),
    ],
)
def test_error_message_is_read_from_every_known_shape(body: bytes, message: str) -> None:
    request = build_request("/api/v0/org")
    *_, detail = problem_of_error(lambda: parse_response(request, 404, body, Organization))
    assert detail == f"404 {message}".strip()


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "Fri, 02 Jan 2026 12:00:30 GMT", "DATE": "Fri, 02 Jan 2026 12:00:00 GMT"}, 30.0),
        ({"Retry-After": "Fri, 02 Jan 2026 11:00:00 GMT", "Date": "Fri, 02 Jan 2026 12:00:00 GMT"}, 0.0),
        ({"Retry-After": "Fri, 02 Jan 2026 12:00:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Fri, 02 Jan 99999999999 12:00:30 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_on_the_servers_clock(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(CaseInsensitiveDict(headers)) == wait_s


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (302, "bad_reply"),
        (400, "bad_request"),
        (401, "wrong_key"),
        (403, "denied"),
        (404, "not_found"),
        (413, "bad_request"),
        (429, "throttled"),
        (500, "server_error"),
        (503, "server_error"),
    ],
)
def test_every_status_has_a_problem_kind(status: int, kind: str | None) -> None:
    assert problem_kind(status) == kind


@given(st.integers(100, 599), st.dictionaries(st.sampled_from(("Date", "Retry-After")), st.text()), st.binary())
def test_any_response_is_parsed_or_a_mackerel_error(status: int, headers: dict[str, str], body: bytes) -> None:
    request = build_request("/api/v0/org")
    try:
        parse_response(request, status, body, Organization)
    except MackerelError as error:
        assert error.operation == "GET /api/v0/org"
    http_date_s(headers.get("Date", ""))
    wait_s = retry_after_s(headers)
    assert wait_s is None or wait_s >= 0


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>sign in</html>", "<html>sign in</html>"),
        (b"", "(empty)"),
        (b'{"metrics": [{"time": 60}]}', "metrics.0.value: Field required"),
        (b'{"metrics": [{"time": 60, "value": NaN}]}', "metrics.0.value: Input should be a finite number"),
        (b'{"names": []}', "metrics: Field required"),
        (b"[]", "Input should be a valid dictionary or instance of Points"),
    ],
)
def test_unexpected_body_is_a_bad_reply_with_its_path(body: bytes, detail: str) -> None:
    request = build_request("/api/v0/hosts/<hostId>/metrics", hostId=ALB_HOST)
    kind, _, about, text = problem_of_error(lambda: parse_response(request, 200, body, Points))
    assert (kind, about, text.removeprefix(": ")) == ("bad_reply", ALB_HOST, detail)


# Models


def test_alerts_without_optional_fields() -> None:
    page = Alerts.model_validate(load_sample("alerts_first_page.200"))
    assert page.next_id == "2fsf8jRxFG1"
    assert [(item.id, item.status, item.open, item.opened_at, item.closed_at) for item in page.alerts] == [
        ("2wpLU5fBXbG", "CRITICAL", True, 1445399342, None),
        ("2ust8jNxFH3", "CRITICAL", True, 1441939801, None),
        ("2ust8jNxFH3", "OK", False, 1441939801, 1441940101),
    ]


def test_monitors_of_every_type_with_their_services() -> None:
    of_docs = Monitors.model_validate(load_sample("monitors.200")).monitors
    of_go = Monitors.model_validate(load_sample("monitors_of_every_type.200")).monitors
    assert [(item.type, sorted(item.services)) for item in (*of_docs, *of_go)] == [
        ("host", ["Hatena-Blog"]),
        ("connectivity", []),
        ("service", ["Hatena-Blog"]),
        ("external", ["Hatena-Blog"]),
        ("expression", []),
        ("connectivity", []),
        ("external", ["someService"]),
        ("expression", []),
        ("anomalyDetection", ["myService"]),
        ("unknown", []),
    ]


def test_annotation_without_id() -> None:
    (note,) = GraphAnnotations.model_validate(load_sample("graph_annotations_without_id.200")).graph_annotations
    assert (note.id, note.start, note.end, note.title) == ("", 1485675275, 1485675299, "Deployed")


def test_null_is_absent_and_unknown_fields_are_ignored() -> None:
    assert Host.model_validate({"id": "a", "name": None, "roles": None, "newField": 1}) == Host(id="a")


@pytest.mark.parametrize(
    ("times", "step"),
    [([], 60), ([60, 120], 60), ([300, 600, 900], 300), ([300, 660], 60), ([3_600, 7_200], 3_600), ([86_400], 86_400)],
)
def test_resolution_is_the_coarsest_grid_with_all_times(times: list[int], step: int) -> None:
    assert resolution_s(times) == step


@given(st.integers(1, 72_000 // 60).map(lambda minutes: minutes * 60))
def test_every_chunk_is_short_enough_for_minutes(length_s: int) -> None:
    assert response_step_s(length_s) == 60
    assert (
        response_step_s(MAX_MINUTE_RANGE_S) == 60 and response_step_s(72_299) == 60 and response_step_s(72_300) == 300
    )


# Against the loopback Mackerel


def test_every_method(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.points = {
        "9rxGOHfVF8F": {"loadavg5": {NOON - 120: 0.5, NOON - 60: 2}},
        "photo": {"batch.duration": {NOON - 60: 12.3}},
    }
    assert api.organization() == Organization(name="hoge")
    assert api.service("My-Service") == Service(name="My-Service")
    host, alb_host = api.hosts()
    assert host.roles == {"My-Service": ("db-master", "db-slave")}
    assert alb_host.id == ALB_HOST
    assert api.host_metric_names("9rxGOHfVF8F") == ("loadavg5",)
    assert api.service_metric_names("photo") == ("batch.duration",)
    points = api.host_metrics("9rxGOHfVF8F", "loadavg5", HOUR)
    assert [(point.time, point.value) for point in points] == [(NOON - 120, 0.5), (NOON - 60, 2.0)]
    assert [point.value for point in api.service_metrics("photo", "batch.duration", HOUR)] == [12.3]
    annotations = api.graph_annotations("ExampleService", Window(1484020440, 1484020500))
    assert [annotation.title for annotation in annotations] == ["Deploy application"]
    assert [alert.id for alert in api.alerts(include_closed=True).alerts] == ["2wpLU5fBXbG", "2ust8jNxFH3"]
    assert len(api.monitors()) == 5


def test_long_window_is_read_in_chunks_of_minutes(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    """Requested at once, two days would be averages of five minutes."""
    two_days = Window(NOON - 2 * 86_400, NOON)
    fake_mackerel.points = {"photo": {"steady": {ts: float(ts) for ts in range(two_days.start, two_days.end, 60)}}}
    points = api.service_metrics("photo", "steady", two_days)
    assert [(point.time, point.value) for point in points] == [
        (ts, ts) for ts in range(two_days.start, two_days.end, 60)
    ]
    assert [int(query["to"][0]) - int(query["from"][0]) for _, query in fake_mackerel.requests] == [
        72_000,
        72_000,
        28_800,
    ]


def test_end_of_the_window_is_excluded_although_mackerel_returns_it(
    api: MackerelApi, fake_mackerel: FakeMackerel
) -> None:
    fake_mackerel.points = {"photo": {"x": {NOON - 3_660: 0, HOUR.start: 1, NOON - 60: 2, NOON: 3}}}
    assert [point.value for point in api.service_metrics("photo", "x", HOUR)] == [1, 2]


def test_missing_metric_and_missing_host_are_distinguished(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    operation = "GET /api/v0/hosts/<hostId>/metrics"
    missing = problem_of_error(lambda: api.host_metrics(ALB_HOST, "custom.nothing", HOUR))
    assert missing == ("no_such_metric", operation, "custom.nothing", "404 Metric Not Found.")
    assert len(fake_mackerel.requests) == 1
    fake_mackerel.queue_error(404)  # without a message: the list of metric names decides
    assert problem_of_error(lambda: api.host_metrics(ALB_HOST, "custom.nothing", HOUR))[:2] == (
        "no_such_metric",
        operation,
    )
    missing_host = problem_of_error(lambda: api.host_metrics("gone", "custom.nothing", HOUR))
    assert missing_host == ("not_found", "GET /api/v0/hosts/<hostId>/metric-names", "gone", "404 Host Not Found.")


def test_unknown_service_names_the_organization(api: MackerelApi) -> None:
    assert api.service("photo").name == "photo"
    assert problem_of_error(lambda: api.service("phota")) == ("not_found", "GET /api/v0/services", "phota", "hoge")


@pytest.mark.parametrize(("jitter", "expected_s"), [(0.0, [0.5, 1.0]), (1.0, [1.0, 2.0])])
def test_429_and_5xx_are_retried_after_a_growing_delay(
    fake_mackerel: FakeMackerel, waits: list[float], jitter: float, expected_s: list[float]
) -> None:
    api = MackerelApi(API_KEY, fake_mackerel.url)
    fake_mackerel.queue_error(429)
    fake_mackerel.queue_error(503)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.random, "random", lambda: jitter)
        assert api.organization().name == "hoge"
    assert waits == expected_s
    api.close()


@pytest.mark.parametrize(("retry_after", "expected_s"), [("7", 7.0), ("0", 0.5), ("soon", 0.5)])
def test_retry_after_is_waited_for(
    api: MackerelApi, fake_mackerel: FakeMackerel, waits: list[float], retry_after: str, expected_s: float
) -> None:
    fake_mackerel.queue_error(429, retry_after=retry_after)
    assert api.organization().name == "hoge"
    assert waits == [expected_s]


def test_long_retry_after_and_the_third_error_are_not_retried(
    api: MackerelApi, fake_mackerel: FakeMackerel, waits: list[float]
) -> None:
    fake_mackerel.queue_error(429, retry_after="3600", body=b'{"error": "Too many requests"}')
    throttled = ("throttled", "GET /api/v0/org", "", "429 Too many requests")
    assert problem_of_error(api.organization) == throttled
    assert (waits, len(fake_mackerel.requests)) == ([], 1)
    fake_mackerel.queue_error(429, times=3, body=b'{"error": "Too many requests"}')
    assert problem_of_error(api.organization) == throttled
    assert (waits, len(fake_mackerel.requests)) == ([0.5, 1.0], 4)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 413])
def test_other_errors_are_not_retried(
    api: MackerelApi, fake_mackerel: FakeMackerel, waits: list[float], status: int
) -> None:
    fake_mackerel.queue_error(status, retry_after="1")
    problem_of_error(api.organization)
    assert (waits, len(fake_mackerel.requests)) == ([], 1)


@pytest.mark.parametrize("string_errors", [False, True])
def test_unknown_key_and_key_without_read_permission(fake_mackerel: FakeMackerel, *, string_errors: bool) -> None:
    fake_mackerel.string_errors = string_errors
    other = MackerelApi("another-key", fake_mackerel.url)
    detail = "401 Authentication failed. Please try with valid Api Key."
    assert problem_of_error(other.organization) == ("wrong_key", "GET /api/v0/org", "", detail)
    fake_mackerel.key, fake_mackerel.has_read_permission = "another-key", False
    assert problem_of_error(other.monitors)[0] == "denied"
    other.close()


@pytest.mark.parametrize(
    ("key", "kind"), [("", "no_credentials"), ("  ", "no_credentials"), ("kéy", "wrong_key"), ("a\nb", "wrong_key")]
)
def test_malformed_key_is_neither_sent_nor_shown(fake_mackerel: FakeMackerel, key: str, kind: str) -> None:
    api = MackerelApi(key, fake_mackerel.url)
    assert problem_of_error(api.organization) == (kind, "GET /api/v0/org", "MACKEREL_APIKEY", "")
    assert fake_mackerel.requests == []
    api.close()


def test_environment_variables(fake_mackerel: FakeMackerel) -> None:
    assert problem_of_error(MackerelApi.from_environment({}).organization)[0] == "no_credentials"
    environment = {"MACKEREL_APIKEY": f" {API_KEY}\n", "MACKEREL_APIBASE": f"{fake_mackerel.url}/"}
    api = MackerelApi.from_environment(environment)
    assert api.organization().name == "hoge"
    api.close()


def test_network_errors_are_not_retried(fake_mackerel: FakeMackerel, waits: list[float]) -> None:
    fake_mackerel.hang = threading.Event()
    hanging = MackerelApi(API_KEY, fake_mackerel.url, timeout_s=(1, 0.05))
    assert problem_of_error(hanging.organization)[:3] == ("timeout", "GET /api/v0/org", fake_mackerel.url)
    assert len(fake_mackerel.requests) == 1
    unreachable = MackerelApi(API_KEY, "http://127.0.0.1:9")
    assert problem_of_error(unreachable.organization)[0] == "unreachable"
    not_a_url = MackerelApi(API_KEY, "api.mackerelio.com")
    assert problem_of_error(not_a_url.organization)[0] == "bad_request"
    assert waits == []
    for api in (hanging, unreachable, not_a_url):
        api.close()


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_credentials_are_in_no_error_and_no_log_line(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api = MackerelApi(API_KEY, f"{scheme}user:pass-word@127.0.0.1:9")
    with pytest.raises(MackerelError) as raised:
        api.organization()
    api.close()
    text = f"{raised.value} {raised.value.to_problem('mackerel')} {caplog.text}"
    assert "pass-word" not in text and API_KEY not in text
    assert "127.0.0.1:9" in text


def test_redirects_are_not_followed(api: MackerelApi, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.queued_replies.append((302, {"Location": f"{fake_mackerel.url}/sign-in"}, b""))
    assert problem_of_error(api.organization) == ("bad_reply", "GET /api/v0/org", "", "302")
    assert fake_mackerel.paths == ["/api/v0/org"]


@pytest.mark.parametrize(("skew_s", "about"), [(0, None), (25, None), (-90, "+90 s"), (3_600, "-3600 s")])
def test_clock_skew_is_a_problem(
    api: MackerelApi, fake_mackerel: FakeMackerel, skew_s: float, about: str | None
) -> None:
    fake_mackerel.clock_skew_s = skew_s
    api.organization()
    problems = api.clock_skew("mackerel")
    if about is None:
        assert problems == ()
    else:
        (problem,) = problems
        assert problem == Problem("clock_skew", "mackerel", "", problem.about, problem.detail)
        assert abs(int(problem.about.removesuffix(" s")) - int(about.removesuffix(" s"))) <= 2


def test_readme_lists_every_sample() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for path in SAMPLES.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
        assert f"| {path.name} |" in readme
