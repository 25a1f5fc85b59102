"""One request is found by its trace id in the files of its minutes, or it is stated why not."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain import Arn, Window
from domain.trace_ids import TraceId
from sources.access_logs.base import LocalLogs, LogListing
from sources.access_logs.filenames import LogFile
from sources.access_logs.log_line import LogLine, find_lines
from sources.access_logs.trace import TraceResult, search
from sources.base import Health, Problem
from tests.factories.access_log_lines import access_log_line

SENT = datetime(2026, 9, 21, 14, 18, 3, tzinfo=UTC)
ID = TraceId(f"1-{int(SENT.timestamp()):08x}-36d228ad5d99923122bbe354")
LATER = SENT + timedelta(days=1)
FLEETS = {"photo-ec2": "baseline", "photo-ecs": "canary"}
ARN = Arn.parse("arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188")
REDIRECTED = "GET http://photo.example.com:80/photos/8812?token=secret HTTP/1.1"


def fields_behind(
    header: str, *, created: str = "2026-09-21T14:18:03.000000Z", actions: str = "forward", reason: str = "-"
) -> str:
    return f'"{header}" "photo.example.com" "-" 0 {created} "{actions}" "-" "{reason}" "10.0.1.7:8080" "200" "-" "-"'


def line(header: str = f"Root={ID.text}", **changes: str) -> str:
    return access_log_line(trailing_fields=fields_behind(header), **changes)


def file_name(end: datetime, node: int = 10) -> str:
    return f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end:%Y%m%dT%H%MZ}_10.0.1.{node}_3c8d6a1b.log.gz"


def write(
    folder: Path, content: str, end: datetime = datetime(2026, 9, 21, 14, 20, tzinfo=UTC), node: int = 10
) -> Path:
    path = folder / file_name(end, node)
    path.write_bytes(gzip.compress(content.encode()))
    return path


def searched(folder: Path, *, now: datetime = LATER, trace_id: TraceId = ID, at: int | None = None) -> TraceResult:
    return search(LocalLogs(folder, ARN), trace_id, FLEETS, ("/photos/*",), now=now, at=at)


def test_the_line_has_the_fleet_the_target_both_statuses_and_the_three_times(tmp_path: Path) -> None:
    write(tmp_path, access_log_line(trailing_fields=fields_behind("-")) + line(elb="504", target="-", latency="-1"))
    result = searched(tmp_path)
    (request,) = result.requests
    assert result.state == "found"
    assert request.fleet == "canary"
    assert request.line == LogLine(
        ts=datetime(2026, 9, 21, 14, 18, 3, 186641, UTC).timestamp(),
        created=SENT.timestamp(),
        type="h2",
        method="GET",
        host="photo.example.com",
        path="/photos/8812",
        route="/photos/*",
        target_group="photo-ecs",
        target="10.0.1.7:8080",
        elb_status=504,
        target_status=None,
        request_s=0.0,
        target_s=None,
        response_s=0.0,
        actions="forward",
        agent="Mozilla",
    )


def test_query_strings_and_path_parameters_are_cut(tmp_path: Path) -> None:
    request = "GET https://me@photo.example.com:443/a;jsessionid=1/b?token=secret value HTTP/2.0"
    write(tmp_path, line(request=request))
    (found,) = searched(tmp_path).requests
    assert (found.line.host, found.line.path) == ("photo.example.com", "/a/b")
    assert not {word for word in ("secret", "jsessionid", "me@") if word in str(found)}


def test_a_redirect_and_the_request_after_it_are_both_shown_by_time(tmp_path: Path) -> None:
    redirect = access_log_line(
        request=REDIRECTED,
        elb="301",
        target="-",
        latency="-1",
        group="-",
        time="2026-09-21T14:18:03.100000Z",
        trailing_fields=fields_behind(f"Root={ID.text}", actions="redirect"),
    )
    write(tmp_path, line() + redirect)
    result = searched(tmp_path)
    assert [(request.fleet, request.line.actions) for request in result.requests] == [
        (None, "redirect"),
        ("canary", "forward"),
    ]


def test_the_same_id_on_another_node_is_found(tmp_path: Path) -> None:
    write(tmp_path, line(), node=10)
    write(tmp_path, line(), node=11)
    assert len(searched(tmp_path).requests) == 2


@pytest.mark.parametrize(
    "header",
    [
        f"Root={ID.text}",
        f"Self=1-58337364-23a8c76965a2ef7629b185e3;Root={ID.text}",
        f"Self={ID.text};Root=1-58337364-23a8c76965a2ef7629b185e3",
        f"Root={ID.text.upper()};Sampled=1",
    ],
)
def test_root_and_self_are_searched(header: str, tmp_path: Path) -> None:
    write(tmp_path, line(header))
    assert searched(tmp_path).state == "found"


@pytest.mark.parametrize(
    "content",
    [
        line("-", request=f"GET https://photo.example.com:443/?Root={ID.text} HTTP/2.0"),
        line("-", agent=f"Root={ID.text}"),
        line(f"Root=1-00000000-000000000000000000000000;note={ID.text}"),
        access_log_line(trailing_fields=f'"-" "-" "-" 0 - "forward" "Root={ID.text}"'),
        f"Root={ID.text}\n",
    ],
    ids=["url", "agent", "field", "redirect", "no log"],
)
def test_an_id_that_a_client_wrote_elsewhere_is_not_the_request(content: str, tmp_path: Path) -> None:
    write(tmp_path, content)
    assert searched(tmp_path).state == "not_found"


def test_lines_of_another_load_balancer_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path, line())
    assert len(find_lines(path, ID, load_balancer="app/photo/50dc6c495c0c9188")[0]) == 1
    assert find_lines(path, ID, load_balancer="app/photo/0000000000000000") == ((), None)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ("14:15", "not_found"),
        ("14:20", "found"),
        ("14:25", "found"),
        ("14:30", "found"),
        ("14:35", "not_found"),
    ],
)
def test_the_files_of_its_minutes_are_read(end: str, state: str, tmp_path: Path) -> None:
    for minute in (15, 20, 25, 30):
        write(tmp_path, "", datetime(2026, 9, 21, 14, minute, tzinfo=UTC), node=11)
    write(tmp_path, line(), datetime.fromisoformat(f"2026-09-21T{end}:00Z"))
    assert searched(tmp_path).state == state


def test_at_most_three_files_of_each_node_are_read_of_a_day(tmp_path: Path) -> None:
    for number in range(288):
        for node in (10, 11):
            write(tmp_path, "", datetime(2026, 9, 21, 0, 5, tzinfo=UTC) + timedelta(minutes=5 * number), node)
    start = datetime(2026, 9, 21, 12, tzinfo=UTC)
    for second in range(0, 300, 7):
        trace_id = TraceId(f"1-{int(start.timestamp()) + second:08x}-36d228ad5d99923122bbe354")
        assert searched(tmp_path, trace_id=trace_id).objects <= 6


def test_a_found_request_needs_no_third_file(tmp_path: Path) -> None:
    for minute in (15, 20, 25, 30):
        write(tmp_path, line() if minute == 20 else "", datetime(2026, 9, 21, 14, minute, tzinfo=UTC))
    assert searched(tmp_path).objects == 2


def test_another_time_is_searched_instead_of_the_ids(tmp_path: Path) -> None:
    closed_at = datetime(2026, 9, 21, 16, 2, tzinfo=UTC)
    write(tmp_path, line(time="2026-09-21T16:02:00.000000Z"), datetime(2026, 9, 21, 16, 5, tzinfo=UTC))
    assert searched(tmp_path).state == "no_files"
    assert searched(tmp_path, at=int(closed_at.timestamp())).state == "found"


@pytest.mark.parametrize(
    ("now", "state", "retry_at"),
    [
        ("14:18", "not_written", "14:25"),
        ("14:24", "not_written", "14:25"),
        ("14:25", "not_written", "14:30"),
        ("14:29", "not_written", "14:30"),
    ],
)
def test_while_files_are_not_delivered_it_is_not_written_yet(
    now: str, state: str, retry_at: str, tmp_path: Path
) -> None:
    write(tmp_path, "", datetime(2026, 9, 21, 14, 15, tzinfo=UTC))
    result = searched(
        tmp_path, now=datetime.fromisoformat(f"2026-09-21T{now}:30Z" if now == "14:18" else f"2026-09-21T{now}:00Z")
    )
    assert (result.state, result.retry_at) == (
        state,
        int(datetime.fromisoformat(f"2026-09-21T{retry_at}:00Z").timestamp()),
    )


def test_files_may_be_half_an_hour_late(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert searched(tmp_path, now=SENT + timedelta(minutes=20)).retry_at is not None
    assert searched(tmp_path, now=SENT + timedelta(minutes=42)).retry_at is None


def test_an_id_of_another_day_has_no_files(tmp_path: Path) -> None:
    write(tmp_path, line())
    other = TraceId(f"1-{int(SENT.timestamp()) - 86_400:08x}-36d228ad5d99923122bbe354")
    result = searched(tmp_path, trace_id=other)
    assert (result.state, result.objects) == ("no_files", 0)


@pytest.mark.parametrize("time", ["00000000", "00000001", "ffffffff"])
def test_a_forged_time_is_no_fault(time: str, tmp_path: Path) -> None:
    write(tmp_path, line())
    result = searched(tmp_path, trace_id=TraceId(f"1-{time}-36d228ad5d99923122bbe354"))
    assert result.state == ("future" if time == "ffffffff" else "no_files")


def test_the_clients_clock_may_be_ahead_by_seconds(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert searched(tmp_path, now=SENT - timedelta(seconds=30)).state == "not_written"
    assert searched(tmp_path, now=SENT - timedelta(seconds=31)).state == "future"


def test_an_id_of_a_clock_that_is_ahead_is_in_the_file_before(tmp_path: Path) -> None:
    ahead = TraceId(f"1-{int(datetime(2026, 9, 21, 14, 20, 10, tzinfo=UTC).timestamp()):08x}-36d228ad5d99923122bbe354")
    write(tmp_path, line(f"Root={ahead.text}"))
    assert searched(tmp_path, trace_id=ahead).state == "found"


def test_a_damaged_file_makes_it_unknown(tmp_path: Path) -> None:
    path = write(tmp_path, access_log_line() * 1000)
    path.write_bytes(path.read_bytes()[:-200])
    result = searched(tmp_path)
    assert result.state == "unread"
    assert [(problem.kind, problem.detail) for problem in result.problems] == [("incomplete", "cut_off")]


def test_a_line_before_the_damage_is_found_and_the_damage_stated(tmp_path: Path) -> None:
    path = write(tmp_path, line() + "".join(access_log_line(agent=f"{n * 7919}") for n in range(90_000)))
    path.write_bytes(path.read_bytes()[:-200])
    result = searched(tmp_path)
    assert (result.state, len(result.problems)) == ("found", 1)


def test_files_whose_name_has_no_time_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "all.log").write_text(line(), encoding="utf-8")
    result = searched(tmp_path)
    assert (result.state, result.objects, result.unnamed) == ("no_files", 0, 1)


class DeniedLogs:
    """A LogSource whose listing or objects are denied."""

    name = "access_logs"
    problem = Problem("denied", "access_logs", "s3:GetObject", "key")

    def __init__(self, files: Sequence[LogFile]) -> None:
        self._files = tuple(files)

    def files(self, window: Window) -> LogListing:
        return LogListing(self._files, () if self._files else (self.problem,))

    def download(self, file: LogFile) -> Path | Problem:
        return self.problem

    def check(self) -> tuple[Health, ...]:
        return ()


@pytest.mark.parametrize("files", [(), (LogFile("key", 1, Window(0, 300)),)], ids=["listing", "object"])
def test_what_is_denied_is_unknown_and_not_absent(files: tuple[LogFile, ...]) -> None:
    result = search(DeniedLogs(files), ID, FLEETS, now=LATER)
    assert (result.state, result.problems) == ("unread", (DeniedLogs.problem,))
