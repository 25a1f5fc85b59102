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
            "“2026-11-23T20:17:00” does not say in which time zone it is.",
            "Add the zone, `Z` for UTC or an offset like `+09:00`: `2026-11-23T20:17:00Z`.",
        ),
        (
            "0,ECS,requests,sum,1",
            "line 2",
            "There is no fleet “ECS”.",
            "Write `baseline` for the old side and `canary` for the new one.",
        ),
        (
            "0,canary,request,sum,1",
            "line 2",
            "There is no metric “request” to judge.",
            "Did you mean `requests`? There are `requests`, `target_5xx`, `unanswered`, `latency`, `share`, `alb_503`.",
        ),
        ("0,canary,requests,p50,1", "line 2", "`requests` has no statistic “p50”.", "Write `sum`: it is a count."),
        (
            "0,canary,latency,sum,1",
            "line 2",
            "`latency` has no statistic “sum”.",
            "Write `p50`, `p90`, `p95`, `p99` (in seconds), `sample_count`, or `within_0.3s` for the share within 0.3 s.",
        ),
        (
            "0,canary,latency,p95,NaN",
            "line 2",
            "“NaN” is no value that can be judged.",
            "Leave the line out: a minute that is not there is not the same as 0.",
        ),
        (
            "0,canary,requests,sum,1\n0,canary,requests,sum,1",
            "line 3",
            "requests sum of canary in this minute stands in line 2 already.",
            "Keep one line a minute; sum counts over target groups. Percentiles cannot be merged: take those of the whole fleet.",
        ),
        (
            "",
            "line 1",
            "There are no numbers in it.",
            f"Below the header `ts,fleet,metric,stat,value` write one line a number, for example `{EXAMPLE}`.",
        ),
    ],
)
def test_messages(text: str, title: str, expected: str, next_step: str) -> None:
    (issue,) = read_csv((HEAD + text).encode()).issues
    assert format_csv_issue(issue) == Message(title, expected, next_step, ANCHOR)


def test_a_wrong_separator() -> None:
    (issue,) = read_csv(HEAD.replace(",", ";").encode()).issues
    assert format_csv_issue(issue).text == "Its columns are separated by semicolons."
    assert (
        format_csv_issue(issue).next_step == f"Separate them by commas, and write decimals with a point: `{EXAMPLE}`."
    )


def test_each_code_has_a_message_and_the_example_is_valid() -> None:
    assert set(_TEXTS) == set(get_args(CsvIssueCode))
    assert read_csv((HEAD + EXAMPLE).encode()).issues == ()


def test_control_characters_are_removed() -> None:
    (issue,) = read_csv((HEAD + "0,evil \x1b[2J\u202e,requests,sum,1").encode()).issues
    assert format_csv_issue(issue).text == "There is no fleet “evil [2J”."
