"""Answers by block of time and bucket of latency: nothing is lost, and few answers stay pale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.endpoints.heatmap import MAX_BLOCKS, MAX_BUCKETS, all_routes_heatmap, bucket_edges_ms
from analysis.endpoints.route import route_detail
from domain import Window
from domain.log_counts import NO_STATUS, UNANSWERED_MS
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, count_row, count_table, first_minutes

ROWS = [
    count_row(EC2, 90, ms=10),
    count_row(EC2, 10, ms=95),
    count_row(EC2, 5, minute=1, ms=10),
    count_row(ECS, 40, minute=1, ms=0),
    count_row(ECS, 7, minute=1, elb=502, target=NO_STATUS, ms=UNANSWERED_MS),
]


def test_answers_are_counted_by_block_and_bucket() -> None:
    heatmap = route_detail(count_table(ROWS), FLEET_OF, first_minutes(2), "/").heatmap
    assert heatmap and heatmap.block_s == 60 and heatmap.ts.tolist() == [START, START + 60]
    ec2, ecs = heatmap.fleets["baseline"], heatmap.fleets["canary"]
    assert ec2.answers.tolist() == [100, 5] and ecs.answers.tolist() == [0, 40]
    ten = int(np.searchsorted(heatmap.edges_ms, 10, side="right")) - 1
    assert ec2.counts[:, ten].tolist() == [90, 5] and ec2.counts[:, -1].tolist() == [10, 0]
    assert ecs.counts[1, 0] == 40 and heatmap.edges_ms[0] == 1, "the logarithmic axis begins at 1 ms"
    assert ec2.p50.tolist() == pytest.approx([0.01, np.nan], nan_ok=True)
    assert ec2.p95.tolist() == pytest.approx([0.095, np.nan], nan_ok=True)


def test_blocks_are_aligned_to_the_clock_and_the_window_cuts_the_first() -> None:
    start = START - START % 600 + 240
    minute = (start - START) // 60
    rows = [count_row(EC2, 30, minute=minute), count_row(EC2, 50, minute=minute + 700)]
    heatmap = route_detail(count_table(rows), FLEET_OF, Window(start, start + 12 * 3600), "/").heatmap
    assert heatmap and heatmap.block_s == 600
    assert heatmap.ts[:2].tolist() == [start - 240, start + 360]
    assert np.flatnonzero(heatmap.fleets["baseline"].answers).tolist() == [0, 70]


def test_all_routes_together_are_one_heatmap() -> None:
    rows = [*ROWS, count_row(ECS, 30, minute=1, ms=10, route="/b"), count_row("strange", 99, minute=1, ms=9000)]
    counts, window = count_table(rows), first_minutes(3)
    both = all_routes_heatmap(counts, FLEET_OF, window)
    assert both and both.ts.tolist() == [START, START + 60], "the last minute has no rows: it may not be counted yet"
    assert {fleet: values.answers.tolist() for fleet, values in both.fleets.items()} == {
        "baseline": [100, 5],
        "canary": [0, 70],
    }
    of_one = route_detail(counts, FLEET_OF, window, "/").heatmap
    assert of_one and both.edges_ms.tolist() == of_one.edges_ms.tolist()
    for name in ("counts", "p50", "p95"):
        np.testing.assert_array_equal(getattr(both.fleets["baseline"], name), getattr(of_one.fleets["baseline"], name))
    early = all_routes_heatmap(counts, FLEET_OF, first_minutes(1))
    assert early and early.fleets["baseline"].answers.tolist() == [100]
    assert all_routes_heatmap(count_table(ROWS[-1:]), FLEET_OF, window) is None
    assert all_routes_heatmap(counts, FLEET_OF, Window(START + 600, START + 1200)) is None


def test_few_answers_are_shares_of_twenty() -> None:
    heatmap = route_detail(count_table(ROWS), FLEET_OF, first_minutes(2), "/").heatmap
    assert heatmap and heatmap.fleets["baseline"].shares.max(axis=1).tolist() == [0.9, 0.25]
    assert heatmap.fleets["canary"].shares.max(axis=1).tolist() == [0.0, 1.0]


@given(lowest=st.integers(1, 60_000), factor=st.integers(1, 60_000))
def test_each_latency_lies_in_one_of_few_buckets(lowest: int, factor: int) -> None:
    edges = bucket_edges_ms(lowest, lowest * factor)
    assert edges[0] <= lowest and lowest * factor < edges[-1]
    assert 1 <= len(edges) - 1 <= MAX_BUCKETS and (np.diff(edges) > 0).all()


@pytest.mark.parametrize("minutes", [2, 59, 120, 721, 1440, 14 * 1440])
def test_a_long_window_has_no_more_blocks(minutes: int) -> None:
    rows = [count_row(EC2, 1), count_row(EC2, 1, minute=minutes - 1)]
    window = Window(START - 60, START + (minutes - 1) * 60)
    heatmap = route_detail(count_table(rows), FLEET_OF, window, "/").heatmap
    assert heatmap and len(heatmap.ts) <= MAX_BLOCKS


def test_without_answers_there_is_no_heatmap() -> None:
    assert route_detail(count_table(ROWS[-1:]), FLEET_OF, first_minutes(2), "/").heatmap is None
