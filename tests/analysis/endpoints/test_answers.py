"""What was answered: half the bytes and other statuses are findings; kinds of responses are not mixed."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.endpoints.answers import Answers, ShareRow, SizeRow, compare_answers
from domain.log_counts import SIZES
from tests.factories.log_counts import EC2, ECS, FLEET_OF, HOST, START, first_minutes

WINDOW = first_minutes(60)


def size_rows(
    group: str, n: int, mean: float, *, minutes: int = 60, seed: int = 1, **columns: Any
) -> list[dict[str, Any]]:
    """`n` responses a minute of about `mean` bytes."""
    rng = np.random.default_rng(seed + (group == ECS))
    row = {
        "host": HOST,
        "method": "GET",
        "route": "/albums",
        "target_group": group,
        "elb_status": 200,
        "protocol": "h2",
    }
    return [
        {
            **row,
            "minute": START + minute * 60,
            "n": n,
            "bytes": int(n * mean * rng.uniform(0.9, 1.1)),
            **columns,
        }
        for minute in range(minutes)
    ]


def answers(*parts: list[dict[str, Any]], **options: Any) -> Answers:
    rows = [row for part in parts for row in part]
    return compare_answers(pa.Table.from_pylist(rows, SIZES), FLEET_OF, WINDOW, **options)


def test_equal_status_and_half_the_bytes_is_a_finding() -> None:
    result = answers(size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 12_000))
    (finding,) = result.findings
    row = finding.row
    assert isinstance(row, SizeRow)
    assert (finding.kind, row.route, row.method, row.status, row.body) == ("size", "/albums", "GET", 200, "body")
    assert row.requests == {"baseline": 1200, "canary": 1200}
    assert row.ratio == pytest.approx(0.5, abs=0.02)
    assert finding.judged.estimate == pytest.approx(-12_000, rel=0.03)


def test_larger_responses_are_a_finding_too_and_equal_ones_are_none() -> None:
    assert len(answers(size_rows(EC2, 20, 12_000), size_rows(ECS, 20, 24_000)).findings) == 1
    same = answers(size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 23_000))
    assert (same.findings, same.compared) == ((), 3)


@pytest.mark.parametrize(
    ("columns", "body"),
    [
        ({"method": "HEAD"}, "head"),
        ({"elb_status": 204}, "empty"),
        ({"elb_status": 304}, "empty"),
        ({"elb_status": 206}, "part"),
    ],
)
def test_other_kinds_of_responses_are_not_mixed_with_bodies(columns: dict[str, Any], body: str) -> None:
    """The mean over all responses differs by a third, as the canary has fewer of the small ones; each kind has the same size."""
    parts = [size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 24_000)]
    result = answers(*parts, size_rows(EC2, 20, 200, **columns), size_rows(ECS, 20, 200, **columns))
    assert result.findings == ()
    assert sorted(row.body for row in result.sizes) == sorted(("body", body))


def test_redirects_in_place_of_pages_are_a_finding() -> None:
    ok, redirect = size_rows(EC2, 20, 24_000), size_rows(ECS, 6, 300, elb_status=302)
    (finding,) = answers(ok, size_rows(ECS, 14, 24_000), redirect).findings
    row = finding.row
    assert isinstance(row, ShareRow)
    assert (finding.kind, row.value, row.difference) == ("status", "302", pytest.approx(0.3))
    assert row.requests == {"baseline": 0, "canary": 360}
    assert row.all_requests == {"baseline": 1200, "canary": 1200}


def test_a_rate_of_5xx_is_left_to_the_criteria() -> None:
    failed = size_rows(ECS, 6, 300, elb_status=502)
    assert answers(size_rows(EC2, 20, 24_000), size_rows(ECS, 14, 24_000), failed).findings == ()


def test_the_size_of_an_error_page_is_no_finding() -> None:
    ok = size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 24_000)
    pages = size_rows(EC2, 3, 300, elb_status=502), size_rows(ECS, 3, 3_000, elb_status=502)
    result = answers(*ok, *pages)
    assert result.findings == ()
    assert [row.ratio for row in result.sizes if row.status == 502] == [pytest.approx(10, rel=0.05)]


def test_a_difference_that_may_be_within_the_margin_is_no_finding() -> None:
    """Twelve minutes in which the canary's mean is 5% to 90% higher."""
    canary = size_rows(ECS, 20, 12_000, minutes=12)
    for number, row in enumerate(canary):
        row["bytes"] = int(row["bytes"] * (1.05, 1.9, 1.2)[number % 3])
    result = answers(size_rows(EC2, 20, 12_000, minutes=12), canary)
    assert result.sizes[0].ratio and result.sizes[0].ratio > 1.3
    assert result.findings == ()


def test_another_protocol_is_a_finding() -> None:
    https = size_rows(ECS, 10, 24_000, protocol="https")
    (finding,) = answers(size_rows(EC2, 20, 24_000), size_rows(ECS, 10, 24_000), https).findings
    assert isinstance(finding.row, ShareRow)
    assert (finding.kind, finding.row.value) == ("protocol", "https")


def test_configured_routes_and_rare_ones_are_not_judged() -> None:
    parts = size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 12_000)
    result = answers(*parts, excluded=["/albums", "/other"])
    assert (result.findings, result.excluded) == ((), ("/albums",))
    assert answers(size_rows(EC2, 1, 24_000), size_rows(ECS, 1, 12_000)).compared == 0


def test_answers_of_one_route() -> None:
    other = {"route": "/other"}
    parts = size_rows(EC2, 20, 24_000), size_rows(ECS, 20, 12_000)
    result = answers(*parts, size_rows(EC2, 20, 24_000, **other), size_rows(ECS, 20, 24_000, **other))
    assert {row.route for row in (*result.sizes, *result.shares)} == {"/albums", "/other"}
    assert {row.route for row in (*result.of("/albums").sizes, *result.of("/albums").shares)} == {"/albums"}
    assert (len(result.of("/albums").findings), result.of("/other").findings) == (1, ())


def test_without_lines_there_are_no_answers() -> None:
    assert answers([]) == Answers()
