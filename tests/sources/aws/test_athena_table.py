"""Athena's SQL: its regular expression parses lines like repair.py, and a parser of Athena's dialect accepts both statements."""

import re
from datetime import date
from pathlib import Path

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from domain import Arn
from sources.access_logs.repair import repair_line, split_fields
from sources.access_logs.sql import ALL_COLUMNS, FIELDS
from sources.aws.athena_table import LINE_REGEX, AthenaTable
from tests.factories.access_log_lines import SAMPLES_DIR, access_log_line

LOAD_BALANCER = Arn.parse(
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188"
)
assert LOAD_BALANCER
TABLE = AthenaTable("default", "photo-logs", "alb", LOAD_BALANCER)
PATTERNS = ("/photos/*/comments", "/it's/**", "/a\\b/*")


def match_line(text: str) -> list[str] | None:
    """The fields of a line by the table's regular expression; missing ones are "-"."""
    match = re.fullmatch(LINE_REGEX, text)
    return [field if field is not None else "-" for field in match.groups()] if match else None


@pytest.mark.parametrize("sample", sorted(SAMPLES_DIR.glob("*.log")), ids=lambda path: path.stem)
def test_sample_lines_are_parsed_like_repair_py(sample: Path) -> None:
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
def test_any_quoted_text_and_any_text_after_the_last_field(
    first: list[str], request: str, agent: str, last: list[str], more: str
) -> None:
    def quote(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = " ".join([*first, quote(request), quote(agent), *last])
    assert match_line(text) == [*first, quote(request)[1:-1], quote(agent)[1:-1], *last]
    assert match_line(f"{text} {more}") == match_line(text)


def test_line_has_at_least_twelve_fields() -> None:
    words = access_log_line().split(" ")
    assert match_line(" ".join(words[:12])) == [*words[:12], "-", "-", "-", "-", "-"]
    assert match_line(" ".join(words[:11])) is None
    assert match_line("") is None


def test_unbalanced_quotes_end_with_their_line() -> None:
    prefix = access_log_line().partition(' "Mozilla')[0]
    assert match_line(f'{prefix} "Mozilla/5.0 (never closed')[13:] == ["Mozilla/5.0 (never closed", "-", "-", "-"]
    fields = match_line(access_log_line('GET https://photo.example.com:443/quote"inside/12345 HTTP/1.1').strip())
    assert fields and fields[12] == "GET https://photo.example.com:443/quote"


def test_very_long_line_is_fast_and_needs_no_stack() -> None:
    path = "/" + '\\"x' * 30_000
    fields = match_line(access_log_line(f"GET https://photo.example.com:443{path} HTTP/1.1").strip())
    assert fields and fields[12].endswith(f"{path} HTTP/1.1") and fields[16].endswith("73e2d6bc24d8a067")
    assert match_line(" ".join(["x" * 50] * 11) + " " * 5_000) is None


def test_definition_is_valid() -> None:
    created = sqlglot.parse_one(TABLE.create_sql(), dialect="athena")
    assert isinstance(created, exp.Create) and created.args["exists"]
    assert [column.name for column in created.this.find_all(exp.ColumnDef)] == list(FIELDS)
    properties = {
        item.this.name if isinstance(item.this, exp.Literal) else str(item.this): item.args["value"].name
        for item in created.find_all(exp.Property)
        if isinstance(item.args.get("value"), exp.Literal)
    }
    assert properties["input.regex"] == LINE_REGEX
    folder = "s3://photo-logs/alb/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    assert properties["storage.location.template"] == folder + "/${day}"
    assert properties["projection.day.format"] == "yyyy/MM/dd" and properties["projection.day.type"] == "date"
    assert re.compile(LINE_REGEX).groups == len(FIELDS)


def test_query_is_valid() -> None:
    excluded = "alb/AWSLogs/it's.log.gz"
    query = TABLE.count_sql(date(2026, 9, 21), PATTERNS, [excluded])
    parsed = sqlglot.parse_one(query, dialect="athena")
    assert parsed.named_selects == [*ALL_COLUMNS, "kind", "n", "example", "bytes"]
    literals = {item.this for item in parsed.find_all(exp.Literal) if item.is_string}
    assert {"2026/09/21", f"s3://photo-logs/{excluded}", *PATTERNS} <= literals
    assert "/123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_" in literals
    (table,) = parsed.find_all(exp.Table)
    assert (table.db, table.name) == ("default", TABLE.name)


def test_table_name_depends_on_the_location() -> None:
    names = {
        AthenaTable("default", bucket, prefix, LOAD_BALANCER).name
        for bucket in ("a-b", "c-d")
        for prefix in ("", "alb")
    }
    assert len(names) == 4
    assert AthenaTable("default", "photo-logs", "", LOAD_BALANCER).location == (
        "s3://photo-logs/AWSLogs/123456789012/elasticloadbalancing/ap-northeast-1"
    )
