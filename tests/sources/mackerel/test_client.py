"""Mackerel's API: requests as text, replies as values, and the conversation with the loopback Mackerel."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from sources.base import Problem
from sources.mackerel.client import MAX_MINUTE_RANGE_S, MackerelApi
from sources.mackerel.models import (
    Alerts,
    Dashboard,
    Dashboards,
    GraphAnnotations,
    Host,
    Latest,
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
    pause_s,
    problem_kind,
    read_response,
)
from tests.fakes.mackerel import ALB_HOST, API_KEY, SAMPLES, FakeMackerel, load_sample, response_step_s

NOON = 1_767_355_200  # 2026-01-02 12:00 UTC
HOUR = Window(NOON - 3_600, NOON)


@pytest.fixture
def world() -> Iterator[FakeMackerel]:
    with FakeMackerel() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """How long the client has slept, instead of sleeping."""
    return []


@pytest.fixture
def api(world: FakeMackerel, waits: list[float]) -> Iterator[MackerelApi]:
    client = MackerelApi(API_KEY, world.url, sleep=waits.append, chance=lambda: 0.0)
    yield client
    client.close()


def problem_of_error(call: Any) -> tuple[str, str, str, str]:
    with pytest.raises(MackerelError) as raised:
        call()
    problem = raised.value.to_problem("mackerel")
    return problem.kind, problem.operation, problem.about, problem.detail


# Requests


def test_a_request_fills_in_and_escapes_the_path_and_keeps_repeated_names_of_the_query() -> None:
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


# Replies


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
def test_an_error_says_its_message_in_whatever_shape_it_comes(body: bytes, message: str) -> None:
    assert read_response(404, {}, body).message == message


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
def test_retry_after_is_seconds_or_a_date_on_their_clock(headers: dict[str, str], wait_s: float | None) -> None:
    assert read_response(429, headers, b"").retry_after_s == wait_s


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
def test_every_status_has_a_meaning(status: int, kind: str | None) -> None:
    assert problem_kind(status) == kind


@given(st.integers(100, 599), st.dictionaries(st.sampled_from(("Date", "Retry-After")), st.text()), st.binary())
def test_no_reply_is_too_strange_to_be_read(status: int, headers: dict[str, str], body: bytes) -> None:
    request = build_request("/api/v0/org")
    try:
        parse_response(request, read_response(status, headers, body), Organization)
    except MackerelError as fault:
        assert fault.operation == "GET /api/v0/org"


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
def test_a_good_status_with_another_shape_is_a_bad_reply_that_says_where(body: bytes, detail: str) -> None:
    request = build_request("/api/v0/hosts/<hostId>/metrics", hostId=ALB_HOST)
    kind, _, about, said = problem_of_error(lambda: parse_response(request, read_response(200, {}, body), Points))
    assert (kind, about, said.removeprefix(": ")) == ("bad_reply", ALB_HOST, detail)


# Values


def test_alerts_need_no_optional_field() -> None:
    page = Alerts.model_validate(load_sample("alerts_first_page.200"))
    assert page.next_id == "2fsf8jRxFG1"
    assert [(one.id, one.status, one.open, one.opened_at, one.closed_at) for one in page.alerts] == [
        ("2wpLU5fBXbG", "CRITICAL", True, 1445399342, None),
        ("2ust8jNxFH3", "CRITICAL", True, 1441939801, None),
        ("2ust8jNxFH3", "OK", False, 1441939801, 1441940101),
    ]


def test_monitors_of_every_type_are_kept_and_say_which_services_they_watch() -> None:
    of_docs = Monitors.model_validate(load_sample("monitors.200")).monitors
    of_go = Monitors.model_validate(load_sample("monitors_of_every_type.200")).monitors
    assert [(one.type, sorted(one.services)) for one in (*of_docs, *of_go)] == [
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


def test_a_dashboard_holds_its_widgets_and_old_ones_tell_time_in_milliseconds() -> None:
    (listed,) = Dashboards.model_validate(load_sample("dashboards.200")).dashboards
    assert (listed.created_at, listed.widgets) == (1439346145, ())
    dashboard = Dashboard.model_validate(load_sample("dashboard.200"))
    assert dashboard.created_at == 1552909732
    markdown, graph, number, alert_status = dashboard.widgets
    assert markdown.markdown == "# body"
    assert graph.graph and (graph.graph.type, graph.graph.host_id) == ("host", "2u4PP3TJqbw")
    assert [(line.label, line.value) for line in graph.reference_lines] == [("critical", 1.23)]
    assert number.metric and number.metric.expression.startswith("alias(scale(\nsum(")
    assert (alert_status.type, alert_status.role_fullname) == ("alertStatus", "test:dashboard")


def test_a_host_without_the_metric_has_null_for_its_latest_value() -> None:
    latest = Latest.model_validate({"tsdbLatest": {"A": {"x": {"time": 60, "value": 1}}, "B": {"x": None}}}).tsdb_latest
    assert latest["A"]["x"] and latest["A"]["x"].value == 1.0
    assert latest["B"] == {"x": None}


def test_an_annotation_needs_no_id() -> None:
    (note,) = GraphAnnotations.model_validate(load_sample("graph_annotations_without_id.200")).graph_annotations
    assert (note.id, note.start, note.end, note.title, note.roles) == (
        "",
        1485675275,
        1485675299,
        "Deployed",
        ("Role1", "Role2"),
    )


def test_null_is_the_same_as_left_out_and_unknown_fields_are_passed_over() -> None:
    assert Host.model_validate({"id": "a", "name": None, "roles": None, "newField": 1}) == Host(id="a")


@pytest.mark.parametrize(
    ("times", "step"),
    [([], 60), ([60, 120], 60), ([300, 600, 900], 300), ([300, 660], 60), ([3_600, 7_200], 3_600), ([86_400], 86_400)],
)
def test_the_step_is_the_coarsest_on_whose_grid_all_times_lie(times: list[int], step: int) -> None:
    assert resolution_s(times) == step


@given(st.integers(1, 72_000 // 60).map(lambda minutes: minutes * 60))
def test_every_piece_is_short_enough_for_minutes(length_s: int) -> None:
    assert response_step_s(length_s) == 60
    assert (
        response_step_s(MAX_MINUTE_RANGE_S) == 60 and response_step_s(72_299) == 60 and response_step_s(72_300) == 300
    )


# The conversation


def test_everything_that_can_be_read_is_read(api: MackerelApi, world: FakeMackerel) -> None:
    world.points = {
        "9rxGOHfVF8F": {"loadavg5": {NOON - 120: 0.5, NOON - 60: 2}},
        "photo": {"batch.duration": {NOON - 60: 12.3}},
    }
    world.hosts[0]["customIdentifier"] = "mydb001/001"
    assert api.organization() == Organization(name="hoge")
    assert api.services()[0] == Service(name="My-Service", memo="hello", roles=("db-master", "db-slave"))
    assert [host.id for host in api.hosts()] == ["9rxGOHfVF8F", ALB_HOST]
    assert [host.id for host in api.hosts("My-Service")] == ["9rxGOHfVF8F"]
    assert api.host("9rxGOHfVF8F").roles == {"My-Service": ("db-master", "db-slave")}
    assert api.host_by_custom_identifier("mydb001/001").name == "mydb001"
    assert api.host_metric_names("9rxGOHfVF8F") == ("loadavg5",)
    assert api.service_metric_names("photo") == ("batch.duration",)
    assert [(one.time, one.value) for one in api.host_metrics("9rxGOHfVF8F", "loadavg5", HOUR)] == [
        (NOON - 120, 0.5),
        (NOON - 60, 2.0),
    ]
    assert [one.value for one in api.service_metrics("photo", "batch.duration", HOUR)] == [12.3]
    newest = api.latest(["9rxGOHfVF8F", ALB_HOST], ["loadavg5"])
    assert newest["9rxGOHfVF8F"]["loadavg5"] and newest["9rxGOHfVF8F"]["loadavg5"].time == NOON - 60
    assert newest[ALB_HOST]["loadavg5"] is None
    noted = api.graph_annotations("ExampleService", Window(1484020440, 1484020500))
    assert [note.title for note in noted] == ["Deploy application"]
    assert [alert.id for alert in api.alerts(include_closed=True).alerts] == ["2wpLU5fBXbG", "2ust8jNxFH3"]
    assert len(api.monitors()) == 5
    assert [(one.id, one.widgets) for one in api.dashboards()] == [("2c5bLca8e", ())]
    assert len(api.dashboard("2c5bLca8e").widgets) == 4


def test_a_long_window_is_cut_so_that_its_values_are_minutes(api: MackerelApi, world: FakeMackerel) -> None:
    """Two days asked for at once would come as averages of five minutes."""
    two_days = Window(NOON - 2 * 86_400, NOON)
    world.points = {"photo": {"steady": {ts: float(ts) for ts in range(two_days.start, two_days.end, 60)}}}
    points = api.service_metrics("photo", "steady", two_days)
    assert [(point.time, point.value) for point in points] == [
        (ts, ts) for ts in range(two_days.start, two_days.end, 60)
    ]
    assert [int(query["to"][0]) - int(query["from"][0]) for _, query in world.requests] == [72_000, 72_000, 28_800]


def test_the_end_of_a_window_is_not_in_it_though_mackerel_answers_it(api: MackerelApi, world: FakeMackerel) -> None:
    world.points = {"photo": {"x": {NOON - 3_660: 0, HOUR.start: 1, NOON - 60: 2, NOON: 3}}}
    assert [point.value for point in api.service_metrics("photo", "x", HOUR)] == [1, 2]


def test_an_absent_metric_and_an_absent_host_are_told_apart(api: MackerelApi, world: FakeMackerel) -> None:
    operation = "GET /api/v0/hosts/<hostId>/metrics"
    missing = problem_of_error(lambda: api.host_metrics(ALB_HOST, "custom.nothing", HOUR))
    assert missing == ("no_such_metric", operation, "custom.nothing", "404 Metric Not Found.")
    assert len(world.requests) == 1
    world.queue_error(404)  # a 404 without a word: the list of names tells which it was
    assert problem_of_error(lambda: api.host_metrics(ALB_HOST, "custom.nothing", HOUR))[:2] == (
        "no_such_metric",
        operation,
    )
    elsewhere = problem_of_error(lambda: api.host_metrics("gone", "custom.nothing", HOUR))
    assert elsewhere == ("not_found", "GET /api/v0/hosts/<hostId>/metric-names", "gone", "404 Host Not Found.")


def test_a_service_of_another_organization_is_not_found_in_the_one_of_the_key(api: MackerelApi) -> None:
    assert api.service("photo").name == "photo"
    assert problem_of_error(lambda: api.service("phota")) == ("not_found", "GET /api/v0/services", "phota", "hoge")


@pytest.mark.parametrize(("chance", "waited"), [(0.0, [0.5, 1.0]), (1.0, [1.0, 2.0])])
def test_it_asks_again_when_told_to_slow_down(
    world: FakeMackerel, waits: list[float], chance: float, waited: list[float]
) -> None:
    world.queue_error(429)
    world.queue_error(503)
    api = MackerelApi(API_KEY, world.url, sleep=waits.append, chance=lambda: chance)
    assert api.organization().name == "hoge"
    assert waits == waited
    api.close()


def test_it_waits_as_long_as_mackerel_says(api: MackerelApi, world: FakeMackerel, waits: list[float]) -> None:
    world.queue_error(429, retry_after="7")
    assert api.organization().name == "hoge"
    assert waits == [7.0]


def test_it_gives_up_for_now_where_the_wait_is_long_or_without_end(
    api: MackerelApi, world: FakeMackerel, waits: list[float]
) -> None:
    world.queue_error(429, retry_after="3600", body=b'{"error": "Too many requests"}')
    said = ("throttled", "GET /api/v0/org", "", "429 Too many requests")
    assert problem_of_error(api.organization) == said
    assert (waits, len(world.requests)) == ([], 1)
    world.queue_error(429, times=3, body=b'{"error": "Too many requests"}')
    assert problem_of_error(api.organization) == said
    assert (waits, len(world.requests)) == ([0.5, 1.0], 4)


@given(st.integers(0, 10), st.none() | st.floats(0, 60), st.floats(0, 1))
def test_a_pause_is_never_shorter_than_asked_for(attempt: int, retry_after_s: float | None, chance: float) -> None:
    assert pause_s(attempt, retry_after_s, chance) >= max(retry_after_s or 0, 0.5)


@pytest.mark.parametrize("plain", [False, True])
def test_keys_that_are_wrong_and_keys_that_may_not_read(world: FakeMackerel, *, plain: bool) -> None:
    world.string_errors = plain
    stranger = MackerelApi("another-key", world.url)
    refused = "401 Authentication failed. Please try with valid Api Key."
    assert problem_of_error(stranger.organization) == ("wrong_key", "GET /api/v0/org", "", refused)
    world.key, world.has_read_permission = "another-key", False
    assert problem_of_error(stranger.monitors)[0] == "denied"
    stranger.close()


@pytest.mark.parametrize(
    ("key", "kind"), [("", "no_credentials"), ("  ", "no_credentials"), ("kéy", "wrong_key"), ("a\nb", "wrong_key")]
)
def test_a_key_that_cannot_be_one_is_not_sent_and_not_shown(world: FakeMackerel, key: str, kind: str) -> None:
    api = MackerelApi(key, world.url)
    assert problem_of_error(api.organization) == (kind, "GET /api/v0/org", "MACKEREL_APIKEY", "")
    assert world.requests == []
    api.close()


def test_the_environment_names_key_and_address() -> None:
    assert problem_of_error(MackerelApi.from_environment({}).organization)[0] == "no_credentials"
    with FakeMackerel() as world:
        api = MackerelApi.from_environment({"MACKEREL_APIKEY": f" {API_KEY}\n", "MACKEREL_APIBASE": f"{world.url}/"})
        assert api.organization().name == "hoge"
        api.close()


def test_nobody_there_no_answer_in_time_and_no_address(world: FakeMackerel) -> None:
    world.hang = threading.Event()
    silent = MackerelApi(API_KEY, world.url, timeout_s=(1, 0.05))
    assert problem_of_error(silent.organization)[:3] == ("timeout", "GET /api/v0/org", world.url)
    nobody = MackerelApi(API_KEY, "http://127.0.0.1:9")
    assert problem_of_error(nobody.organization)[0] == "unreachable"
    nowhere = MackerelApi(API_KEY, "api.mackerelio.com")
    assert problem_of_error(nowhere.organization)[0] == "bad_request"
    for api in (silent, nobody, nowhere):
        api.close()


def test_it_does_not_follow_where_a_proxy_sends_it(api: MackerelApi, world: FakeMackerel) -> None:
    world.queued_replies.append((302, {"Location": f"{world.url}/sign-in"}, b""))
    assert problem_of_error(api.organization) == ("bad_reply", "GET /api/v0/org", "", "302")
    assert world.paths == ["/api/v0/org"]


@pytest.mark.parametrize(("skew_s", "about"), [(0, None), (25, None), (-90, "+90 s"), (3_600, "-3600 s")])
def test_clocks_that_differ_are_told(api: MackerelApi, world: FakeMackerel, skew_s: float, about: str | None) -> None:
    world.clock_skew_s = skew_s
    api.organization()
    problem = api.clock_skew("mackerel")
    if about is None or problem is None:
        assert problem is None and about is None
    else:
        assert problem == Problem("clock_skew", "mackerel", "", problem.about, problem.detail)
        assert abs(int(problem.about.removesuffix(" s")) - int(about.removesuffix(" s"))) <= 2


def test_the_samples_say_where_they_come_from() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for path in SAMPLES.glob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
        assert f"| {path.name} |" in readme
