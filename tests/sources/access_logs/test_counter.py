"""The engine that counts access-log files: every line is counted once, or said to be lost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from domain.log_counts import COUNTS
from sources.access_logs.counter import FileStats, LogCounter, LogCounts
from sources.access_logs.repair import repair_line, split_fields
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line


def count(tmp_path: Path, *contents: str | bytes, patterns: tuple[str, ...] = ()) -> LogCounts:
    paths = []
    for number, content in enumerate(contents):
        paths.append(path := tmp_path / f"{number}.log.gz")
        path.write_bytes(gzip.compress(content.encode()) if isinstance(content, str) else content)
    with LogCounter(patterns) as engine:
        return engine.count(paths)


def count_rows(counted: LogCounts, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in columns) for row in counted.counts.to_pylist())


def test_a_line_becomes_a_count_and_its_query_string_is_gone(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line() + access_log_line() + access_log_line(latency="0.043"))
    same = {
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
        {**same, "latency_ms": 42, "n": 2},
        {**same, "latency_ms": 43, "n": 1},
    ]
    assert counted.files == (FileStats("0.log.gz", lines=3, parsed=3),)
    assert "secret" not in str(counted.counts.to_pylist()) + str(counted.examples.to_pylist())


def test_what_nobody_answered_has_no_latency_and_no_target_status(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(elb="504", target="-", latency="-1"))
    assert count_rows(counted, "elb_status", "target_status", "latency_ms") == [(504, -1, -1)]
    (example,) = counted.examples.to_pylist()
    assert example["path"] == "/photos/8812"
    assert example["ts"] == 1790000283.186641
    assert example["target"] == "10.0.1.7:8080"


def test_an_empty_request_is_a_request_that_cannot_be_read(tmp_path: Path) -> None:
    assert count_rows(count(tmp_path, access_log_line("")), "host", "method", "route", "n") == [
        ("", "", "(unreadable)", 1)
    ]


def test_a_second_and_more_go_into_buckets_of_one_per_cent(tmp_path: Path) -> None:
    given = (0.999, 1.0, 1.004, 1.2, 9.876, 59.9)
    counted = count(tmp_path, "".join(access_log_line(latency=f"{latency:.3f}") for latency in given))
    kept = [ms for (ms,) in count_rows(counted, "latency_ms")]
    assert kept[:2] == [999, 1000]  # 1.004 s is within the first bucket
    assert [n for *_, n in count_rows(counted, "latency_ms", "n")] == [1, 2, 1, 1, 1]
    assert all(abs(ms / 1000 / latency - 1) <= 0.005 for ms, latency in zip(kept[2:], given[3:], strict=True))


@pytest.mark.parametrize(
    "fields_more", ["", ' "-"', ' TID_0123456789abcdef0123456789abcdef "-" "-" "-" 10.0.0.1 "-" "-" "?" "?" "?" "?"']
)
def test_any_number_of_fields_behind_the_target_group_parses(tmp_path: Path, fields_more: str) -> None:
    assert count(
        tmp_path,
        access_log_line(trailing_fields="")
        + access_log_line(trailing_fields=fields_more)
        + access_log_line()
        + access_log_line().rstrip()
        + fields_more,
    ).files[0] == FileStats("0.log.gz", lines=4, parsed=4)


def test_a_line_of_twelve_fields_is_counted_with_what_it_has(tmp_path: Path) -> None:
    short = " ".join(access_log_line().split(" ")[:12]) + "\n"
    counted = count(tmp_path, access_log_line() + short)
    assert counted.files[0] == FileStats("0.log.gz", lines=2, parsed=2)
    assert count_rows(counted, "route", "target_group") == [("(unreadable)", ""), ("/photos/:id", "photo-ecs")]


def test_a_line_that_stumbles_costs_no_other_line(tmp_path: Path) -> None:
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


def test_what_is_no_line_of_this_log_is_counted_as_lost(tmp_path: Path) -> None:
    counted = count(
        tmp_path,
        access_log_line()
        + "Enable AccessLog for ELB\n"
        + "unknown 2026-09-21T14:18:03Z a b c d e f g h i j k l m n o p q\n",
    )
    assert counted.files == (FileStats("0.log.gz", lines=3, parsed=1),)
    assert counted.files[0].unparsed == 2


def test_a_file_of_another_kind_is_named_and_leaves_the_others_alone(tmp_path: Path) -> None:
    counted = count(tmp_path, "a,b\n1,2\n", access_log_line(), b"\x89PNG\r\n\x1a\n\x00\x00", "")
    assert counted.files == (
        FileStats("0.log.gz", lines=2, parsed=0, problem="not_a_log"),
        FileStats("1.log.gz", lines=1, parsed=1),
        FileStats("2.log.gz", lines=3, parsed=0, problem="not_a_log"),
        FileStats("3.log.gz", lines=0, parsed=0),
    )


def test_a_file_that_is_cut_off_costs_its_tail(tmp_path: Path) -> None:
    whole = gzip.compress(
        "".join(
            access_log_line(f"GET https://photo.example.com/{n:08x}{n * 7919:08x} HTTP/1.1") for n in range(5000)
        ).encode()
    )
    counted = count(tmp_path, whole[: len(whole) // 2], access_log_line())
    cut, sound = counted.files
    assert (cut.problem, cut.unparsed, sound) == ("cut_off", 0, FileStats("1.log.gz", lines=1, parsed=1))
    assert 1000 < cut.parsed < 5000
    assert sum(n for (n,) in count_rows(counted, "n")) == cut.parsed + 1


def test_a_damaged_file_gives_what_stands_before_the_damage(tmp_path: Path) -> None:
    whole = bytearray(
        gzip.compress(
            "".join(
                access_log_line(f"GET https://photo.example.com/{n:08x}{n * 7919:08x} HTTP/1.1") for n in range(5000)
            ).encode()
        )
    )
    whole[len(whole) // 2 : len(whole) // 2 + 64] = b"\xff" * 64
    counted = count(tmp_path, bytes(whole), access_log_line())
    damaged, sound = counted.files
    assert damaged.problem == "damaged"
    assert sound == FileStats("1.log.gz", lines=1, parsed=1)
    assert damaged.parsed >= 1000


def test_plain_files_and_files_of_several_gzip_members_count_too(tmp_path: Path) -> None:
    counted = count(
        tmp_path,
        access_log_line().encode() * 2,
        gzip.compress(access_log_line().encode()) + gzip.compress(access_log_line().encode()),
    )
    assert [tally.parsed for tally in counted.files] == [2, 2]


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with LogCounter() as engine:
        counted = engine.count([tmp_path / "gone.log.gz"])
    assert counted.files == (FileStats("gone.log.gz", problem="unreadable"),)
    assert counted.counts.num_rows == 0


def test_the_first_pattern_that_fits_is_the_route(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(), patterns=("/photos/*", "/p'/**"))
    assert count_rows(counted, "route") == [("/photos/*",)]


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIR.glob("*.log")), ids=lambda path: path.stem)
def test_the_odd_lines_of_others_parse_as_their_expectations_say(sample: Path) -> None:
    """Provenance and licences: tests/samples/access_logs/README.md."""
    expected = json.loads(sample.with_suffix(".expected.json").read_text())["lines"]
    texts = sample.read_text().split("\n")
    of_log = [one for one in expected if "derived" in one["reference_split"]]
    with LogCounter() as engine:
        counted = engine.count([sample])
    assert counted.files[0].parsed == sum(repair_line(texts[one["line"] - 1]) is not None for one in expected)
    told = []
    for one in of_log:
        raw, derived = one["reference_split"]["raw"], one["reference_split"]["derived"]
        assert split_fields(texts[one["line"] - 1])[: len(raw)] == list(raw.values())
        if repair_line(texts[one["line"] - 1]) is not None:
            group = derived["target_group"]
            told.append(
                (
                    derived["elb_status"] or -1,
                    derived["target_status"] or -1,
                    group.split("/")[1] if group and "/" in group else "",
                )
            )
    kept = [
        (row["elb_status"], row["target_status"], row["target_group"])
        for row in counted.counts.to_pylist()
        for _ in range(row["n"])
    ]
    assert sorted(kept) == sorted(told)


def test_a_query_that_fails_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: LogCounter, pipes: object) -> None:
        raise RuntimeError("no query")

    monkeypatch.setattr(LogCounter, "_group", fails)
    with pytest.raises(RuntimeError, match="no query"):
        count(tmp_path, access_log_line(), access_log_line() * 5000)


def test_many_files_at_once_and_empty_ones_among_them(tmp_path: Path) -> None:
    counted = count(tmp_path, *(access_log_line() * number for number in range(40)), b"")
    assert [tally.parsed for tally in counted.files] == [*range(40), 0]
    assert sum(n for (n,) in count_rows(counted, "n")) == 780


def test_a_file_that_is_not_there_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "there.log").write_text(access_log_line(), encoding="utf-8")
    with LogCounter() as engine:
        counted = engine.count([tmp_path / "gone.log.gz", tmp_path / "there.log"])
    assert [(tally.problem, tally.parsed) for tally in counted.files] == [("unreadable", 0), (None, 1)]
