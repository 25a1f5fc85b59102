"""File names of access logs, local folders, and malformed lines."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import Arn, Window
from sources.access_logs.base import LocalLogs
from sources.access_logs.counter import LogCounter
from sources.access_logs.filenames import LogFile, day_prefixes, is_other_log, window_of_name
from tests.factories.access_log_lines import access_log_line

NAME = "123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{}_10.0.1.10_3c8d6a1b.log.gz"


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_file_name_has_the_end_of_its_window() -> None:
    assert window_of_name(NAME.format("20260922T0000Z")) == Window(epoch("2026-09-21T23:55"), epoch("2026-09-22T00:00"))
    assert window_of_name(NAME.format("20260922T0000Z").replace("10.0.1.10", "2001:db8::7")) is not None


@pytest.mark.parametrize(
    "name",
    [
        "ELBAccessLogTestFile",
        "access.log",
        NAME.format("20261322T0000Z"),
        NAME.format("20260922T0000Z").replace("_app.", "_net."),
        "conn_log." + NAME.format("20260922T0000Z"),
        "health_check_log_" + NAME.format("20260922T0000Z"),
    ],
)
def test_other_names_have_no_window(name: str) -> None:
    assert window_of_name(name) is None


def test_other_logs_are_recognized() -> None:
    names = [
        "ELBAccessLogTestFile",
        "conn_log.x",
        "health_check_log_x",
        NAME.format("20260922T0000Z").replace("_app.", "_net."),
    ]
    assert all(map(is_other_log, names))
    assert not is_other_log(NAME.format("20260922T0000Z")) and not is_other_log("access.log")


def test_day_prefixes_start_at_the_first_minute_of_the_window() -> None:
    arn = Arn.parse("arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188")
    assert arn
    own = "123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_"
    tree = "AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    hour = Window(epoch("2026-09-21T14:00"), epoch("2026-09-21T15:00"))
    assert list(day_prefixes(arn, "alb/", hour)) == [
        (f"alb/{tree}/2026/09/21/{own}", f"alb/{tree}/2026/09/21/{own}20260921T1400")
    ]
    night = Window(epoch("2026-09-21T23:00"), epoch("2026-09-21T23:50"))
    assert [start for start, _ in day_prefixes(arn, "", night)] == [
        f"{tree}/2026/09/21/{own}",
        f"{tree}/2026/09/22/{own}",
    ]


def test_identity_is_the_name_of_the_load_balancer_or_the_path() -> None:
    window = window_of_name(NAME.format("20260922T0000Z"))
    compressed = LogFile("alb/2026/" + NAME.format("20260922T0000Z"), 5, window)
    plain = LogFile("/logs/" + NAME.format("20260922T0000Z").removesuffix(".gz"), 50, window)
    assert compressed.identity == plain.identity
    assert LogFile("/logs/a.log", 5).identity != LogFile("/logs/b/a.log", 5).identity


def test_folder_is_listed_recursively_by_window(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    inside = tmp_path / "a" / "b" / NAME.format("20260921T1405Z")
    inside.write_bytes(gzip.compress(access_log_line().encode()))
    (tmp_path / "a" / NAME.format("20260921T1700Z")).write_bytes(b"")
    (tmp_path / "a" / "ELBAccessLogTestFile").write_text("Enable AccessLog", encoding="utf-8")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    hour = Window(epoch("2026-09-21T14:00"), epoch("2026-09-21T15:00"))
    listing = LocalLogs(tmp_path).files(hour)
    assert [file.key for file in listing.files] == [str(inside)]
    assert (listing.skipped, listing.problems) == (1, ())
    assert [file.key for file in LocalLogs(inside).files(hour).files] == [str(inside)]
    assert [(health.permission, health.state) for health in LocalLogs(tmp_path).check()] == [("read", "up")]
    (missing,) = LocalLogs(tmp_path / "nowhere").check()
    assert missing.state == "failed" and missing.problem and missing.problem.kind == "not_found"


# Malformed and unusual lines, and whether each is counted (1) or unparsed (0).
ODD_LINES = {
    "an unclosed quote": (access_log_line().replace('HTTP/2.0"', "HTTP/2.0"), 1),
    "an unclosed quote in the user agent": (access_log_line(agent='Mozilla "5.0'), 1),
    "-1 times": (access_log_line(elb="502", target="-", latency="-1"), 1),
    "IPv6 in brackets": (access_log_line().replace("203.0.113.9:2817", "[2001:db8::1]:2817"), 1),
    "IPv6 without brackets": (access_log_line().replace("203.0.113.9:2817", "2001:db8::1:2817"), 1),
    "no request": (access_log_line("- - -"), 1),
    "no request, with a space": (access_log_line("- - - "), 1),
    "an empty protocol": (access_log_line("- http://photo.example.com:80-/ "), 1),
    "a script tag in the path": (
        access_log_line("GET https://photo.example.com:443/<script>alert(1)</script> HTTP/1.1"),
        1,
    ),
    "spaces in the path": (access_log_line("GET https://photo.example.com:443/a b c HTTP/1.1"), 1),
    "invalid UTF-8": (access_log_line("GET https://photo.example.com:443/\udce9 HTTP/1.1"), 1),
    "eighteen fields, as in 2016": (access_log_line(trailing_fields='"Root=1-58337262-36d228ad5d99923122bbe354"'), 1),
    "forty fields": (access_log_line(trailing_fields=" ".join(['"-"'] * 23)), 1),
    "Enable AccessLog": ("Enable AccessLog for ELB: photo\n", 0),
    "an empty line": ("\n", 0),
}


@pytest.mark.parametrize(("odd", "n_parsed"), ODD_LINES.values(), ids=ODD_LINES)
def test_unusual_line_is_counted_or_unparsed_and_does_not_affect_the_others(
    odd: str, n_parsed: int, tmp_path: Path
) -> None:
    path = tmp_path / "odd.log"
    path.write_bytes((access_log_line() + odd + access_log_line()).encode("utf-8", "surrogateescape"))
    with LogCounter() as counter:
        counted = counter.count([path])
    (stats,) = counted.files
    assert (stats.lines, stats.parsed) == (3, 2 + n_parsed)
    assert sum(counted.counts["n"].to_pylist()) == 2 + n_parsed
