"""Rows as arrays: which resolution stands, and what an answer replaces."""

import numpy as np

from archive.metrics import rows
from domain import assemble, check_frame, empty_frame
from sources.base import Answer
from tests.fakes.metric_source import EC2, ECS, LATENCY, NOON, span


def of(*points: tuple[int, int, int, float]) -> rows.Rows:
    """Rows of (code, minute after noon, period in minutes, value)."""
    code, minute, period, value = (np.array(column) for column in zip(*points, strict=True))
    return rows.Rows(code, NOON + minute * 60, period * 60, value.astype(float))


def listed(found: rows.Rows) -> list[tuple[int, int, int, float]]:
    columns = (found.code, (found.ts - NOON) // 60, found.period_s // 60, found.value)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_fine_rows_replace_a_coarse_one_only_where_they_cover_all_of_it():
    found = of(
        *((0, minute, 1, 1.0) for minute in (0, 1, 4, 5, 6, 7)),
        (0, 0, 5, 30.0),
        (0, 5, 5, 50.0),
        (0, 10, 5, 70.0),
    )
    kept = rows.finest(found, {0: {60: (span(0, 8),), 300: (span(0, 15),)}})
    assert listed(kept) == [(0, 0, 1, 1.0), (0, 1, 1, 1.0), (0, 4, 1, 1.0), (0, 5, 5, 50.0), (0, 10, 5, 70.0)]


def test_three_resolutions_are_settled_from_the_finest_up():
    found = of((0, 0, 60, 9.0), (0, 0, 5, 5.0), (0, 5, 5, 5.0), (0, 0, 1, 1.0), (1, 0, 60, 9.0))
    covered = {0: {60: (span(0, 5),), 300: (span(5, 60),)}, 1: {3600: (span(0, 60),)}}
    assert listed(rows.finest(found, covered)) == [(0, 0, 1, 1.0), (0, 5, 5, 5.0), (1, 0, 60, 9.0)]


def test_an_answer_replaces_all_of_its_series_in_its_window_and_period():
    below = of((0, 0, 1, 1.0), (0, 1, 1, 1.0), (0, 2, 1, 1.0), (0, 0, 5, 5.0), (1, 1, 1, 1.0))
    frame = assemble((ECS, EC2), np.array([1, 0]), NOON + np.array([60, 120]), np.array([7.0, 8.0]), 60)
    kept = rows.overlaid(below, (EC2, ECS), frame, (Answer(frozenset({EC2, LATENCY}), span(1, 3), 60),))
    assert listed(kept) == [(0, 0, 1, 1.0), (0, 0, 5, 5.0), (0, 1, 1, 7.0), (1, 1, 1, 1.0), (1, 2, 1, 8.0)]


def test_a_frame_and_its_rows_say_the_same():
    frame = assemble((LATENCY, ECS), np.array([0, 1, 0]), NOON + np.array([0, 0, 300]), np.array([0.5, 3, 0.25]), 300)
    series, found = rows.of_frame(frame)
    assert {series[code]: value for code, minute, _, value in listed(found) if minute == 0} == {ECS: 3.0, LATENCY: 0.5}
    back = check_frame(found.frame(series))
    assert back["value"].tolist() == [0.5, 3, 0.25]
    assert rows.of_frame(empty_frame())[0] == ()


def test_codes_follow_the_order_of_the_ids_not_their_size():
    found = rows.fetched([(9, NOON, 60, 1.0), (4, NOON, 60, 2.0)], [9, 2, 4])
    assert listed(found) == [(0, 0, 1, 1.0), (2, 0, 1, 2.0)]
    assert len(rows.fetched([], [9, 2])) == 0
