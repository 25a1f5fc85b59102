"""Answers by block of time and bucket of latency: nothing is lost, and few answers stay pale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.endpoints.heatmap import MAX_BLOCKS, MAX_BUCKETS, bucket_edges_ms
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
    assert ecs.counts[1, 0] == 40, "the logarithmic axis begins at 1 ms"
    assert ec2.p50.tolist() == pytest.approx([0.01, np.nan], nan_ok=True)


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
