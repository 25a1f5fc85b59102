"""What several sources know of one change is one change."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.weight_changes import WeightChange, change_from_json, change_to_json, merge_weight_changes

RULE = "arn:listener-rule/1"
TEN = 36_000  # 10:00:00


def observed_change(since: int, ts: int, before: float | None, after: float) -> WeightChange:
    return WeightChange(TEN + ts, TEN + since, before, after, RULE, sources=("load_balancer",), key=f"{ts}:look")


def logged_change(
    ts: int, after: float | None, who: str = "naoko", rule: str = RULE, operation: str = "ModifyRule"
) -> WeightChange:
    return WeightChange(
        TEN + ts, TEN + ts, None, after, rule, operation, who, "console", ("cloudtrail",), f"{ts}:{who}"
    )


def merged_rows(
    *observed: WeightChange, first: tuple[int, float | None] | None = None
) -> list[tuple[int, str, str, int]]:
    found = merge_weight_changes(observed, {RULE}, first)
    return [(one.ts - TEN, one.title, one.author, len(one.sources)) for one in found]


def test_a_change_that_both_saw_is_one_with_the_exact_second_the_author_and_both_sources() -> None:
    (found,) = merge_weight_changes([observed_change(0, 15, 0.1, 0.25), logged_change(7, 0.25)], {RULE})
    assert (found.since - TEN, found.ts - TEN, found.before, found.after) == (7, 7, 0.1, 0.25)
    assert (found.author, found.tool, found.sources) == ("naoko", "console", ("cloudtrail", "load_balancer"))


def test_without_a_log_a_look_stands_for_itself_and_without_a_look_a_log_does() -> None:
    assert merged_rows(observed_change(0, 15, 0.1, 0.25)) == [(15, "10.0% → 25.0%", "", 1)]
    assert merged_rows(logged_change(7, 0.25)) == [(7, "? → 25.0%", "naoko", 1)]
    assert merged_rows(logged_change(7, 0.25), first=(TEN - 600, 0.1)) == [(7, "10.0% → 25.0%", "naoko", 1)]


def test_each_change_starts_from_what_the_one_before_it_told() -> None:
    assert merged_rows(logged_change(600, 0.5), logged_change(0, 0.1), logged_change(300, 0.25)) == [
        (0, "? → 10.0%", "naoko", 1),
        (300, "10.0% → 25.0%", "naoko", 1),
        (600, "25.0% → 50.0%", "naoko", 1),
    ]


def test_back_and_forth_between_two_looks_is_two_changes_that_only_the_log_knows() -> None:
    assert merged_rows(logged_change(3, 0.5), logged_change(9, 0.1), first=(TEN - 60, 0.1)) == [
        (3, "10.0% → 50.0%", "naoko", 1),
        (9, "50.0% → 10.0%", "naoko", 1),
    ]


def test_several_changes_between_two_looks_the_last_is_the_one_that_was_seen() -> None:
    assert merged_rows(observed_change(0, 86_400, 0.1, 0.5), logged_change(3600, 0.25), logged_change(7200, 0.5)) == [
        (3600, "10.0% → 25.0%", "naoko", 1),
        (7200, "25.0% → 50.0%", "naoko", 2),
    ]


def test_clocks_that_differ_do_not_make_two_of_one() -> None:
    for second in (-45, -1, 16, 60):
        assert merged_rows(observed_change(0, 15, 0.1, 0.25), logged_change(second, 0.25)) == [
            (second, "10.0% → 25.0%", "naoko", 2)
        ]
    assert len(merged_rows(observed_change(0, 15, 0.1, 0.25), logged_change(300, 0.25))) == 1, (
        "told again, and nothing changed"
    )
    assert merged_rows(observed_change(600, 615, 0.1, 0.25), logged_change(0, 0.25), first=(TEN - 60, 0.1))[0] == (
        0,
        "10.0% → 25.0%",
        "naoko",
        1,
    )


def test_the_old_share_that_a_slow_clock_still_saw_after_a_change_is_not_believed() -> None:
    assert merged_rows(
        observed_change(5, 20, 0.1, 0.5), logged_change(2, 0.25), logged_change(18, 0.5), first=(TEN - 60, 0.1)
    ) == [
        (2, "10.0% → 25.0%", "naoko", 1),
        (18, "25.0% → 50.0%", "naoko", 2),
    ]


def test_what_was_told_again_changes_nothing() -> None:
    assert merged_rows(logged_change(0, 0.25), logged_change(300, 0.25, "terraform"), first=(TEN - 60, 0.1)) == [
        (0, "10.0% → 25.0%", "naoko", 1)
    ]


def test_the_weights_of_other_rules_and_changes_of_something_else_are_no_steps() -> None:
    other, conditions = logged_change(5, 1.0, rule="arn:door"), replace(logged_change(9, None), affects_weights=False)
    assert merged_rows(logged_change(0, 0.25), other, conditions) == [(0, "? → 25.0%", "naoko", 1)]


def test_where_nobody_knows_the_split_it_is_what_was_told_a_share_for_both_sides() -> None:
    found = merge_weight_changes(
        [logged_change(0, 0.25), logged_change(5, 1.0, rule="arn:door"), logged_change(60, 0.0)]
    )
    assert [one.title for one in found] == ["? → 25.0%", "25.0% → 0.0%"]


def test_a_rule_that_is_deleted_leaves_a_share_that_nobody_knows() -> None:
    told = merged_rows(logged_change(0, 0.25), logged_change(60, None, operation="DeleteRule"), logged_change(90, 0.5))
    assert [title for _, title, _, _ in told] == ["? → 25.0%", "25.0% → ?", "? → 50.0%"]


SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5])


@given(st.lists(st.tuples(st.integers(0, 3000), SHARES, st.booleans()), max_size=8), st.randoms())
def test_changes_are_a_chain_however_they_are_heard_of(told: list[tuple[int, float, bool]], dice) -> None:  # type: ignore[no-untyped-def]
    """Each begins where the last one ended, and the order in which they are heard of does not matter."""
    observed = [logged_change(ts * 120, share, str(place)) for place, (ts, share, _) in enumerate(told)]
    found = merge_weight_changes(observed, {RULE})
    assert all(one.after == next_one.before for one, next_one in pairwise(found))
    assert all(one.before != one.after for one in found)
    dice.shuffle(observed)
    assert merge_weight_changes(observed, {RULE}) == found


SHARE_OR_NONE = st.none() | st.floats(0, 1)


@given(st.builds(WeightChange, before=SHARE_OR_NONE, after=SHARE_OR_NONE))
def test_what_the_archive_wrote_it_reads(change: WeightChange) -> None:
    assert change_from_json(change_to_json(change)) == change
