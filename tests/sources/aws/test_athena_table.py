"""What Athena is told: the expression reads lines as the line reader does, and both statements are read by a grammar of Athena's SQL."""

import re
from datetime import date

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from domain import Arn
from sources.access_logs.repair import fields, mended
from sources.access_logs.sql import FIELDS, GROUPED
from sources.aws.athena_table import LINE, LogTable
from tests.sources.access_logs.test_counter import SAMPLES, line

BALANCER = Arn.parse("arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188")
assert BALANCER
TABLE = LogTable("default", "photo-logs", "alb", BALANCER)
PATTERNS = ("/photos/*/comments", "/it's/**", "/a\\b/*")


def read(text: str) -> list[str] | None:
    """A line's fields by the table's expression; those that it lacks are "-"."""
    found = re.fullmatch(LINE, text)
    return [one if one is not None else "-" for one in found.groups()] if found else None


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.log")), ids=lambda path: path.stem)
def test_odd_lines_are_read_as_the_line_reader_reads_them(sample) -> None:
    for text in sample.read_text(encoding="utf-8").splitlines():
        if mended(text) is not None:
            assert read(text) == (fields(text) + ["-"] * len(FIELDS))[: len(FIELDS)]


bare = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters='" '), min_size=1)
quoted = st.text(st.one_of(st.sampled_from(' \\"xé'), st.characters(exclude_categories=["C", "Zl", "Zp"])))


@given(st.lists(bare, min_size=12, max_size=12), quoted, quoted, st.lists(bare, min_size=3, max_size=3), st.text())
def test_whatever_stands_in_quotes_and_whatever_follows(first, request, agent, last, more) -> None:
    def within(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    written = " ".join([*first, within(request), within(agent), *last])
    assert read(written) == [*first, within(request)[1:-1], within(agent)[1:-1], *last]
    assert read(f"{written} {more}") == read(written)


def test_a_line_may_end_after_twelve_fields_and_not_before() -> None:
    words = line().split(" ")
    assert read(" ".join(words[:12])) == [*words[:12], "-", "-", "-", "-", "-"]
    assert read(" ".join(words[:11])) is None
    assert read("") is None


def test_quotes_that_come_in_no_pairs_end_with_their_line() -> None:
    cut = line().partition(' "Mozilla')[0]
    assert read(f'{cut} "Mozilla/5.0 (never closed')[13:] == ["Mozilla/5.0 (never closed", "-", "-", "-"]
    torn = read(line('GET https://photo.example.com:443/quote"inside/12345 HTTP/1.1').strip())
    assert torn and torn[12] == "GET https://photo.example.com:443/quote"


def test_a_very_long_line_takes_no_time_and_no_stack() -> None:
    path = "/" + '\\"x' * 30_000
    found = read(line(f"GET https://photo.example.com:443{path} HTTP/1.1").strip())
    assert found and found[12].endswith(f"{path} HTTP/1.1") and found[16].endswith("73e2d6bc24d8a067")
    assert read(" ".join(["x" * 50] * 11) + " " * 5_000) is None


def test_the_definition_is_read_by_athenas_grammar() -> None:
    created = sqlglot.parse_one(TABLE.create(), dialect="athena")
    assert isinstance(created, exp.Create) and created.args["exists"]
    assert [one.name for one in created.this.find_all(exp.ColumnDef)] == list(FIELDS)
    told = {
        one.this.name if isinstance(one.this, exp.Literal) else str(one.this): one.args["value"].name
        for one in created.find_all(exp.Property)
        if isinstance(one.args.get("value"), exp.Literal)
    }
    assert told["input.regex"] == LINE
    folder = "s3://photo-logs/alb/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    assert told["storage.location.template"] == folder + "/${day}"
    assert told["projection.day.format"] == "yyyy/MM/dd" and told["projection.day.type"] == "date"
    assert re.compile(LINE).groups == len(FIELDS)


def test_the_query_is_read_by_athenas_grammar() -> None:
    apart = "alb/AWSLogs/it's.log.gz"
    query = TABLE.count(date(2026, 9, 21), PATTERNS, [apart])
    read_back = sqlglot.parse_one(query, dialect="athena")
    assert read_back.named_selects == [*GROUPED, "n", "example"]
    told = {one.this for one in read_back.find_all(exp.Literal) if one.is_string}
    assert {"2026/09/21", f"s3://photo-logs/{apart}", *PATTERNS} <= told
    assert "/123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_" in told
    (table,) = read_back.find_all(exp.Table)
    assert (table.db, table.name) == ("default", TABLE.name)


def test_another_place_is_another_table() -> None:
    names = {LogTable("default", bucket, prefix, BALANCER).name for bucket in ("a-b", "c-d") for prefix in ("", "alb")}
    assert len(names) == 4
    assert LogTable("default", "photo-logs", "", BALANCER).location == (
        "s3://photo-logs/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    )
