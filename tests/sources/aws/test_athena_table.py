"""What Athena is told: the expression reads lines as the line reader does, and both statements are read by a grammar of Athena's SQL."""

import re
from datetime import date

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from domain import Arn
from sources.access_logs.repair import repair_line, split_fields
from sources.access_logs.sql import FIELDS, GROUP_COLUMNS
from sources.aws.athena_table import LINE_REGEX, AthenaTable
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line

LOAD_BALANCER = Arn.parse(
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188"
)
assert LOAD_BALANCER
TABLE = AthenaTable("default", "photo-logs", "alb", LOAD_BALANCER)
PATTERNS = ("/photos/*/comments", "/it's/**", "/a\\b/*")


def match_line(text: str) -> list[str] | None:
    """A line's fields by the table's expression; those that it lacks are "-"."""
    found = re.fullmatch(LINE_REGEX, text)
    return [one if one is not None else "-" for one in found.groups()] if found else None


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIR.glob("*.log")), ids=lambda path: path.stem)
def test_odd_lines_are_read_as_the_line_reader_reads_them(sample) -> None:
    for text in sample.read_text(encoding="utf-8").splitlines():
        if repair_line(text) is not None:
            assert match_line(text) == (split_fields(text) + ["-"] * len(FIELDS))[: len(FIELDS)]


BARE_FIELDS = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters='" '), min_size=1)
QUOTED_FIELDS = st.text(st.one_of(st.sampled_from(' \\"xé'), st.characters(exclude_categories=["C", "Zl", "Zp"])))


@given(
    st.lists(BARE_FIELDS, min_size=12, max_size=12),
    QUOTED_FIELDS,
    QUOTED_FIELDS,
    st.lists(BARE_FIELDS, min_size=3, max_size=3),
    st.text(),
)
def test_whatever_stands_in_quotes_and_whatever_follows(first, request, agent, last, more) -> None:
    def within(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    written = " ".join([*first, within(request), within(agent), *last])
    assert match_line(written) == [*first, within(request)[1:-1], within(agent)[1:-1], *last]
    assert match_line(f"{written} {more}") == match_line(written)


def test_a_line_may_end_after_twelve_fields_and_not_before() -> None:
    words = access_log_line().split(" ")
    assert match_line(" ".join(words[:12])) == [*words[:12], "-", "-", "-", "-", "-"]
    assert match_line(" ".join(words[:11])) is None
    assert match_line("") is None


def test_quotes_that_come_in_no_pairs_end_with_their_line() -> None:
    cut = access_log_line().partition(' "Mozilla')[0]
    assert match_line(f'{cut} "Mozilla/5.0 (never closed')[13:] == ["Mozilla/5.0 (never closed", "-", "-", "-"]
    torn = match_line(access_log_line('GET https://photo.example.com:443/quote"inside/12345 HTTP/1.1').strip())
    assert torn and torn[12] == "GET https://photo.example.com:443/quote"


def test_a_very_long_line_takes_no_time_and_no_stack() -> None:
    path = "/" + '\\"x' * 30_000
    found = match_line(access_log_line(f"GET https://photo.example.com:443{path} HTTP/1.1").strip())
    assert found and found[12].endswith(f"{path} HTTP/1.1") and found[16].endswith("73e2d6bc24d8a067")
    assert match_line(" ".join(["x" * 50] * 11) + " " * 5_000) is None


def test_the_definition_is_read_by_athenas_grammar() -> None:
    created = sqlglot.parse_one(TABLE.create_sql(), dialect="athena")
    assert isinstance(created, exp.Create) and created.args["exists"]
    assert [one.name for one in created.this.find_all(exp.ColumnDef)] == list(FIELDS)
    told = {
        one.this.name if isinstance(one.this, exp.Literal) else str(one.this): one.args["value"].name
        for one in created.find_all(exp.Property)
        if isinstance(one.args.get("value"), exp.Literal)
    }
    assert told["input.regex"] == LINE_REGEX
    folder = "s3://photo-logs/alb/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    assert told["storage.location.template"] == folder + "/${day}"
    assert told["projection.day.format"] == "yyyy/MM/dd" and told["projection.day.type"] == "date"
    assert re.compile(LINE_REGEX).groups == len(FIELDS)


def test_the_query_is_read_by_athenas_grammar() -> None:
    apart = "alb/AWSLogs/it's.log.gz"
    query = TABLE.count_sql(date(2026, 9, 21), PATTERNS, [apart])
    read_back = sqlglot.parse_one(query, dialect="athena")
    assert read_back.named_selects == [*GROUP_COLUMNS, "n", "example"]
    told = {one.this for one in read_back.find_all(exp.Literal) if one.is_string}
    assert {"2026/09/21", f"s3://photo-logs/{apart}", *PATTERNS} <= told
    assert "/123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_" in told
    (table,) = read_back.find_all(exp.Table)
    assert (table.db, table.name) == ("default", TABLE.name)


def test_another_place_is_another_table() -> None:
    names = {
        AthenaTable("default", bucket, prefix, LOAD_BALANCER).name
        for bucket in ("a-b", "c-d")
        for prefix in ("", "alb")
    }
    assert len(names) == 4
    assert AthenaTable("default", "photo-logs", "", LOAD_BALANCER).location == (
        "s3://photo-logs/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    )
