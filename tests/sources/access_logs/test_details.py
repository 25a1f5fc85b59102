"""LogCounter: sizes and traits of log lines. Each line is in one row of SIZES and in one row of each trait."""

import gzip
from pathlib import Path

import pytest

from domain.log_counts import LONG_TIMES, MAX_TRAIT_VALUES, OTHER_VALUE, SIZES, TRAIT_NAMES, TRAITS
from sources.access_logs.counter import LogCounter, LogCounts
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line

BLOCK = 1790000100  # 14:15, of 14:18
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
)


def count(tmp_path: Path, *lines: str, details: bool = True) -> LogCounts:
    path = tmp_path / "one.log.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    with LogCounter(details=details) as counter:
        return counter.count([path])


def trait(counted: LogCounts, name: str) -> dict[tuple[str, int], int]:
    """`n` by value and outcome."""
    return {(row["value"], row["outcome"]): row["n"] for row in counted.traits.to_pylist() if row["trait"] == name}


def test_sizes_are_added_up(tmp_path: Path) -> None:
    sent = (255, 256, 300, 511, 512, 0)
    counted = count(tmp_path, *(access_log_line(sent_bytes=n_bytes) for n_bytes in sent))
    assert counted.sizes.schema == SIZES
    assert [(row["n"], row["bytes"]) for row in counted.sizes.to_pylist()] == [(6, 1834)]
    assert {(row["minute"], row["host"], row["method"], row["route"], row["protocol"]) for row in counted.sizes.to_pylist()} == {
        (1790000280, "photo.example.com", "GET", "/photos/:id", "h2")
    }  # fmt: skip


def test_traits_are_counted_one_by_one_with_their_outcome(tmp_path: Path) -> None:
    lines = [access_log_line(agent=IPHONE, latency="0.050")] * 12
    lines += [access_log_line(agent=WINDOWS, elb="502", target="-", latency="-1", target_port="10.0.1.9:8080")] * 11
    counted = count(tmp_path, *lines)
    assert counted.traits.schema == TRAITS
    assert {(row["minute"], row["target_group"]) for row in counted.traits.to_pylist()} == {(BLOCK, "photo-ecs")}
    assert trait(counted, "target") == {("10.0.1.7:8080", 50): 12, ("10.0.1.9:8080", -1): 11}
    assert trait(counted, "agent") == {("Safari · iOS", 50): 12, ("Chrome · Windows", -1): 11}
    assert trait(counted, "protocol") == {("h2", 50): 12, ("h2", -1): 11}
    assert trait(counted, "tls") == {("TLSv1.2", 50): 12, ("TLSv1.2", -1): 11}
    assert trait(counted, "long_time") == {("none", 50): 12, ("no_answer", -1): 11}


@pytest.mark.parametrize(
    ("latency", "outcome"),
    [
        ("-1", 0), ("0.000", 0), ("0.009", 0), ("0.010", 10), ("0.049", 20), ("0.099", 50), ("0.100", 100), ("0.499", 200),
        ("0.999", 500), ("1.000", 1000), ("4.999", 2000), ("5.000", 5000), ("9.999", 5000), ("10.000", 5000), ("119.000", 5000),
    ],
)  # fmt: skip
def test_the_outcome_is_the_highest_edge_that_the_latency_reaches(tmp_path: Path, latency: str, outcome: int) -> None:
    assert list(trait(count(tmp_path, access_log_line(latency=latency)), "tls")) == [("TLSv1.2", outcome)]


@pytest.mark.parametrize(
    ("times", "latency", "long_time"),
    [
        (("0.000", "0.000"), "0.099", "none"),
        (("0.000", "0.000"), "0.100", "target"),
        (("0.000", "0.000"), "12.000", "target"),
        (("0.100", "0.000"), "12.000", "request"),
        (("0.000", "1.500"), "0.100", "response"),
        (("-1", "-1"), "-1", "not_sent"),
        (("0.001", "-1"), "-1", "no_answer"),
    ],
)
def test_the_long_one_of_the_three_times(tmp_path: Path, times: tuple[str, str], latency: str, long_time: str) -> None:
    counted = count(tmp_path, access_log_line(times=times, latency=latency))
    assert [value for value, _ in trait(counted, "long_time")] == [long_time]
    assert long_time in LONG_TIMES


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (WINDOWS, "Chrome · Windows"),
        (WINDOWS + " Edg/124.0", "Edge · Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0", "Firefox · Linux"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Bot"),
        ("okhttp/4.12.0", "okhttp"),
        ("python-requests/2.31", "python-requests"),
        ("PhotoApp 4f2a1c88-aaaa/1.0 (alice@example.com)", "PhotoApp"),
        ("4f2a1c88-aaaa", ""),
        ("", ""),
    ],
)
def test_only_the_family_of_a_user_agent_is_kept(tmp_path: Path, agent: str, family: str) -> None:
    counted = count(tmp_path, *[access_log_line(agent=agent)] * 10)
    assert [value for value, _ in trait(counted, "agent")] == [family]


def test_a_family_of_few_requests_is_not_named(tmp_path: Path) -> None:
    counted = count(tmp_path, *[access_log_line(agent="alice/1")] * 9, *[access_log_line(agent="okhttp/4")] * 10)
    assert trait(counted, "agent") == {(OTHER_VALUE, 20): 9, ("okhttp", 20): 10}


def test_of_many_targets_those_with_failed_requests_are_kept(tmp_path: Path) -> None:
    targets = [f"10.0.{number // 200}.{number % 200}:8080" for number in range(MAX_TRAIT_VALUES + 50)]
    lines = [access_log_line(target_port=target) * 2 for target in targets[:-1]]
    counted = count(tmp_path, *lines, access_log_line(target_port=targets[-1], elb="500", target="500"))
    values = trait(counted, "target")
    assert len(values) == MAX_TRAIT_VALUES + 1
    assert values[targets[-1], -1] == 1
    assert values[OTHER_VALUE, 20] == 2 * 50


def test_every_line_of_the_samples_is_in_each_table(tmp_path: Path) -> None:
    """Also those that had to be repaired, with their user agent."""
    lines = [path.read_text(encoding="utf-8") for path in sorted(SAMPLES_DIR.glob("*.log"))]
    broken = access_log_line(agent="okhttp/4.1", time="2018-07-02T22:23:00.186641Z", trailing_fields='"unclosed') * 10
    counted = count(tmp_path, *(text if text.endswith("\n") else text + "\n" for text in lines), broken)
    parsed = sum(stats.parsed for stats in counted.files)
    assert parsed == 37
    for table in (counted.counts, counted.sizes):
        assert sum(row["n"] for row in table.to_pylist()) == parsed
    for name in TRAIT_NAMES:
        assert sum(trait(counted, name).values()) <= parsed
        assert sum(row["n"] for row in counted.traits.to_pylist() if row["trait"] == name) == parsed
    assert ("okhttp", 20) in trait(counted, "agent")


def test_without_details_only_counts_and_examples_are_read(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(), details=False)
    assert (counted.counts.num_rows, counted.sizes.num_rows, counted.traits.num_rows) == (1, 0, 0)
