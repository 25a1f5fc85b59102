"""Judging the routes of archived access logs: window, request filters, log lines of a route."""

from pathlib import Path

import pyarrow as pa
import pytest

from archive import Archive
from domain import Window
from domain.log_counts import EXAMPLES
from messages import endpoints
from services.endpoints import RequestFilter, judge_logs, judge_route, latency_of_all_routes, log_window
from sources.access_logs.counter import LogCounts
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.counted_files import counted_file
from tests.factories.log_counts import EC2, ECS, START, busy_route, count_row, count_table

HOUR = Window(START, START + 3600)


def example(route: str, *, ms: int = 2000, code: int = 200, ts: float = START + 7.5, method: str = "GET") -> dict[str, object]:  # fmt: skip
    return {
        "ts": ts, "host": "h", "method": method, "route": route, "path": route, "target": "10.0.1.7:8080",
        "target_group": ECS, "elb_status": code, "target_status": code, "latency_ms": ms,
    }  # fmt: skip


def save_logs(archive: Archive) -> None:
    rows = [
        *busy_route(60, 40, route="/a"),
        count_row(ECS, 3, route="/b", method="POST", host="api.example.com", elb=404),
    ]
    lines = [example("/a", ms=1000 + place) for place in range(50)]
    lines += [example("/a", ms=-1, code=502, ts=START + 100.0 + place) for place in range(50)]
    lines += [example("/b", method="POST", code=500)]
    archive.access_logs.save_counts(
        [counted_file("a", 0, 60)], LogCounts(count_table(rows), pa.Table.from_pylist(lines, EXAMPLES), ())
    )


def test_websockets_and_cancelled_requests_are_counted_by_fleet(tmp_path: Path) -> None:
    rows = [*busy_route(60, 40), count_row(ECS, 30, elb=101), count_row(ECS, 5, elb=460, target=-1, ms=-1)]
    rows += [count_row(EC2, 7, elb=101), count_row("other", 9, elb=101)]
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts(
            [counted_file("a", 0, 60)], LogCounts(count_table(rows), EXAMPLES.empty_table(), ())
        )
        view = judge_logs(archive, MIGRATION, HOUR)
    assert view is not None and view.not_counted == {"baseline": {101: 7}, "canary": {101: 30, 460: 5}}
    assert endpoints.not_counted(view.not_counted, {"baseline": "EC2", "canary": "ECS"}) == (
        "WebSocket upgrades (101) and client disconnects (460), not errors: EC2 7 and 0 · ECS 30 and 5."
    )
    assert endpoints.not_counted({"baseline": {}, "canary": {}}, {"baseline": "EC2", "canary": "ECS"}) == ""


def test_the_minutes_of_a_long_window_are_those_that_were_counted(tmp_path: Path) -> None:
    centuries = Window(0, 7_258_032_000)
    with open_archive(tmp_path) as archive:
        assert judge_logs(archive, MIGRATION, centuries) is None
        assert not judge_route(archive, MIGRATION, centuries, "/a").slowest.num_rows
        save_logs(archive)
        long, exact = judge_logs(archive, MIGRATION, centuries), judge_logs(archive, MIGRATION, HOUR)
        route = judge_route(archive, MIGRATION, centuries, "/a").route
        assert long is not None and exact is not None and long.endpoints == exact.endpoints
        assert {len(timeline.ts) for timeline in route.timelines.values()} == {60}
        assert judge_logs(archive, MIGRATION, Window(START + 86_400, START + 90_000)) is None


def test_a_long_phase_is_cut_to_its_last_day() -> None:
    assert log_window(HOUR) == HOUR
    assert log_window(Window(START - 9 * 86_400, START)) == Window(START - 86_400, START)


def test_logs_are_judged_to_the_end_of_a_file() -> None:
    assert log_window(Window(START, START + 840)) == Window(START, START + 600)
    assert log_window(Window(START, START + 120)) == Window(START, START + 300)


def test_the_routes_of_a_window(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        assert judge_logs(archive, MIGRATION, HOUR) is None
        save_logs(archive)
        view = judge_logs(archive, MIGRATION, HOUR)
        assert view and {item.route for item in view.endpoints.routes} == {"/a", "/b"}
        assert view.minutes == 60
        assert (view.methods, view.hosts) == (("GET", "POST"), ("photo.example.com", "api.example.com"))
        assert judge_logs(archive, MIGRATION, Window(START + 3600, START + 7200)) is None


def test_request_filters(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        save_logs(archive)
        for chosen in (
            RequestFilter(method="POST"),
            RequestFilter(host="api.example.com"),
            RequestFilter(status=4, method="POST"),
        ):
            view = judge_logs(archive, MIGRATION, HOUR, chosen)
            assert view and [item.route for item in view.endpoints.routes] == ["/b"]
            assert view.methods == ("GET", "POST")  # the others can still be chosen
            assert view.endpoints.total.fleets["canary"].errors == (3 if chosen.status else 0)
        empty = judge_logs(archive, MIGRATION, HOUR, RequestFilter(method="DELETE"))
        assert empty and empty.endpoints.routes == ()


def test_log_lines_of_a_route_are_the_slowest_and_the_newest_failures(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        save_logs(archive)
        view = judge_route(archive, MIGRATION, HOUR, "/a")
        assert view.slowest["latency_ms"].to_pylist() == list(range(1049, 1029, -1))
        assert view.failed["ts"].to_pylist() == [START + 149.0 - index for index in range(20)]
        assert view.route.percentiles["canary"]["p50"] is not None
        assert judge_route(archive, MIGRATION, HOUR, "/a", RequestFilter(status=2)).failed.num_rows == 0
        assert judge_route(archive, MIGRATION, HOUR, "/b", RequestFilter(method="GET")).failed.num_rows == 0
        assert judge_route(archive, MIGRATION, HOUR, "/nowhere").route.codes == ()


def test_the_latency_of_all_routes_has_the_filter_of_the_page(tmp_path: Path) -> None:
    def answers(request_filter: RequestFilter) -> dict[str, int] | None:
        heatmap = latency_of_all_routes(archive, MIGRATION, HOUR, request_filter)
        return heatmap and {fleet: int(values.answers.sum()) for fleet, values in heatmap.fleets.items()}

    with open_archive(tmp_path) as archive:
        assert latency_of_all_routes(archive, MIGRATION, HOUR) is None
        save_logs(archive)
        by_status = [(answers(RequestFilter(status=status)) or {"canary": 0})["canary"] for status in (2, 3, 4, 5)]
        assert (answers(RequestFilter()) or {})["canary"] == sum(by_status) and by_status[0] > 2000
        assert answers(RequestFilter(status=4)) == answers(RequestFilter(method="POST")) == {"baseline": 0, "canary": 3}
        assert answers(RequestFilter(host="nowhere.example.com")) is None


def test_a_route_without_requests_has_none_until_the_newest_of_another(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        save_logs(archive)
        view = judge_route(archive, MIGRATION, HOUR, "/b", RequestFilter())
    timeline = view.route.timelines["canary"]
    assert timeline.requests.tolist() == [3.0, *[0.0] * 59]


def test_reading_hours_gives_up_with_its_page(tmp_path: Path) -> None:
    """Before each hour, so that a page that was closed does not have all of a long window read."""

    class Closed(Exception):
        pass

    calls = list[int]()

    def checkpoint() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Closed

    with open_archive(tmp_path) as archive:
        save_logs(archive)
        later = [count_row(ECS, 3, minute=minute) for minute in (60, 120)]
        logs = LogCounts(count_table(later), EXAMPLES.empty_table(), ())
        archive.access_logs.save_counts([counted_file("b", 60, 180)], logs)
        day = Window(START, START + 86_400)
        for read in (judge_logs, latency_of_all_routes):
            calls.clear()
            with pytest.raises(Closed):
                read(archive, MIGRATION, day, checkpoint=checkpoint)
        calls.clear()
        with pytest.raises(Closed):
            judge_route(archive, MIGRATION, day, "/a", checkpoint=checkpoint)
