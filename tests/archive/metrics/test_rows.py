"""Rows as arrays: the choice of a resolution, and how answers replace rows."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archive.metrics import rows
from domain import assemble, check_frame, empty_frame
from sources.base import AnsweredRange
from tests.fakes.metric_source import EC2, ECS, LATENCY, NOON, minute_window


def create_rows(*points: tuple[int, int, int, float]) -> rows.Rows:
    """Rows of (code, minute after noon, period in minutes, value)."""
    code, minute, period, value = (np.array(column) for column in zip(*points, strict=True))
    return rows.Rows(code, NOON + minute * 60, period * 60, value.astype(float))


def as_tuples(points: rows.Rows) -> list[tuple[int, int, int, float]]:
    columns = (points.code, (points.ts - NOON) // 60, points.period_s // 60, points.value)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_fine_rows_replace_a_coarse_one_only_if_they_cover_all_of_it():
    points = create_rows(
        *((0, minute, 1, 1.0) for minute in (0, 1, 4, 5, 6, 7)),
        (0, 0, 5, 30.0),
        (0, 5, 5, 50.0),
        (0, 10, 5, 70.0),
    )
    result = rows.finest_resolution(points, {0: {60: (minute_window(0, 8),), 300: (minute_window(0, 15),)}})
    assert as_tuples(result) == [(0, 0, 1, 1.0), (0, 1, 1, 1.0), (0, 4, 1, 1.0), (0, 5, 5, 50.0), (0, 10, 5, 70.0)]


def test_three_resolutions_are_decided_from_the_finest_up():
    points = create_rows((0, 0, 60, 9.0), (0, 0, 5, 5.0), (0, 5, 5, 5.0), (0, 0, 1, 1.0), (1, 0, 60, 9.0))
    covered = {0: {60: (minute_window(0, 5),), 300: (minute_window(5, 60),)}, 1: {3600: (minute_window(0, 60),)}}
    assert as_tuples(rows.finest_resolution(points, covered)) == [(0, 0, 1, 1.0), (0, 5, 5, 5.0), (1, 0, 60, 9.0)]


MINUTES = st.integers(0, 40)
SPANS = st.tuples(MINUTES, MINUTES).filter(lambda span: span[0] < span[1])


@given(st.lists(MINUTES, min_size=1), st.lists(SPANS), SPANS)
def test_one_period_is_served_where_it_has_rows_or_an_answer(minutes, spans, window):
    points = create_rows(*((0, minute, 1, 1.0) for minute in sorted(minutes)))
    covered = [minute_window(*span) for span in spans]
    served = rows.resolutions(points, {60: covered}, minute_window(*window))
    expected = {minute for minute in range(*window) if minute in minutes or any(a <= minute < b for a, b in spans)}
    assert {
        minute for part, _ in served for minute in range((part.start - NOON) // 60, (part.end - NOON) // 60)
    } == expected
    assert all(earlier.end < later.start for (earlier, _), (later, _) in pairwise(served))
    # Another period without rows and answers changes nothing.
    assert served == rows.resolutions(points, {60: covered, 300: ()}, minute_window(*window))


def test_an_answer_replaces_all_of_its_series_in_its_window_and_period():
    before = create_rows((0, 0, 1, 1.0), (0, 1, 1, 1.0), (0, 2, 1, 1.0), (0, 0, 5, 5.0), (1, 1, 1, 1.0))
    frame = assemble((ECS, EC2), np.array([1, 0]), NOON + np.array([60, 120]), np.array([7.0, 8.0]), 60)
    result = rows.apply_answers(
        before, (EC2, ECS), frame, (AnsweredRange(frozenset({EC2, LATENCY}), minute_window(1, 3), 60),)
    )
    assert as_tuples(result) == [(0, 0, 1, 1.0), (0, 0, 5, 5.0), (0, 1, 1, 7.0), (1, 1, 1, 1.0), (1, 2, 1, 8.0)]


def test_a_frame_survives_the_conversion_to_rows():
    frame = assemble((LATENCY, ECS), np.array([0, 1, 0]), NOON + np.array([0, 0, 300]), np.array([0.5, 3, 0.25]), 300)
    series, points = rows.rows_from_frame(frame)
    assert {series[code]: value for code, minute, _, value in as_tuples(points) if minute == 0} == {
        ECS: 3.0,
        LATENCY: 0.5,
    }
    back = check_frame(points.frame(series))
    assert back["value"].tolist() == [0.5, 3, 0.25]
    assert rows.rows_from_frame(empty_frame())[0] == ()


def test_codes_are_positions_in_the_ids():
    ids_and_values = rows.Rows(np.array([9, 4]), np.array([NOON, NOON]), np.array([60, 60]), np.array([1.0, 2.0]))
    records = zip(ids_and_values.key().tolist(), ids_and_values.value.tolist(), strict=True)
    points = rows.rows_from_sql(records, [9, 2, 4])
    assert as_tuples(points) == [(0, 0, 1, 1.0), (2, 0, 1, 2.0)]
    assert len(rows.rows_from_sql([], [9, 2])) == 0
