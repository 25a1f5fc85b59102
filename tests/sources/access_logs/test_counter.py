"""LogCounter: every line of a file is counted once or reported as unparsed."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from domain.log_counts import COUNTS
from sources.access_logs.counter import DecompressedFile, FileStats, LogCounter, LogCounts, decompress
from sources.access_logs.repair import repair_line, split_fields
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line

LONG_LOG = "".join(
    access_log_line(f"GET https://photo.example.com/{n:08x}{n * 7919:08x} HTTP/1.1") for n in range(5000)
).encode()


def count(tmp_path: Path, *contents: str | bytes, patterns: tuple[str, ...] = ()) -> LogCounts:
    paths = []
    for number, content in enumerate(contents):
        paths.append(path := tmp_path / f"{number}.log.gz")
        path.write_bytes(gzip.compress(content.encode()) if isinstance(content, str) else content)
    with LogCounter(patterns) as counter:
        return counter.count(paths)


def count_rows(counted: LogCounts, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in columns) for row in counted.counts.to_pylist())


def test_lines_become_counts_without_query_strings(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line() + access_log_line() + access_log_line(latency="0.043"))
    common = {
        "minute": 1790000280,
        "host": "photo.example.com",
        "method": "GET",
        "route": "/photos/:id",
        "target_group": "photo-ecs",
        "elb_status": 200,
        "target_status": 200,
    }
    assert counted.counts.schema == COUNTS
    assert sorted(counted.counts.to_pylist(), key=lambda row: row["latency_ms"]) == [
        {**common, "latency_ms": 42, "n": 2},
        {**common, "latency_ms": 43, "n": 1},
    ]
    assert counted.files == (FileStats("0.log.gz", lines=3, parsed=3),)
    assert "secret" not in str(counted.counts.to_pylist()) + str(counted.examples.to_pylist())


def test_unanswered_request_has_no_latency_and_no_target_status(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(elb="504", target="-", latency="-1"))
    assert count_rows(counted, "elb_status", "target_status", "latency_ms") == [(504, -1, -1)]
    (example,) = counted.examples.to_pylist()
    assert example["path"] == "/photos/8812"
    assert example["ts"] == 1790000283.186641
    assert example["target"] == "10.0.1.7:8080"


def test_empty_request_is_unreadable(tmp_path: Path) -> None:
    assert count_rows(count(tmp_path, access_log_line("")), "host", "method", "route", "n") == [
        ("", "", "(unreadable)", 1)
    ]


def test_latencies_from_one_second_on_are_rounded_by_less_than_one_percent(tmp_path: Path) -> None:
    latencies_s = (0.999, 1.0, 1.004, 1.2, 1.234, 2.345, 5.678, 9.876, 59.9)
    counted = count(tmp_path, "".join(access_log_line(latency=f"{latency:.3f}") for latency in latencies_s))
    counted_ms = [ms for (ms,) in count_rows(counted, "latency_ms")]
    assert counted_ms[:2] == [999, 1000]  # 1.004 s is within the first bucket
    assert [n for *_, n in count_rows(counted, "latency_ms", "n")] == [1, 2, 1, 1, 1, 1, 1, 1]
    assert all(
        abs(ms / 1000 / latency - 1) <= 0.005 for ms, latency in zip(counted_ms[2:], latencies_s[3:], strict=True)
    )


@pytest.mark.parametrize(
    "trailing_fields",
    ["", ' "-"', ' TID_0123456789abcdef0123456789abcdef "-" "-" "-" 10.0.0.1 "-" "-" "?" "?" "?" "?"'],
)
def test_any_number_of_fields_after_the_target_group(tmp_path: Path, trailing_fields: str) -> None:
    assert count(
        tmp_path,
        access_log_line(trailing_fields="")
        + access_log_line(trailing_fields=trailing_fields)
        + access_log_line()
        + access_log_line().rstrip()
        + trailing_fields,
    ).files[0] == FileStats("0.log.gz", lines=4, parsed=4)


def test_line_of_twelve_fields(tmp_path: Path) -> None:
    short = " ".join(access_log_line().split(" ")[:12]) + "\n"
    counted = count(tmp_path, access_log_line() + short)
    assert counted.files[0] == FileStats("0.log.gz", lines=2, parsed=2)
    assert count_rows(counted, "route", "target_group") == [("(unreadable)", ""), ("/photos/:id", "photo-ecs")]


def test_malformed_line_does_not_affect_other_lines(tmp_path: Path) -> None:
    unclosed = access_log_line(agent="broken").replace('"broken"', '"broken')
    quoted = access_log_line(agent='says \\"hello\\"')
    bare = access_log_line(agent='says "hello" twice')
    spaces = access_log_line("GET https://photo.example.com:443/search?q=a b c HTTP/1.1")
    counted = count(
        tmp_path,
        access_log_line() * 400 + unclosed + access_log_line() * 400 + quoted + bare + spaces + access_log_line() * 400,
    )
    assert counted.files == (FileStats("0.log.gz", lines=1204, parsed=1204),)
    assert sum(n for (n,) in count_rows(counted, "n")) == 1204


def test_other_text_is_counted_as_unparsed(tmp_path: Path) -> None:
    counted = count(
        tmp_path,
        access_log_line()
        + "Enable AccessLog for ELB\n"
        + "unknown 2026-09-21T14:18:03Z a b c d e f g h i j k l m n o p q\n",
    )
    assert counted.files == (FileStats("0.log.gz", lines=3, parsed=1),)
    assert counted.files[0].unparsed == 2


def test_other_file_is_not_a_log_and_does_not_affect_the_others(tmp_path: Path) -> None:
    counted = count(tmp_path, "a,b\n1,2\n", access_log_line(), b"\x89PNG\r\n\x1a\n\x00\x00", "")
    assert counted.files == (
        FileStats("0.log.gz", lines=2, parsed=0, problem="not_a_log"),
        FileStats("1.log.gz", lines=1, parsed=1),
        FileStats("2.log.gz", lines=3, parsed=0, problem="not_a_log"),
        FileStats("3.log.gz", lines=0, parsed=0),
    )


def test_truncated_file_is_counted_up_to_its_end(tmp_path: Path) -> None:
    content = gzip.compress(LONG_LOG)
    counted = count(tmp_path, content[: len(content) // 2], access_log_line())
    truncated, intact = counted.files
    assert (truncated.problem, truncated.unparsed, intact) == ("cut_off", 0, FileStats("1.log.gz", lines=1, parsed=1))
    assert 1000 < truncated.parsed < 5000
    assert sum(n for (n,) in count_rows(counted, "n")) == truncated.parsed + 1


def test_partial_last_line_of_a_truncated_file_is_dropped(tmp_path: Path) -> None:
    content, path = gzip.compress(LONG_LOG), tmp_path / "truncated.log.gz"
    path.write_bytes(content[: len(content) // 2])
    stats, *_ = decompress(path, tmp_path / "plain.log")
    lines = (tmp_path / "plain.log").read_bytes()
    assert LONG_LOG.startswith(lines) and lines.endswith(b"\n")
    assert stats == FileStats("truncated.log.gz", lines=lines.count(b"\n"), problem="cut_off")


def test_damaged_file_is_counted_up_to_the_damage(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(LONG_LOG))
    content[len(content) // 2 : len(content) // 2 + 64] = b"\xff" * 64
    counted = count(tmp_path, bytes(content), access_log_line())
    damaged, intact = counted.files
    assert damaged.problem == "damaged"
    assert intact == FileStats("1.log.gz", lines=1, parsed=1)
    assert damaged.parsed >= 1000


def test_plain_files_and_files_of_several_gzip_members(tmp_path: Path) -> None:
    counted = count(
        tmp_path,
        access_log_line().encode() * 2,
        gzip.compress(access_log_line().encode()) + gzip.compress(access_log_line().encode()),
    )
    assert [stats.parsed for stats in counted.files] == [2, 2]


def test_missing_file_is_unreadable(tmp_path: Path) -> None:
    with LogCounter() as counter:
        counted = counter.count([tmp_path / "missing.log.gz"])
    assert counted.files == (FileStats("missing.log.gz", problem="unreadable"),)
    assert counted.counts.num_rows == 0


def test_first_matching_pattern_is_the_route(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(), patterns=("/photos/*", "/p'/**"))
    assert count_rows(counted, "route") == [("/photos/*",)]


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIR.glob("*.log")), ids=lambda path: path.stem)
def test_sample_lines_of_other_projects(sample: Path) -> None:
    """For their sources and licences see tests/samples/access_logs/README.md."""
    expected = json.loads(sample.with_suffix(".expected.json").read_text())["lines"]
    texts = sample.read_text().split("\n")
    with LogCounter() as counter:
        counted = counter.count([sample])
    assert counted.files[0].parsed == sum(repair_line(texts[item["line"] - 1]) is not None for item in expected)
    expected_rows = []
    for item in expected:
        if "derived" not in item["reference_split"]:
            continue
        raw, derived = item["reference_split"]["raw"], item["reference_split"]["derived"]
        assert split_fields(texts[item["line"] - 1])[: len(raw)] == list(raw.values())
        if repair_line(texts[item["line"] - 1]) is not None:
            group = derived["target_group"]
            expected_rows.append(
                (
                    derived["elb_status"] or -1,
                    derived["target_status"] or -1,
                    group.split("/")[1] if group and "/" in group else "",
                )
            )
    rows = [
        (row["elb_status"], row["target_status"], row["target_group"])
        for row in counted.counts.to_pylist()
        for _ in range(row["n"])
    ]
    assert sorted(rows) == sorted(expected_rows)


def test_failed_query_ends_the_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: LogCounter, paths: object) -> None:
        raise RuntimeError("no query")

    monkeypatch.setattr(LogCounter, "_group_lines", fail)
    with pytest.raises(RuntimeError, match="no query"):
        count(tmp_path, access_log_line(), access_log_line() * 5000)


def test_many_files_at_once_including_empty_ones(tmp_path: Path) -> None:
    counted = count(tmp_path, *(access_log_line() * number for number in range(40)), b"")
    assert [stats.parsed for stats in counted.files] == [*range(40), 0]
    assert sum(n for (n,) in count_rows(counted, "n")) == 780


def test_empty_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[Path]()

    def decompress_and_note(path: Path, destination: Path) -> DecompressedFile:
        opened.append(path)
        return decompress(path, destination)

    monkeypatch.setattr("sources.access_logs.counter.decompress", decompress_and_note)
    counted = count(tmp_path, *[b""] * 3000, access_log_line(), b"")
    assert len(opened) == 1
    assert [stats.name for stats in counted.files] == [f"{number}.log.gz" for number in range(3002)]
    assert [stats.parsed for stats in counted.files] == [*[0] * 3000, 1, 0]


def test_missing_file_does_not_affect_the_others(tmp_path: Path) -> None:
    (tmp_path / "existing.log").write_text(access_log_line(), encoding="utf-8")
    with LogCounter() as counter:
        counted = counter.count([tmp_path / "missing.log.gz", tmp_path / "existing.log"])
    assert [(stats.problem, stats.parsed) for stats in counted.files] == [("unreadable", 0), (None, 1)]
