"""LogCounter on damaged and forged lines: `parsed` + `unparsed` + `skipped` are always all lines, and no request moves to another fleet.

The inputs that once broke the counter: L05c, L07, L16, X01, X05, X05c.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.access_logs.counter import FileStats, LogCounter, LogCounts
from sources.access_logs.lines import MAX_LINE_BYTES, LineSplitter
from sources.access_logs.repair import repair_line
from tests.factories.access_log_lines import TARGET_GROUP_ARN, access_log_line

FORGED_ARN = TARGET_GROUP_ARN.replace("photo-ecs", "photo-ec2")
LINE = access_log_line()


def count(tmp_path: Path, *contents: str | bytes) -> LogCounts:
    paths = [tmp_path / f"{number}.log" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
    with LogCounter() as counter:
        counted = counter.count(paths)
    assert sum(counted.counts["n"].to_pylist()) == sum(stats.parsed for stats in counted.files)
    for stats in counted.files:
        assert min(stats.parsed, stats.unparsed, stats.skipped) >= 0
        assert stats.parsed + stats.unparsed + stats.skipped == stats.lines
    return counted


def groups(counted: LogCounts) -> dict[str, int]:
    rows = counted.counts.group_by("target_group").aggregate([("n", "sum")]).to_pylist()
    return {row["target_group"]: row["n_sum"] for row in rows}


@pytest.mark.parametrize(
    "agent",
    [
        'PhotoApp \\"Pro Max\\" 3.1 (iOS)',
        '\\"',
        '\\"\\"',
        "ends with a backslash \\\\",
        'both \\\\\\"',
        f'x\\" - - {FORGED_ARN} \\"y',
        f'x\\" ECDHE TLSv1.2 {FORGED_ARN} \\"Root=1-58337262-36d228ad5d99923122bbe354\\" \\"',
        f"{FORGED_ARN}",
        f"- - {FORGED_ARN} -",
    ],
)
def test_quotes_escaped_by_a_backslash_do_not_shift_fields(agent: str, tmp_path: Path) -> None:
    counted = count(tmp_path, LINE + access_log_line(agent=agent, elb="500", target="500") * 3 + LINE)
    assert counted.files == (FileStats("0.log", lines=5, parsed=5),)
    assert groups(counted) == {"photo-ecs": 5}
    assert sorted(row["elb_status"] for row in counted.counts.to_pylist()) == [200, 500]


def test_escaped_quotes_in_the_request(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line('GET https://photo.example.com:443/a\\"b HTTP/1.1') + LINE)
    assert groups(counted) == {"photo-ecs": 2}
    assert sorted(counted.counts["route"].to_pylist()) == ["/a\\x22b", "/photos/:id"]


@pytest.mark.parametrize(
    "agent",
    [
        f'x" - - {FORGED_ARN} "y',
        f'x" ECDHE TLSv1.2 {FORGED_ARN} "Root=1-58337262-36d228ad5d99923122bbe354" "',
        f'x" - - {FORGED_ARN} "',
        f'x" - - {FORGED_ARN}',
        f'x\\\\" - - {FORGED_ARN} "y',
    ],
)
def test_line_with_two_possible_target_groups_is_unparsed(agent: str, tmp_path: Path) -> None:
    counted = count(tmp_path, LINE + access_log_line(agent=agent) + LINE)
    assert counted.files == (FileStats("0.log", lines=3, parsed=2),)
    assert groups(counted) == {"photo-ecs": 2}


def test_forged_agent_of_a_request_without_target_group(tmp_path: Path) -> None:
    agent = f'x\\" - - {FORGED_ARN} \\"y'
    assert groups(count(tmp_path, LINE + access_log_line(agent=agent, group="-"))) == {"": 1, "photo-ecs": 1}


def test_forged_line_and_a_line_without_target_group_do_not_cancel_out(tmp_path: Path) -> None:
    counted = count(
        tmp_path, access_log_line(group="-") * 5 + access_log_line(agent=f'x" - - {FORGED_ARN} "y') + LINE * 5
    )
    assert groups(counted) == {"": 5, "photo-ecs": 5}


TORN = LINE.replace("app/photo/50dc6c495c0c9188 203.0.113.9:2817 10.0.1.7:8080 0.000 ", "", 1)
# Lines and whether each is parsed.
LINES = {
    "ten years": (access_log_line(latency="9999999.000"), 1),
    "not a number": (access_log_line(latency="nan"), 0),
    "infinite": (access_log_line(latency="inf"), 0),
    "an exponent": (access_log_line(latency="1e999"), 0),
    "many digits": (access_log_line(latency="9" * 400 + ".0"), 1),
    "no latency": (access_log_line(latency="-"), 1),
    "a large negative latency": (access_log_line(latency="-99999999999999999999"), 1),
    "a status of four digits": (access_log_line(elb="99999"), 0),
    "a negative status": (access_log_line(target="-200"), 0),
    "no status": (access_log_line(elb="-", target="-"), 1),
    "fields torn out": (TORN, 0),
    "no time": (access_log_line(time="-"), 0),
    "seconds without fraction": (access_log_line(time="2026-09-21T14:00:01Z"), 1),
    "no zone": (access_log_line(time="2026-09-21T14:00:01.186641"), 1),
    "UTC as an offset": (access_log_line(time="2026-09-21T14:00:01.186641+00:00"), 1),
    "another zone": (access_log_line(time="2026-09-21T23:00:01.186641+09:00"), 0),
    "second 60": (access_log_line(time="2026-09-21T14:00:60.000000Z"), 0),
    "minute 61": (access_log_line(time="2026-09-21T14:61:00.000000Z"), 0),
    "hour 24": (access_log_line(time="2026-09-21T24:10:00.000000Z"), 0),
    "30 February": (access_log_line(time="2026-02-30T14:00:00.000000Z"), 0),
    "no target group": (access_log_line(group="-"), 1),
    "another ARN": (access_log_line(group="arn:aws:s3:::bucket"), 0),
    "cut within the target group": (LINE[: LINE.index("targetgroup/") + 15] + "\n", 0),
    "an agent that swallows the target group": (LINE.replace('x86_64)" ', "x86_64) "), 1),
    "null characters": (LINE.replace("Mozilla", "\0Moz\0illa"), 1),
    "only null characters": ("\0" * 500 + "\n", 0),
    "an unclosed quote at its start": ('"' + LINE, 0),
    "a lone quote": ('"\n', 0),
}


@pytest.mark.parametrize(("odd", "n_parsed"), LINES.values(), ids=LINES)
def test_field_that_is_not_what_it_should_be_makes_its_line_unparsed(odd: str, n_parsed: int, tmp_path: Path) -> None:
    counted = count(tmp_path, LINE * 3 + odd + LINE * 3, odd)
    assert [stats.parsed for stats in counted.files] == [6 + n_parsed, n_parsed]
    assert [stats.lines for stats in counted.files] == [7, 1]


def test_impossible_latency_is_none(tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(latency="9999999.000"))
    assert counted.counts["latency_ms"].to_pylist() == [-1]


CR_LINES = LINE.replace("\n", "\r")


@pytest.mark.parametrize(
    ("content", "lines", "parsed"),
    [
        (LINE.replace("\n", "\r\n") * 3, 3, 3),
        (CR_LINES * 4, 4, 4),
        (CR_LINES * 4 + "broken\n", 4, 4),
        (CR_LINES * 2 + LINE + "broken\n", 4, 3),
        (LINE.replace("Mozilla", "Moz\rilla") + "broken\n", 2, 1),
        (LINE.replace(" 200 ", "\r200 ", 1) + LINE, 2, 2),
        ("\ufeff" + LINE * 2, 2, 2),
        (LINE * 2 + LINE.rstrip("\n"), 3, 3),
        ("\r\n\r\n" + LINE, 3, 1),
        ("\r" * 2_000_000 + LINE, 3, 1),
    ],
)
def test_line_ends(content: str, lines: int, parsed: int, tmp_path: Path) -> None:
    assert count(tmp_path, content).files == (FileStats("0.log", lines=lines, parsed=parsed),)


def test_an_endless_line_is_neither_kept_nor_searched_again() -> None:
    lines, chunk = LineSplitter(), b"x" * MAX_LINE_BYTES
    for _ in range(1000):
        assert not b"".join(lines.feed(chunk))
        assert len(lines._tail) <= MAX_LINE_BYTES
    assert (lines.lines, lines.finish()) == (1, b"")


def test_very_long_lines_are_unparsed_and_others_counted(tmp_path: Path) -> None:
    url = "GET https://photo.example.com:443/" + "x" * (MAX_LINE_BYTES + 1) + " HTTP/1.1"
    endless = b"x" * (5 * MAX_LINE_BYTES)
    counted = count(
        tmp_path,
        LINE + access_log_line(url) * 2 + LINE,
        endless + b"\n" + LINE.encode(),
        endless,
        CR_LINES.encode() * (3 * MAX_LINE_BYTES // len(LINE)),
    )
    assert [(stats.lines, stats.parsed) for stats in counted.files] == [
        (4, 2),
        (2, 1),
        (1, 0),
        (3 * MAX_LINE_BYTES // len(LINE),) * 2,
    ]


@pytest.mark.parametrize("year", ["2099", "9999", "0001", "1969"])
def test_line_years_away_is_skipped(year: str, tmp_path: Path) -> None:
    far = access_log_line(time=f"{year}-01-01T00:00:00.000000Z", elb="500")
    counted = count(tmp_path, LINE * 3, LINE * 2 + far + "broken\n")
    assert counted.files == (FileStats("0.log", lines=3, parsed=3), FileStats("1.log", lines=4, parsed=2, skipped=1))
    assert set(counted.counts["minute"].to_pylist()) == {1790000280}
    assert counted.examples.num_rows == 0


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("[2001:db8::1]:443", "[2001:db8::1]"),
        ("[::ffff:203.0.113.9]:80", "[::ffff:203.0.113.9]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("photo.example.com:443", "photo.example.com"),
        ("user:secret@photo.example.com:443", "photo.example.com"),
        ("", ""),
    ],
)
def test_host_of_a_url(authority: str, host: str, tmp_path: Path) -> None:
    counted = count(tmp_path, access_log_line(f"GET https://{authority}/photos/8812 HTTP/1.1"))
    assert [(row["host"], row["route"]) for row in counted.counts.to_pylist()] == [(host, "/photos/:id")]


def test_line_with_a_backslash_before_the_last_quote(tmp_path: Path) -> None:
    """Whether the load balancer escapes a client's backslash is not documented."""
    assert groups(count(tmp_path, access_log_line(agent="evil \\") + LINE)) == {"photo-ecs": 2}


ARN_START = LINE.index("arn:")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, ARN_START), st.sampled_from(['"', '\\"', "\\", " ", "\r", "\n", "\0", "\x85", "é", ""])
        ),
        min_size=1,
        max_size=6,
    )
)
@pytest.mark.slow
def test_any_damage_is_counted_and_leaves_the_neighbours_alone(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, str]]
) -> None:
    text = LINE
    for position, insert in sorted(damage, reverse=True):
        text = text[:position] + insert + text[position + (not insert) :]
    counted = count(tmp_path_factory.mktemp("logs"), LINE * 2 + text + LINE * 2)
    assert counted.files[0].parsed >= 4
    assert set(groups(counted)) <= {"", "photo-ecs"}


def test_repaired_line_is_repaired_to_itself() -> None:
    repaired = repair_line(access_log_line(agent='says \\"hello\\"').strip())
    assert repaired and repair_line(repaired) == repaired
