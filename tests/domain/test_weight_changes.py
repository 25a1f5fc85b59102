"""Observations of a weight change by several sources are merged into one."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.serialization import from_json, to_json
from domain.weight_changes import WeightChange, merge_weight_changes

RULE = "arn:listener-rule/1"
TEN = 36_000  # 10:00:00


def observed_change(since: int, ts: int, before: float | None, after: float) -> WeightChange:
    return WeightChange(TEN + ts, TEN + since, before, after, RULE, sources=("load_balancer",), key=f"{ts}:snapshot")


def logged_change(
    ts: int, after: float | None, author: str = "naoko", rule: str = RULE, operation: str = "ModifyRule"
) -> WeightChange:
    return WeightChange(
        TEN + ts, TEN + ts, None, after, rule, operation, author, "console", ("cloudtrail",), f"{ts}:{author}"
    )


def merged_rows(
    *observed: WeightChange, initial: tuple[int, float | None] | None = None
) -> list[tuple[int, str, str, int]]:
    changes = merge_weight_changes(observed, {RULE}, initial)
    return [(change.ts - TEN, change.title, change.author, len(change.sources)) for change in changes]


def test_a_change_in_snapshots_and_in_the_log_has_the_time_author_and_both_sources() -> None:
    (change,) = merge_weight_changes([observed_change(0, 15, 0.1, 0.25), logged_change(7, 0.25)], {RULE})
    assert (change.since - TEN, change.ts - TEN, change.before, change.after) == (7, 7, 0.1, 0.25)
    assert (change.author, change.tool, change.sources) == ("naoko", "console", ("cloudtrail", "load_balancer"))


def test_changes_from_a_single_source() -> None:
    assert merged_rows(observed_change(0, 15, 0.1, 0.25)) == [(15, "10.0% → 25.0%", "", 1)]
    assert merged_rows(logged_change(7, 0.25)) == [(7, "? → 25.0%", "naoko", 1)]
    assert merged_rows(logged_change(7, 0.25), initial=(TEN - 600, 0.1)) == [(7, "10.0% → 25.0%", "naoko", 1)]


def test_a_change_starts_from_the_share_of_the_one_before() -> None:
    assert merged_rows(logged_change(600, 0.5), logged_change(0, 0.1), logged_change(300, 0.25)) == [
        (0, "? → 10.0%", "naoko", 1),
        (300, "10.0% → 25.0%", "naoko", 1),
        (600, "25.0% → 50.0%", "naoko", 1),
    ]


def test_back_and_forth_between_two_snapshots_is_two_logged_changes() -> None:
    assert merged_rows(logged_change(3, 0.5), logged_change(9, 0.1), initial=(TEN - 60, 0.1)) == [
        (3, "10.0% → 50.0%", "naoko", 1),
        (9, "50.0% → 10.0%", "naoko", 1),
    ]


def test_of_several_changes_between_two_snapshots_the_last_was_observed() -> None:
    assert merged_rows(observed_change(0, 86_400, 0.1, 0.5), logged_change(3600, 0.25), logged_change(7200, 0.5)) == [
        (3600, "10.0% → 25.0%", "naoko", 1),
        (7200, "25.0% → 50.0%", "naoko", 2),
    ]


def test_clock_skew_does_not_duplicate_a_change() -> None:
    for second in (-45, -1, 16, 60):
        assert merged_rows(observed_change(0, 15, 0.1, 0.25), logged_change(second, 0.25)) == [
            (second, "10.0% → 25.0%", "naoko", 2)
        ]
    assert len(merged_rows(observed_change(0, 15, 0.1, 0.25), logged_change(300, 0.25))) == 1, (
        "configured again without a change"
    )
    assert merged_rows(observed_change(600, 615, 0.1, 0.25), logged_change(0, 0.25), initial=(TEN - 60, 0.1))[0] == (
        0,
        "10.0% → 25.0%",
        "naoko",
        1,
    )


def test_an_old_share_shortly_after_a_change_is_ignored() -> None:
    assert merged_rows(
        observed_change(5, 20, 0.1, 0.5), logged_change(2, 0.25), logged_change(18, 0.5), initial=(TEN - 60, 0.1)
    ) == [
        (2, "10.0% → 25.0%", "naoko", 1),
        (18, "25.0% → 50.0%", "naoko", 2),
    ]


def test_equal_weights_are_no_change() -> None:
    assert merged_rows(logged_change(0, 0.25), logged_change(300, 0.25, "terraform"), initial=(TEN - 60, 0.1)) == [
        (0, "10.0% → 25.0%", "naoko", 1)
    ]


def test_changes_of_other_rules_and_of_conditions_are_ignored() -> None:
    other, conditions = logged_change(5, 1.0, rule="arn:other"), replace(logged_change(9, None), affects_weights=False)
    assert merged_rows(logged_change(0, 0.25), other, conditions) == [(0, "? → 25.0%", "naoko", 1)]


def test_without_known_rules_those_with_both_fleets_count() -> None:
    changes = merge_weight_changes(
        [logged_change(0, 0.25), logged_change(5, 1.0, rule="arn:other"), logged_change(60, 0.0)]
    )
    assert [change.title for change in changes] == ["? → 25.0%", "25.0% → 0.0%"]


def test_the_share_after_a_deletion_is_unknown() -> None:
    rows = merged_rows(logged_change(0, 0.25), logged_change(60, None, operation="DeleteRule"), logged_change(90, 0.5))
    assert [title for _, title, _, _ in rows] == ["? → 25.0%", "25.0% → ?", "? → 50.0%"]


SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5])


@given(st.lists(st.tuples(st.integers(0, 3000), SHARES, st.booleans()), max_size=8), st.randoms())
def test_changes_are_a_chain_in_any_order_of_observation(steps: list[tuple[int, float, bool]], dice) -> None:  # type: ignore[no-untyped-def]
    """Each change starts from the share of the previous one."""
    observed = [logged_change(ts * 120, share, str(index)) for index, (ts, share, _) in enumerate(steps)]
    changes = merge_weight_changes(observed, {RULE})
    assert all(change.after == following.before for change, following in pairwise(changes))
    assert all(change.before != change.after for change in changes)
    dice.shuffle(observed)
    assert merge_weight_changes(observed, {RULE}) == changes


SHARE_OR_NONE = st.none() | st.floats(0, 1)


@given(st.builds(WeightChange, before=SHARE_OR_NONE, after=SHARE_OR_NONE))
def test_json_round_trip(change: WeightChange) -> None:
    assert from_json(WeightChange, to_json(change)) == change
