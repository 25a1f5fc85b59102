"""Why: the bad target, user agent or zone is named first; a value that both fleets have in common, or chance, is not."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.endpoints.why import MIN_EVENTS, Side, Why, counted_traits, explain
from domain.log_counts import FAILED, TRAITS
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, count_row, count_table


def trait_rows(group: str, trait: str, requests: dict[str, int], failed: dict[str, int]) -> list[dict[str, Any]]:
    """Twelve blocks with the same requests, of which some failed."""
    row = {"target_group": group, "trait": trait}
    return [
        {**row, "minute": START + block * 300, "value": value, "outcome": outcome, "n": n}
        for block in range(12)
        for value in requests
        for outcome, n in ((FAILED, failed.get(value, 0)), (50, requests[value] - failed.get(value, 0)))
        if n
    ]


def counts(group: str, requests: int, failed: int, **of_failed: Any) -> list[dict[str, Any]]:
    """The counts that agree with `trait_rows`: in every fifth minute."""
    rows = [
        [count_row(group, requests - failed, minute=minute), count_row(group, failed, minute=minute, **{"elb": 500, **of_failed})]
        for minute in range(0, 60, 5)
    ]  # fmt: skip
    return [row for of_minute in rows for row in of_minute if row["n"]]


def why(count_rows: list[dict[str, Any]], rows: list[dict[str, Any]], **options: Any) -> Why:
    traits = pa.concat_tables([pa.Table.from_pylist(rows, TRAITS), counted_traits(count_table(count_rows))])
    result = explain(traits, FLEET_OF, **options)
    assert result
    return result


TARGETS = {f"10.0.11.{number}:80": 100 for number in range(20)}


def test_a_bad_target_is_named_first_with_its_counts() -> None:
    failed = dict.fromkeys(TARGETS, 1) | {"10.0.11.7:80": 40}
    rows = trait_rows(ECS, "target", TARGETS, failed) + trait_rows(
        EC2, "target", {"10.0.10.1:80": 2000}, {"10.0.10.1:80": 20}
    )
    found = why(counts(ECS, 2000, 59) + counts(EC2, 2000, 20), rows, zones={"10.0.11.0/24": "ap-northeast-1a"})
    assert (found.worse, found.kind, found.events, found.requests) == ("canary", "failed", 59 * 12, 2000 * 12)
    assert found.missing == ()
    (item,) = found.common
    assert (item.trait, item.value, item.worse) == ("target", "10.0.11.7:80", Side(480, 708, 1200, 24_000))
    assert item.divergence == pytest.approx(480 / 708 - 1 / 20)
    assert item.p_value < 1e-9


def test_the_p_value_is_hoeffdings_bound_times_the_number_of_values() -> None:
    """A quarter of 48 events has a twentieth of the requests; two TLS versions, a method and a route are looked at."""
    rows = trait_rows(ECS, "tls", {"a": 1900, "b": 100}, {"a": 3, "b": 1})
    found = why(counts(ECS, 2000, 4), rows)
    (item,) = found.common
    share, expected, events = 1 / 4, 1 / 20, 48
    bound = math.exp(
        -events * (share * math.log(share / expected) + (1 - share) * math.log((1 - share) / (1 - expected)))
    )
    assert (item.value, found.looked_at) == ("b", 4)
    assert item.p_value == pytest.approx(4 * bound)


def test_the_zone_of_bad_targets_comes_before_each_of_them() -> None:
    failed = {target: 10 if number < 10 else 1 for number, target in enumerate(TARGETS)}
    zones = {"10.0.11.0/29": "a", "10.0.11.8/31": "a", "10.0.11.10/31": "b", "10.0.11.12/30": "b", "10.0.11.16/30": "b"}
    rows = trait_rows(ECS, "target", TARGETS, failed)
    (item,) = why(counts(ECS, 2000, 110), rows, zones=zones).common
    assert (item.trait, item.value) == ("zone", "a")
    assert item.worse == Side(1200, 1320, 12_000, 24_000)


def test_what_the_other_fleet_has_too_is_subtracted() -> None:
    """The mobile client fails on both fleets alike: it is in common, and not what is wrong with the canary."""
    agents, failed = {"okhttp": 200, "Chrome": 1800}, {"okhttp": 40, "Chrome": 10}
    rows = trait_rows(ECS, "agent", agents, failed) + trait_rows(EC2, "agent", agents, failed)
    assert why(counts(ECS, 2000, 50) + counts(EC2, 2000, 50), rows).common == ()
    rows = trait_rows(ECS, "agent", agents, failed) + trait_rows(EC2, "agent", agents, {"okhttp": 5, "Chrome": 45})
    (item,) = why(counts(ECS, 2000, 50) + counts(EC2, 2000, 50), rows, worse="canary").common
    assert (item.value, item.is_against_other) == ("okhttp", True)
    assert item.divergence == pytest.approx(40 / 50 - 5 / 50)


def test_a_status_is_compared_with_the_other_fleets_failures_only() -> None:
    """Every failed request has a failed status: alone that says nothing."""
    rows = trait_rows(ECS, "tls", {"TLSv1.3": 2000}, {"TLSv1.3": 50})
    assert why(counts(ECS, 2000, 50, elb=502, target=-1), rows).common == ()
    rows += trait_rows(EC2, "tls", {"TLSv1.3": 2000}, {"TLSv1.3": 40})
    (item,) = why(counts(ECS, 2000, 50, elb=502, target=-1) + counts(EC2, 2000, 40), rows).common
    assert (item.trait, item.value, item.divergence) == ("status", "502 -", pytest.approx(0.975))


def test_a_route_with_most_failures_is_named() -> None:
    rows = [*counts(ECS, 1900, 0), *counts(ECS, 100, 60, route="/share")]
    found = why(rows, trait_rows(ECS, "tls", {"TLSv1.3": 2000}, {"TLSv1.3": 60}))
    assert [(item.trait, item.value) for item in found.common] == [("route", "/share")]


def test_slow_requests_start_where_few_of_the_better_fleet_are() -> None:
    rows = [
        *(count_row(EC2, 970, minute=minute, ms=60) for minute in range(60)),
        *(count_row(EC2, 30, minute=minute, ms=250) for minute in range(60)),
        *(count_row(ECS, 800, minute=minute, ms=60) for minute in range(60)),
        *(count_row(ECS, 200, minute=minute, ms=250, route="/slow") for minute in range(60)),
    ]
    found = why(rows, TRAITS.empty_table().to_pylist(), kind="slow")
    assert (found.worse, found.slow_from_ms, found.events) == ("canary", 100, 12_000)
    assert [(item.trait, item.value) for item in found.common] == [("route", "/slow")]
    assert found.missing == ("target", "zone")


def test_few_events_are_not_compared() -> None:
    failed = {"10.0.11.7:80": 1}
    rows = trait_rows(ECS, "target", TARGETS, failed)
    found = why(counts(ECS, 2000, 1), rows)
    assert (found.events, found.is_enough, found.looked_at, found.common) == (12, False, 0, ())
    assert MIN_EVENTS > 12


def test_chance_is_not_named() -> None:
    rng = np.random.default_rng(15)
    named = 0
    for _ in range(100):
        rows = trait_rows(ECS, "target", TARGETS, {})
        for block in range(12):
            failed = rng.multinomial(4, [1 / 20] * 20).tolist()
            row = {"minute": START + block * 300, "target_group": ECS, "trait": "target", "outcome": FAILED}
            rows += [{**row, "value": value, "n": n} for value, n in zip(TARGETS, failed, strict=True) if n]
        named += bool(why(counts(ECS, 2000, 4), rows).common)
    assert named <= 5


def test_without_requests_nothing_is_explained() -> None:
    assert explain(counted_traits(count_table([])), FLEET_OF) is None
