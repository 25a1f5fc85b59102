"""Messages for issues in a CSV."""

from typing import get_args

import pytest

from messages.errors.csv import _TEXTS, EXAMPLE, format_csv_issue
from messages.errors.sources import Message
from sources.csv_import import CsvIssueCode, read_csv

HEAD = "ts,fleet,metric,stat,value\n"
ANCHOR = "docs/cli.md#a-csv-of-your-own"


@pytest.mark.parametrize(
    ("text", "title", "expected", "next_step"),
    [
        (
            "2026-11-23T20:17:00,canary,requests,sum,1",
            "line 2",
            "“2026-11-23T20:17:00” has no time zone.",
            "Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`.",
        ),
        (
            "0,ECS,requests,sum,1",
            "line 2",
            "Unknown fleet “ECS”.",
            "Use `baseline` for the old fleet and `canary` for the new one.",
        ),
        (
            "0,canary,request,sum,1",
            "line 2",
            "No metric “request” that can be judged.",
            "Did you mean `requests`? Use `requests`, `target_5xx`, `unanswered`, `latency`, `share`, `alb_503`.",
        ),
        ("0,canary,requests,p50,1", "line 2", "`requests` has no statistic “p50”.", "Use `sum`: it is a count."),
        (
            "0,canary,latency,sum,1",
            "line 2",
            "`latency` has no statistic “sum”.",
            "Use `p50`, `p90`, `p95`, `p99` (in seconds), `sample_count`, or `within_0.3s` for the share within 0.3 s.",
        ),
        (
            "0,canary,latency,p95,NaN",
            "line 2",
            "“NaN” cannot be judged.",
            "Omit the line: a missing minute is not the same as 0.",
        ),
        (
            "0,canary,requests,sum,1\n0,canary,requests,sum,1",
            "line 3",
            "Duplicate: requests sum of canary for this minute is in line 2.",
            "Keep one line per minute; sum counts over target groups. Percentiles cannot be merged: use those of the "
            "whole fleet.",
        ),
        (
            "",
            "line 1",
            "No data.",
            f"Add one line per value below the header `ts,fleet,metric,stat,value`, for example `{EXAMPLE}`.",
        ),
    ],
)
def test_messages(text: str, title: str, expected: str, next_step: str) -> None:
    (issue,) = read_csv((HEAD + text).encode()).issues
    assert format_csv_issue(issue) == Message(title, expected, next_step, ANCHOR)


def test_a_wrong_separator() -> None:
    (issue,) = read_csv(HEAD.replace(",", ";").encode()).issues
    assert format_csv_issue(issue).text == "Columns are separated by semicolons."
    assert format_csv_issue(issue).next_step == f"Use commas as separators and a decimal point: `{EXAMPLE}`."


def test_each_code_has_a_message_and_the_example_is_valid() -> None:
    assert set(_TEXTS) == set(get_args(CsvIssueCode))
    assert read_csv((HEAD + EXAMPLE).encode()).issues == ()


def test_control_characters_are_removed() -> None:
    (issue,) = read_csv((HEAD + "0,evil \x1b[2J\u202e,requests,sum,1").encode()).issues
    assert format_csv_issue(issue).text == "Unknown fleet “evil [2J”."
