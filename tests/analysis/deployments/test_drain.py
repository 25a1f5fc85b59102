"""Whether the old fleet is empty: each obstacle alone, what is unknown, and the commands once nothing stands against it."""

import shlex
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.batches.handover import Handover
from analysis.batches.jobs import JobReport
from analysis.deployments.drain import (
    UNKNOWN_KINDS,
    WEEK_S,
    Drain,
    KnownRequests,
    OldGroup,
    busiest_hour,
    judge_drain,
    old_group,
)
from domain import Target, Traffic, WeightChange, Window
from domain.window import DAY_S, HOUR_S, MINUTE_S
from tests.factories.drain import CANARY_ONLY, QUIET, REQUIRED_S, UNTIL, evidence
from tests.factories.traffic import (
    ARNS,
    DEFAULT_RULE,
    EC2,
    GREEN,
    HEADER_RULE,
    command_weights,
    make_rule,
    make_traffic,
)


def kinds(drain: Drain) -> list[str]:
    return [obstacle.kind for obstacle in drain.obstacles]


def with_targets(traffic: Traffic, targets: tuple[Target, ...] | None) -> Traffic:
    return replace(
        traffic,
        groups=tuple(
            replace(group, targets=targets) if group.target_group == EC2 else group for group in traffic.groups
        ),
    )


def test_it_is_safe_if_nothing_stands_against_it() -> None:
    drain = judge_drain(evidence())
    assert (drain.verdict, drain.obstacles, drain.quiet_s) == ("safe", (), 2 * DAY_S)


DRAINING = Target("i-1", 80, "", "draining", "", "")
CRON = JobReport("thumbnails", None, "ok", scheduler="baseline")
TWICE = JobReport("thumbnails", None, "ok", scheduler="canary", handover=Handover({}, runs_twice=True))


@pytest.mark.parametrize(
    ("changes", "kind", "verdict"),
    [
        ({"traffic": make_traffic(make_rule(ec2=1, green=999))}, "forwards", "not_safe"),
        ({"traffic": make_traffic(make_rule(HEADER_RULE, "10", ec2=1), CANARY_ONLY)}, "forwards", "not_safe"),
        (
            {"groups": (replace(QUIET, recent=3, last_request=UNTIL - 60, quiet_since=UNTIL - 60),)},
            "requests",
            "not_safe",
        ),
        ({"busiest_hour": UNTIL - 3 * DAY_S}, "no_peak", "not_safe"),
        ({"traffic": with_targets(make_traffic(CANARY_ONLY), (DRAINING,))}, "draining", "not_safe"),
        ({"jobs": (CRON,)}, "batch_on_cron", "not_safe"),
        ({"jobs": (TWICE,)}, "batch_twice", "not_safe"),
        ({"traffic": None}, "rules_unread", "unknown"),
        ({"groups": (replace(QUIET, quiet_since=UNTIL - REQUIRED_S + 60),)}, "requests_unread", "unknown"),
        ({"groups": (replace(QUIET, has_reported=False),)}, "never_reported", "unknown"),
        ({"traffic": with_targets(make_traffic(CANARY_ONLY), None)}, "targets_unread", "unknown"),
        ({"busiest_hour": None}, "peak_unread", "unknown"),
        ({"jobs_complete": False}, "batches_unread", "unknown"),
        ({"jobs": (JobReport("thumbnails", None, "never"),)}, "batches_unread", "unknown"),
    ],
)
def test_each_obstacle_alone_forbids_it(changes: dict[str, object], kind: str, verdict: str) -> None:
    drain = judge_drain(evidence(**changes))
    assert (kinds(drain), drain.verdict, drain.commands) == ([kind], verdict, ())


@given(
    st.sets(
        st.sampled_from(
            [
                ("traffic", None),
                ("busiest_hour", None),
                ("jobs_complete", False),
                ("groups", (replace(QUIET, has_reported=False, quiet_since=UNTIL),)),
            ]
        ),
        min_size=1,
    )
)
def test_what_is_unknown_is_never_safe(changes: set[tuple[str, object]]) -> None:
    drain = judge_drain(evidence(**dict(changes)))
    assert drain.verdict == "unknown"
    assert set(kinds(drain)) <= UNKNOWN_KINDS


def test_every_group_must_be_quiet() -> None:
    busy = replace(QUIET, target_group=GREEN, recent=1, quiet_since=UNTIL)
    traffic = make_traffic(make_rule(ec2=0, green=0, blue=1))
    assert kinds(judge_drain(evidence(groups=(QUIET, busy), traffic=traffic))) == ["requests"]


def test_a_group_without_targets_need_not_have_reported() -> None:
    traffic = with_targets(make_traffic(CANARY_ONLY), ())
    assert judge_drain(evidence(groups=(replace(QUIET, has_reported=False),), traffic=traffic)).verdict == "safe"


def test_a_week_without_requests_has_its_busiest_hour() -> None:
    week = replace(QUIET, last_request=None, quiet_since=UNTIL - WEEK_S)
    assert judge_drain(evidence(groups=(week,), busiest_hour=None)).verdict == "safe"


def test_the_busiest_hour_must_be_in_the_quiet_time_as_a_whole() -> None:
    start = QUIET.quiet_since
    assert judge_drain(evidence(busiest_hour=start)).verdict == "safe"
    (obstacle,) = judge_drain(evidence(busiest_hour=start - 1)).obstacles
    assert (obstacle.kind, obstacle.ts) == ("no_peak", start - 1 + WEEK_S + HOUR_S)


def test_without_batches_they_are_not_an_obstacle_and_not_checked() -> None:
    drain = judge_drain(evidence(jobs=None))
    assert (drain.verdict, drain.batches_checked) == ("safe", False)


def test_a_rule_that_no_request_reaches_is_listed_only() -> None:
    behind = make_rule(HEADER_RULE, "20", ec2=1)
    before = replace(make_rule(DEFAULT_RULE.replace("4c2b", "5c2b"), "10", green=1), conditions=behind.conditions)
    drain = judge_drain(evidence(traffic=make_traffic(before, behind, CANARY_ONLY)))
    assert drain.verdict == "safe"
    assert [(use.rule.priority, use.weight, use.is_reachable) for use in drain.uses] == [
        ("20", 1, False),
        ("default", 0, True),
    ]


def test_commands_free_the_rules_first_and_delete_last() -> None:
    traffic = with_targets(
        make_traffic(make_rule(HEADER_RULE, "10", ec2=0), CANARY_ONLY),
        (Target("i-1", 80, "", "healthy", "", ""), Target("10.0.0.1", None, "", "unused", "", "")),
    )
    commands = judge_drain(evidence(traffic=traffic)).commands
    assert [(item.purpose, item.subject) for item in commands] == [
        ("delete_rule", "HTTPS:443 10"),
        ("remove_from_rule", "HTTPS:443 default"),
        ("deregister", EC2),
        ("delete_group", EC2),
    ]
    delete, modify, deregister, delete_group = (item.command for item in commands)
    words = shlex.split(delete.replace("\\\n", ""))
    assert words == ["aws", "elbv2", "delete-rule", "--region", "ap-northeast-1", "--rule-arn", HEADER_RULE]
    assert command_weights(modify) == {GREEN: 100}
    assert shlex.split(deregister.replace("\\\n", ""))[-3:] == ["--targets", "Id=i-1,Port=80", "Id=10.0.0.1"]
    assert shlex.split(delete_group.replace("\\\n", ""))[-1] == ARNS[EC2]


def known(rows: dict[int, float], unanswered: tuple[Window, ...] = (), period_s: int = MINUTE_S) -> KnownRequests:
    return KnownRequests(
        np.array(list(rows), dtype=np.int64),
        np.full(len(rows), period_s, dtype=np.int64),
        np.array(list(rows.values()), dtype=np.float64),
        unanswered,
    )


WINDOW = Window(UNTIL - WEEK_S, UNTIL)


def group_of(requests: KnownRequests, changes: tuple[WeightChange, ...] = ()) -> OldGroup:
    return old_group(EC2, requests, WINDOW, changes, required_s=REQUIRED_S, has_reported=True)


@pytest.mark.parametrize(
    ("requests", "last_request", "quiet_since", "recent"),
    [
        (known({}), None, WINDOW.start, 0),
        (known({UNTIL - 600: 5.0, UNTIL - 300: 0.0}), UNTIL - 540, UNTIL - 540, 5),
        (known({UNTIL - 2 * DAY_S: 5.0}), UNTIL - 2 * DAY_S + 60, UNTIL - 2 * DAY_S + 60, 0),
        (known({UNTIL - 3600: 5.0}, period_s=3600), UNTIL, UNTIL, 5),
        (known({UNTIL - 7200: 1.0}, (Window(UNTIL - 600, UNTIL - 540),)), UNTIL - 7140, UNTIL - 540, 1),
        (known({}, (Window(UNTIL - 600, UNTIL + 600),)), None, UNTIL, 0),
        (known({}, (Window(UNTIL, UNTIL + 600),)), None, WINDOW.start, 0),
        (known({UNTIL: 9.0}), None, WINDOW.start, 0),
    ],
    ids=["none", "recent", "older", "hour", "gap", "newest unknown", "later unknown", "provisional"],
)
def test_the_last_request_and_since_when_there_is_known_to_be_none(
    requests: KnownRequests, last_request: int | None, quiet_since: int, recent: int
) -> None:
    group = group_of(requests)
    assert (group.last_request, group.quiet_since, group.recent) == (last_request, quiet_since, recent)


def test_requests_after_each_change_until_the_next() -> None:
    first, second = (WeightChange(ts, ts, 0.5, 1.0, key=str(ts)) for ts in (UNTIL - 2 * DAY_S, UNTIL - DAY_S))
    before = replace(first, ts=WINDOW.start - 60)
    rows = {first.ts - 60: 1.0, first.ts: 2.0, second.ts - 60: 3.0, second.ts + 600: 4.0}
    group = group_of(known(rows), (before, first, second))
    assert [(item.requests, item.last_request) for item in group.after_changes] == [
        (5, second.ts),
        (4, second.ts + 660),
    ]


def test_the_busiest_hour_of_the_last_week() -> None:
    hour = UNTIL // HOUR_S * HOUR_S - 5 * HOUR_S
    rows = {hour - HOUR_S: 5.0, hour: 3.0, hour + 60: 3.0, hour - 2 * WEEK_S: 99.0}
    assert busiest_hour(known(dict(sorted(rows.items()))), UNTIL) == hour


@pytest.mark.parametrize(
    "requests",
    [known({}), known({UNTIL - 7200: 1.0}, (Window(UNTIL - 3 * DAY_S, UNTIL - 3 * DAY_S + 60),))],
    ids=["no requests", "a gap"],
)
def test_the_busiest_hour_is_unknown(requests: KnownRequests) -> None:
    assert busiest_hour(requests, UNTIL) is None
