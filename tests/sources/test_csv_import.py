"""A CSV becomes a tidy frame, or the issues of its lines."""

from itertools import permutations
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import FLEETS, Criterion, Window, assemble, check_frame, epoch_s
from domain.frame import LABEL_COLUMNS
from messages.errors.csv import format_csv_issue
from reports.evidence.data import to_csv
from sources.csv_import import HEADER, MAX_ISSUES, CsvIssue, CsvIssueCode, read_csv
from tests.factories.config_issues import own_table

SAMPLE = Path(__file__).parent.parent / "samples" / "csv" / "equal.csv"
HEAD = ",".join(HEADER) + "\n"
LINE = "2026-11-23T20:17:00Z,canary,requests,sum,1200"
AT = 1_795_465_020


def issues_of(text: str | bytes) -> tuple[CsvIssue, ...]:
    return read_csv(text if isinstance(text, bytes) else text.encode()).issues


def single_row(text: str) -> tuple[object, ...]:
    """The row of a file with one line: epoch seconds, fleet, target group, metric, stat, value, unit."""
    data = read_csv((HEAD + text).encode())
    assert data.issues == ()
    (row,) = data.frame.itertuples()
    return int(row.ts.timestamp()), row.fleet, row.target_group, row.metric, row.stat, row.value, row.unit


def test_criteria_of_ones_own_come_back_from_an_evidence_file() -> None:
    tables = (own_table(name="アップロード", margin="5"), own_table(name="rate", kind="rate", margin="1pp"))
    series = [
        item for table in tables for fleet in FLEETS for item in Criterion.model_validate(table).series(fleet).values()
    ]
    n = len(series)
    frame = assemble(series, np.arange(n), np.full(n, AT), np.where(np.arange(n) < 2, -2.5, 3.0), 60)
    data = read_csv(to_csv(frame.astype(dict.fromkeys(LABEL_COLUMNS, "object"))))
    assert data.issues == () and len(data.frame) == n
    written = {(row.fleet, row.target_group, row.metric, row.stat, row.unit, row.value) for row in frame.itertuples()}
    assert {
        (row.fleet, row.target_group, row.metric, row.stat, row.unit, row.value) for row in data.frame.itertuples()
    } == written
    (issue,) = issues_of(f"{HEAD}{AT},canary,own.0123abcd,value,1")  # only an evidence file has them
    assert issue.code == "unknown_metric"


def test_a_metric_may_be_a_criterion_of_ones_own() -> None:
    uploads, rate = (
        Criterion.model_validate(table)
        for table in (own_table(name="アップロード"), own_table(name="rate", kind="rate", margin="1pp"))
    )
    text = f"{HEAD}{AT},baseline,アップロード,value,-2.5\n{AT},canary,rate,events,1\n{AT},canary,rate,total,9\n"
    data = read_csv(text.encode(), (uploads, rate))
    assert data.issues == ()
    assert {(row.fleet, row.metric, row.stat, row.value) for row in data.frame.itertuples()} == {
        ("baseline", uploads.series_metric, "value", -2.5),
        ("canary", rate.series_metric, "events", 1.0),
        ("canary", rate.series_metric, "total", 9.0),
    }
    assert [issue.code for issue in issues_of(text)] == ["unknown_metric"] * 3


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("canary,rate,value,1", "unknown_stat", "`rate` has no statistic “value”. Use `events` / `total`."),
        ("canary,rate,events,-1", "negative", ""),
        ("load_balancer,rate,events,1", "another_fleet", ""),
    ],
)
def test_an_invalid_line_of_a_criterion_of_ones_own(line: str, code: str, text: str) -> None:
    criterion = Criterion.model_validate(own_table(name="rate", kind="rate", margin="1pp"))
    (issue,) = read_csv(f"{HEAD}{AT},{line}".encode(), (criterion,)).issues
    message = format_csv_issue(issue)
    assert issue.code == code and text in f"{message.text} {message.next_step}"


def test_line_becomes_a_row_of_the_tidy_frame() -> None:
    assert single_row(LINE) == (AT, "canary", "canary", "requests", "sum", 1200.0, "count")
    assert single_row(f"{AT},baseline,latency,p95,0.284") == (AT, "baseline", "baseline", "latency", "p95", 0.284, "s")
    assert single_row(f"{AT},canary,latency,within_0.30s,0.96")[4:] == ("within_0.3s", 0.96, "fraction")
    check_frame(read_csv((HEAD + LINE).encode()).frame)


def test_a_load_balancers_503s_are_its_own() -> None:
    expected = (AT, "load_balancer", "", "alb_503", "sum", 7.0, "count")
    assert single_row(f"{AT},load_balancer,alb_503,sum,7") == expected


def test_the_configured_share_is_a_history_of_steps_and_no_row() -> None:
    shares = [
        f"{AT + minute * 60},canary,share,configured,{share}"
        for minute, share in ((9, 0), (0, 0.1), (5, 0.1), (7, 0.25))
    ]
    data = read_csv((HEAD + "\n".join([LINE, *shares])).encode())
    assert data.issues == () and len(data.frame) == 1
    assert data.configured == ((AT, 0.1), (AT + 420, 0.25), (AT + 540, 0.0))
    assert [issue.code for issue in issues_of(HEAD + shares[0])] == ["no_rows"], "a share alone is nothing to judge"


@pytest.mark.parametrize(
    "ts",
    [
        "1795465020",
        "1795465020.0",
        "2026-11-23T20:17Z",
        "2026-11-23 20:17:00+00:00",
        "2026-11-24T05:17:00+09:00",
        "2026-11-23T20:17:00.000Z",
        " 2026-11-23T20:17:00Z ",
    ],
)
def test_time_formats(ts: str) -> None:
    assert single_row(f"{ts},canary,requests,sum,1")[0] == AT


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEAD}{LINE}\n",
        f"{HEAD}{LINE}\n".replace("\n", "\r\n"),
        f"\n{HEAD}\n,,,,\n{LINE}",
        f'"ts","fleet","metric","stat","value"\n"{LINE.replace(",", chr(34) + "," + chr(34))}"\n',
        "value,ts,stat,fleet,metric\n1200,2026-11-23T20:17:00Z,sum,canary,requests\n",
    ],
    ids=["byte-order mark", "CRLF", "blank lines", "quotes", "another order of columns"],
)
def test_editor_and_spreadsheet_variants(text: str) -> None:
    pd.testing.assert_frame_equal(read_csv(text.encode()).frame, read_csv((HEAD + LINE).encode()).frame)


INVALID_LINES = [
    ("2026-11-23T20:17:00,canary,requests,sum,1", "naive_time"),
    ("yesterday,canary,requests,sum,1", "not_a_time"),
    ("0001-01-01T00:00:00Z,canary,requests,sum,1", "not_a_time"),
    ("1795465020000,canary,requests,sum,1", "milliseconds"),
    ("1795465021,canary,requests,sum,1", "not_a_minute"),
    ("2026-11-23T20:17:00.5Z,canary,requests,sum,1", "not_a_minute"),
    (f"{AT},Canary,requests,sum,1", "unknown_fleet"),
    (f"{AT},load_balancer,requests,sum,1", "another_fleet"),
    (f"{AT},canary,alb_503,sum,1", "another_fleet"),
    (f"{AT},baseline,share,configured,0.1", "another_fleet"),
    (f"{AT},canary,share,sum,0.1", "unknown_stat"),
    (f"{AT},canary,share,configured,10", "not_a_configured_share"),
    (f"{AT},canary,target_4xx,sum,1", "unknown_metric"),
    (f"{AT},canary,requests,p50,1", "unknown_stat"),
    (f"{AT},canary,latency,sum,1", "unknown_stat"),
    (f"{AT},canary,latency,p0,1", "unknown_stat"),
    (f"{AT},canary,latency,p100,1", "unknown_stat"),
    (f"{AT},canary,latency,p95,", "not_a_number"),
    (f"{AT},canary,latency,p95,0.2s", "not_a_number"),
    (f'{AT},canary,latency,p95,"0,2"', "not_a_number"),
    (f"{AT},canary,requests,sum,1_200", "not_a_number"),
    (f"{AT},canary,latency,p95,NaN", "not_finite"),
    (f"{AT},canary,latency,p95,inf", "not_finite"),
    (f"{AT},canary,requests,sum,-1", "negative"),
    (f"{AT},canary,latency,within_0.3s,96", "not_a_share"),
    (f"{AT},canary,latency,p95,0,2", "wrong_columns"),
    (f"{AT},canary,latency,p95", "wrong_columns"),
]


@pytest.mark.parametrize(("line", "code"), INVALID_LINES)
def test_invalid_line_is_reported_and_rejects_the_file(line: str, code: str) -> None:
    data = read_csv(f"{HEAD}{LINE}\n\n{line}\n".encode())
    assert [(issue.line, issue.code) for issue in data.issues] == [(4, code)]
    assert data.frame.empty


def test_duplicate_minute_names_both_lines() -> None:
    (duplicate,) = issues_of(f"{HEAD}{LINE}\n{AT},baseline,requests,sum,7\n{AT},canary,requests,sum,1200\n")
    assert (duplicate.line, duplicate.code, duplicate.params["first"]) == (4, "twice", "2")
    (duplicate,) = issues_of(f"{HEAD}{AT},canary,latency,within_0.3s,1\n{AT},canary,latency,within_0.30s,1\n")
    assert duplicate.code == "twice"


INVALID_FILES = [
    (b"", 0, "no_rows"),
    (b"\r\n\r\n", 0, "no_rows"),
    (HEAD.encode(), 1, "no_rows"),
    (b"\nts,fleet,metric,value\n", 2, "wrong_header"),
    (LINE.encode(), 1, "wrong_header"),
    (HEAD.replace("ts,", "ts,ts,").encode(), 1, "wrong_header"),
    (HEAD.replace(",", ";").encode() + b"1;2;3;4;5", 1, "other_separator"),
    (HEAD.replace(",", "\t").encode(), 1, "other_separator"),
    (HEAD.encode("utf-16"), 0, "not_utf8"),
    (HEAD.encode() + b'"1795465020,canary\n' + LINE.encode(), 2, "not_csv"),
]


@pytest.mark.parametrize(("data", "line", "code"), INVALID_FILES)
def test_invalid_file_is_one_issue(data: bytes, line: int, code: str) -> None:
    assert [(issue.line, issue.code) for issue in issues_of(data)] == [(line, code)]


def test_all_issues_up_to_a_limit() -> None:
    assert [issue.line for issue in issues_of(HEAD + "x\n" * 3 + LINE + "\nx\n")] == [2, 3, 4, 6]
    assert len(issues_of(HEAD + "x\n" * 1000)) == MAX_ISSUES


def test_mistyped_year_is_rejected() -> None:
    (issue,) = issues_of(f"{HEAD}{LINE}\n2062-11-23T20:17:00Z,canary,requests,sum,1\n")
    assert (issue.line, issue.code, dict(issue.params)) == (
        3,
        "too_long",
        {"first": "2", "days": "13149", "most": "366"},
    )


FIVE = AT - 120  # 20:15
TIDY = "ts,fleet,target_group,metric,stat,value,unit,period_s,source\n"


def test_all_tidy_columns() -> None:
    line = f"{FIVE},canary,'=ecs,target_4xx,sum,{{}},count,300,cloudwatch\n"
    (row,) = read_csv((TIDY + line.format(7)).encode()).frame.itertuples()
    assert (row.target_group, row.metric, row.value, row.period_s, row.source) == (
        "=ecs",
        "target_4xx",
        7,
        300,
        "cloudwatch",
    )
    others = f"{AT},canary,ecs-green,requests,sum,1,count,60,x\n{AT},load_balancer,,alb_5xx,sum,1,count,60,x\n"
    assert len(read_csv((TIDY + line.format(7) + others).encode()).frame) == 3
    data = read_csv((TIDY + others + line.format("")).encode())
    ((series, windows),) = data.unknown_counts.items()
    assert (series.target_group, series.metric, windows) == ("=ecs", "target_4xx", (Window(FIVE, FIVE + 300),))
    assert len(data.frame) == 2
    (issue,) = issues_of(TIDY + line.format(""))
    assert issue.code == "no_rows"


@pytest.mark.parametrize("period", ["", "0", "90", "300", "-60", "1m", "864000"])
def test_period_must_be_whole_minutes(period: str) -> None:
    (issue,) = issues_of(TIDY + f"{AT},canary,ecs,requests,sum,1,count,{period},x\n")
    assert issue.code == "not_a_period"


def test_every_code_is_covered() -> None:
    covered = {code for _, code in INVALID_LINES} | {code for *_, code in INVALID_FILES}
    covered |= {"twice", "too_long", "not_readable", "not_a_period"}
    assert covered == set(get_args(CsvIssueCode))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_order_of_lines_does_not_matter(order: tuple[int, ...]) -> None:
    lines = [LINE, f"{AT + 60},baseline,latency,p95,0.2", f"{AT},baseline,requests,sum,7"]
    shuffled = read_csv((HEAD + "\n".join(lines[index] for index in order)).encode()).frame
    pd.testing.assert_frame_equal(shuffled, read_csv((HEAD + "\n".join(lines)).encode()).frame)
    assert list(epoch_s(shuffled)) == [AT, AT, AT + 60]


def test_sample_is_an_hour_of_both_fleets() -> None:
    data = read_csv(SAMPLE.read_bytes())
    assert data.issues == () and len(data.frame) == 2 * 60 * 6


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (HEAD + text).encode("utf-8", "surrogatepass")))
def test_any_input_is_handled(data: bytes) -> None:
    parsed = read_csv(data)
    assert parsed.frame.empty == bool(parsed.issues)
    for issue in parsed.issues:
        format_csv_issue(issue)
