"""Who still calls the old target groups, from the lines of a few files."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import Window
from sources.access_logs import callers
from sources.access_logs.base import LocalLogs
from sources.access_logs.callers import Caller, Callers, find_callers
from tests.factories.access_log_lines import access_log_line

END = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)
WINDOW = Window(int(END.timestamp()) - 300, int(END.timestamp()))
CHANGED_AT = int(datetime(2026, 9, 21, 14, tzinfo=UTC).timestamp())
ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/{}/73e2d6bc24d8a067"


def line(
    group: str = "photo-ec2",
    *,
    agent: str = "curl/8.5.0",
    second: int = 3,
    created: str = "14:18:03",
    type_: str = "h2",
) -> str:
    text = access_log_line(
        group=ARN.format(group),
        agent=agent,
        time=f"2026-09-21T14:18:{second:02}.000000Z",
        trailing_fields=f'"Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2026-09-21T{created}.000000Z "forward" "-" "-"',
    )
    return text.replace("h2", type_, 1)


def find(folder: Path, *lines: str, names: tuple[str, ...] = ("photo-ec2",), cut: int = 0) -> Callers:
    name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{END:%Y%m%dT%H%MZ}_10.0.1.10_3c8d6a1b.log.gz"
    content = gzip.compress("".join(lines).encode())
    (folder / name).write_bytes(content[: len(content) - cut])
    found = find_callers(LocalLogs(folder), names, WINDOW, changed_at=CHANGED_AT)
    assert found
    return found


def test_requests_by_protocol_agent_and_target_the_most_first(tmp_path: Path) -> None:
    found = find(
        tmp_path,
        line(),
        line("photo-ecs"),
        line(agent="okhttp/4.1"),
        line(second=9),
        line(type_="wss", created="13:02:00"),
    )
    at = datetime(2026, 9, 21, 14, 18, tzinfo=UTC).timestamp()
    assert found.callers == (
        Caller("photo-ec2", "h2", "curl", "10.0.1.7:8080", 2, at + 9, 0),
        Caller("photo-ec2", "h2", "okhttp", "10.0.1.7:8080", 1, at + 3, 0),
        Caller("photo-ec2", "wss", "curl", "10.0.1.7:8080", 1, at + 3, 1),
    )
    assert (found.objects, found.others, found.problems) == (1, 0, ())


def test_a_url_or_agent_that_names_the_group_is_no_caller(tmp_path: Path) -> None:
    named = ARN.format("photo-ec2")
    url = access_log_line(f"GET https://photo.example.com:443/?{named} HTTP/2.0", group=ARN.format("photo-ecs"))
    agent = access_log_line(agent=named, group=ARN.format("photo-ecs"))
    assert find(tmp_path, url, agent).callers == ()


def test_a_group_whose_name_starts_alike_is_another(tmp_path: Path) -> None:
    assert find(tmp_path, line("photo-ec2-old")).callers == ()


def test_only_the_files_of_the_window_are_read(tmp_path: Path) -> None:
    find(tmp_path, line())
    other = Window(WINDOW.start + 600, WINDOW.end + 600)
    found = find_callers(LocalLogs(tmp_path), ("photo-ec2",), other, changed_at=0)
    assert found == Callers(other)


def test_a_truncated_file_is_a_problem(tmp_path: Path) -> None:
    found = find(tmp_path, *(line(second=n % 60) for n in range(500)), cut=20)
    assert [problem.kind for problem in found.problems] == ["incomplete"]


def test_many_callers_are_summed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "MAX_CALLERS", 2)
    found = find(tmp_path, *(line(agent=f"client{n}/1") for n in range(5)), line(agent="client4/1"))
    assert [(item.agent, item.requests) for item in found.callers] == [("client4", 2), ("client0", 1)]
    assert found.others == 3
