"""What to ask, worked out without a database."""

import pytest

from archive.metrics.fetch_plan import UNKNOWN, Ask, Known, LiveEdge, Refusal, asks, due_in_s, learnt, tiers
from domain import Window
from sources.base import Answer
from tests.fakes.metric_source import EC2, ECS, HOURLY, LATENCY, NOON, span, spans

EDGE = LiveEdge(NOON, settle_s=900)


def minute_by_minute(_start: int) -> int:
    return 60


def planned(window: Window, known, *, edge: LiveEdge = EDGE, finest=minute_by_minute, longest: int = 1440):
    return asks(window, (EC2, ECS, LATENCY), known, edge, finest, longest=longest)


def covered(first: int, end: int, **more) -> Known:
    return Known({60: (span(first, end),)}, **more)


def test_series_that_lack_the_same_are_asked_together_and_no_series_for_more_than_it_lacks():
    known = {EC2: covered(-60, -15), ECS: covered(-60, -15), LATENCY: covered(-30, -15)}
    assert planned(span(-60, -15), known) == (Ask((LATENCY,), span(-60, -30), 60),)
    assert planned(span(-60, 0), known) == (
        Ask((EC2, ECS, LATENCY), span(-15, 0), 60),
        Ask((LATENCY,), span(-60, -30), 60),
    )


def test_long_windows_are_cut_from_the_newest_end_and_the_unsettled_minutes_never():
    pieces = planned(span(-400, 0), {}, longest=180)
    assert spans(ask.window for ask in pieces) == [(-180, 0), (-360, -180), (-400, -360)]
    slow = LiveEdge(NOON, settle_s=240 * 60)
    pieces = planned(span(-400, 0), {}, longest=180, edge=slow)
    assert spans(ask.window for ask in pieces) == [(-300, 0), (-400, -300)]


def test_a_period_that_is_not_over_waits():
    edge = LiveEdge(NOON + 170, settle_s=900)
    (ask,) = planned(span(-10, 2), {}, edge=edge, finest=lambda _: 300)
    assert ask == Ask((EC2, ECS, LATENCY), span(-15, 0), 300)


def test_while_a_coarse_source_waits_its_open_period_is_not_asked_either():
    known = {one: Known({300: (span(-60, -15),)}, asked_at=NOON) for one in (EC2, ECS, LATENCY)}
    edge = LiveEdge(NOON + 30, settle_s=900 - 120)
    assert planned(span(-60, 0), known, edge=edge, finest=lambda _: 300) == ()


def test_finer_coverage_satisfies_a_coarser_want_but_not_the_other_way_round():
    known = {one: covered(-120, -60) for one in (EC2, ECS, LATENCY)}
    assert planned(span(-120, -60), known, finest=lambda _: 300) == ()
    known = {one: Known({300: (span(-120, -60),)}) for one in (EC2, ECS, LATENCY)}
    assert spans(ask.window for ask in planned(span(-120, -60), known)) == [(-120, -60)]


@pytest.mark.parametrize(("border", "parts"), [(-60, [(-120, -60), (-60, 0)]), (-119, [(-120, -119), (-119, 0)])])
def test_a_window_is_cut_where_the_finest_period_changes(border: int, parts: list[tuple[int, int]]):
    found = tiers(span(-120, 0), lambda start: 60 if start >= NOON + border * 60 else 300)
    assert spans(window for window, _ in found) == parts
    assert [period_s for _, period_s in found] == [300, 60]


def test_the_waits_double_up_to_a_quarter_of_an_hour():
    waits = [Refusal(span(-1, 0), failures, NOON).again_at - NOON for failures in range(1, 8)]
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_a_series_is_not_blamed_for_a_source_that_answers_nothing():
    ask = Ask((EC2,), span(-60, 0), 60)
    known = UNKNOWN
    for _ in range(3):
        known = learnt(known, EC2, ask, (), EDGE, wholesale=True)
    assert known.refusals == (Refusal(span(-60, 0), 1, NOON),)
    known = learnt(known, EC2, ask, (), EDGE, wholesale=False)
    assert known.refusals == (Refusal(span(-60, 0), 2, NOON),)


def test_coverage_ends_where_settled_time_ends_and_grows_together():
    ask = Ask((EC2,), span(-60, 0), 60)
    known = learnt(UNKNOWN, EC2, ask, (Answer(frozenset({EC2}), span(-60, 0), 60),), EDGE, wholesale=False)
    assert known == Known({60: (span(-60, -15),)}, NOON, ())
    earlier = Ask((EC2,), span(-90, -60), 60)
    answer = Answer(frozenset({EC2}), span(-90, -60), 60)
    assert learnt(known, EC2, earlier, (answer,), EDGE, wholesale=False).covered == {60: (span(-90, -15),)}


def test_an_answer_in_part_leaves_the_rest_refused():
    ask = Ask((EC2,), span(-60, 0), 60)
    known = learnt(UNKNOWN, EC2, ask, (Answer(frozenset({EC2}), span(-40, 0), 60),), EDGE, wholesale=False)
    assert known.covered == {60: (span(-40, -15),)}
    assert known.refusals == (Refusal(span(-60, -40), 1, NOON),)


def test_an_answer_to_the_newest_minutes_does_not_shorten_the_wait_for_an_old_hole():
    before = Known(refusals=(Refusal(span(-60, 0), 3, NOON - 60),))
    ask = Ask((EC2,), span(-15, 0), 60)
    known = learnt(before, EC2, ask, (Answer(frozenset({EC2}), span(-15, 0), 60),), EDGE, wholesale=False)
    assert known.refusals == (Refusal(span(-60, -15), 3, NOON - 60),)


def test_an_answer_coarser_than_was_asked_for_does_not_make_it_ask_for_ever():
    ask = Ask((EC2,), span(-60, -30), 60)
    known = learnt(UNKNOWN, EC2, ask, (Answer(frozenset({EC2}), span(-60, -30), 300),), EDGE, wholesale=False)
    assert asks(span(-60, -30), (EC2,), {EC2: known}, EDGE, minute_by_minute) == ()


def test_when_the_newest_minutes_are_due_again():
    edge = LiveEdge(NOON + 20, settle_s=900)
    assert due_in_s((EC2,), {}, edge) == 0
    assert due_in_s((EC2,), {EC2: Known(asked_at=NOON)}, edge) == 40
    assert due_in_s((EC2,), {EC2: Known(asked_at=NOON + 3600)}, edge) == 0
    refused = Known(refusals=(Refusal(span(-60, 0), 2, NOON),))
    assert due_in_s((EC2,), {EC2: refused}, edge) == 100
    assert due_in_s((EC2, ECS), {EC2: refused, ECS: Known(asked_at=NOON)}, edge) == 40


def test_hourly_series_are_asked_for_settled_whole_hours_inside_the_window_each_once():
    known = {EC2: covered(-240, -15, asked_at=NOON)}
    late = LiveEdge(NOON + 14 * 60, settle_s=900)  # the hour that ended at noon is not settled yet
    assert asks(span(-200, 0), (HOURLY,), known, late, minute_by_minute) == (Ask((HOURLY,), span(-180, -60), 3600),)
    later = LiveEdge(NOON + 15 * 60, settle_s=900)
    assert asks(span(-200, 0), (HOURLY,), known, later, minute_by_minute) == (Ask((HOURLY,), span(-180, 0), 3600),)
    known = {HOURLY: Known({3600: (span(-180, 0),)})}
    assert asks(span(-200, 0), (HOURLY,), known, later, minute_by_minute) == ()
    assert asks(span(-50, -10), (HOURLY,), {}, later, minute_by_minute) == ()
    assert asks(span(-500, -300), (HOURLY,), {}, later, lambda _: 0) == ()
    (middle,) = asks(span(-500, -300), (HOURLY,), {}, later, lambda _: 300)
    assert middle == Ask((HOURLY,), span(-480, -300), 3600)


def test_an_hourly_series_makes_nobody_ask_sooner():
    known = {EC2: covered(-60, -15, asked_at=NOON)}
    assert due_in_s((EC2, HOURLY), known, EDGE) == 60
