"""Messages for verdicts, reasons, exclusions, intervals and margins."""

from dataclasses import replace
from datetime import UTC
from typing import get_args

import pytest

from analysis import EXCLUSION_REASONS, VERDICTS, CriterionVerdict, ExclusionReason, Judgement, Verdict, VerdictReason
from analysis.parity.verdicts import close_judgement
from analysis.series.fleet_requests import MISSING_STATES, FleetRequests, RequestsState
from domain import Criterion, FleetName, Margin
from messages import verdicts

ERRORS = Criterion(metric="error_rate", margin=Margin(value=0.05, unit="pp"), critical=True)
P95 = Criterion(metric="latency_p95", margin=Margin(value=10, unit="%"))
SLOW = Criterion(metric="slow_300ms", margin=Margin(value=0.5, unit="pp"))


LABELS: dict[FleetName, str] = {"baseline": "EC2", "canary": "ECS"}
PARITY = CriterionVerdict(ERRORS, "parity", "inside_margin", lower=-0.00004, upper=0.00011, minutes_to_decision=0)


def sentence(result: CriterionVerdict) -> str:
    return verdicts.sentence(result, LABELS)


def test_each_verdict_has_a_label_and_a_sign() -> None:
    assert [verdicts.label(verdict) for verdict in VERDICTS] == [
        "parity",
        "regression",
        "improvement",
        "inconclusive",
        "insufficient data",
    ]
    assert set(verdicts.SIGNS) == set(VERDICTS) and len(set(verdicts.SIGNS.values())) == len(VERDICTS)


REASONS: dict[str, tuple[Verdict, str]] = {
    "inside_margin": ("parity", "CI within the margin."),
    "beyond_margin": ("regression", "CI outside the margin."),
    "recent_change": ("regression", "Changed at 14:25 UTC: CI outside the margin since then."),
    "incident": ("undecided", "CI within the margin, but not with the canary's own incidents."),
    "ratio": ("undecided", "CI within the margin, but more than 3 times the baseline's rate."),
    "resemblance": ("not enough data", "Autocorrelated minutes: 1,860 count as 6."),
    "significantly_worse": ("undecided", "Worse, possibly within the margin."),
    "significantly_better": ("undecided", "Better, possibly within the margin."),
    "inconclusive": ("undecided", "CI crosses the margin."),
    "not_measured": ("not enough data", "No source reports this metric for both fleets."),
    "one_side_empty": ("not enough data", "CloudWatch: no requests of ECS in this window."),
    "not_yet": ("not enough data", "No final minutes of ECS yet: recent minutes may still change."),
    "not_asked": (
        "not enough data",
        "Requests of ECS in this window are unknown: not yet requested from CloudWatch.",
    ),
    "unknown": (
        "not enough data",
        "Requests of ECS are unknown: CloudWatch could not be read.",
    ),
    "one_side_gone": (
        "not enough data",
        "ECS stopped reporting in recent minutes; check targets.",
    ),
    "unread": ("not enough data", "Latest counts unavailable. See Data sources on Live."),
    "few_minutes": ("not enough data", "Too few minutes."),
    "no_events": ("not enough data", "No errors on either fleet; not comparable."),
}


@pytest.mark.parametrize("reason", get_args(VerdictReason))
def test_reasons(reason: VerdictReason) -> None:
    verdict, expected = REASONS[reason]
    states: dict[str, RequestsState] = {"one_side_empty": "none"} | {name: name for name in MISSING_STATES}
    missing = (FleetRequests("canary", states[reason], source="cloudwatch"),) if reason in states else ()
    result = CriterionVerdict(ERRORS, verdict, reason, missing=missing, gone=("canary",))
    details = {"changed_at": 1_790_000_700, "minutes": 1860, "effective_minutes": 6.2}
    result = replace(result, criterion=ERRORS.model_copy(update={"max_ratio": 3.0}), **details)
    assert verdicts.reason(result, LABELS) == expected


def test_the_fleets_that_stopped_are_named() -> None:
    gone: tuple[tuple[FleetName, ...], ...] = ((), ("baseline",), ("baseline", "canary"))
    reasons = [
        verdicts.reason(CriterionVerdict(ERRORS, "not enough data", "one_side_gone", gone=g), LABELS) for g in gone
    ]
    assert [reason.partition(" stopped")[0] for reason in reasons] == ["One fleet", "EC2", "EC2 and ECS"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("provisional", "3 min still provisional"),
        ("other_period", "3 min at another resolution, not comparable"),
        ("no_traffic", "3 min without requests"),
        ("one_side_missing", "3 min with one fleet missing"),
        ("both_sides_missing", "3 min without this metric on both fleets"),
        ("mixed_groups", "3 min served by two target groups of one fleet"),
        ("low_samples", "3 min with too few responses for this percentile"),
        ("unread", "3 min with unreadable counts"),
        ("in_flight", "3 min of in-flight requests at the start"),
    ],
)
def test_excluded_minutes(reason: ExclusionReason, expected: str) -> None:
    assert verdicts.excluded(reason, 3) == expected


def test_each_exclusion_reason_has_a_text() -> None:
    for reason in EXCLUSION_REASONS:
        assert verdicts.excluded(reason, 90).startswith("1h 30m ")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PARITY, "ECS − EC2 error rate: 95% CI −0.004 … +0.011 pp, within ±0.05 pp."),
        (
            CriterionVerdict(ERRORS, "regression", "beyond_margin", lower=0.001, upper=0.0042),
            "ECS − EC2 error rate: 95% CI +0.10 … +0.42 pp, margin ±0.05 pp.",
        ),
        (
            CriterionVerdict(P95, "improvement", "beyond_margin", lower=-0.062, upper=-0.041),
            "ECS − EC2 p95: 95% CI −62 … −41 ms, margin ±10%.",
        ),
        (
            CriterionVerdict(SLOW, "undecided", "inconclusive", lower=-0.012, upper=0.03),
            "ECS − EC2 slow > 300 ms: 95% CI −1.20 … +3.00 pp, margin ±0.5 pp.",
        ),
        (
            CriterionVerdict(P95, "not enough data", "few_minutes"),
            "p95, ECS: Too few minutes.",
        ),
    ],
)
def test_sentences(result: CriterionVerdict, expected: str) -> None:
    assert sentence(result) == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("error_rate", "error rate"),
        ("unanswered_rate", "no response"),
        ("target_5xx_rate", "target 5xx"),
        ("slow_0.3s", "slow > 300 ms"),
        ("latency_p99", "p99"),
    ],
)
def test_metric_names(metric: str, expected: str) -> None:
    assert verdicts.metric(Criterion(metric=metric, margin=Margin(value=5, unit="%"))) == expected


@pytest.mark.parametrize(
    ("verdict", "minutes", "even", "expected", "expected_even"),
    [
        ("parity", 0, 0, "decided", ""),
        ("undecided", 25, 25, "~25 min", ""),
        ("undecided", 2000, 25, "~1d 9h", "~25 min at 50:50"),
        ("undecided", None, None, "> 4 weeks at current traffic", ""),
        ("undecided", None, 90, "> 4 weeks at current traffic", "~1h 30m at 50:50"),
        ("not enough data", None, None, "–", ""),
        ("not enough data", 7, None, "~7 min", ""),
    ],
)
def test_the_time_to_a_decision(
    verdict: Verdict, minutes: int | None, even: int | None, expected: str, expected_even: str
) -> None:
    result = CriterionVerdict(
        ERRORS, verdict, "inconclusive", minutes_to_decision=minutes, minutes_to_decision_even=even
    )
    assert (verdicts.still_needed(result), verdicts.still_needed_even(result)) == (expected, expected_even)


def test_a_window_that_is_over_needs_nothing_more() -> None:
    worse = CriterionVerdict(P95, "regression", "beyond_margin", minutes_to_decision=0, minutes_to_decision_even=0)
    young = CriterionVerdict(P95, "not enough data", "few_minutes", minutes_to_decision_even=5)
    undecided = replace(OPEN, minutes_to_decision=411, minutes_to_decision_even=60)
    closed = close_judgement(Judgement("undecided", (undecided, worse, young)))
    assert [verdicts.still_needed(result) for result in closed.criteria] == ["–", "decided", "–"]
    assert [verdicts.still_needed_even(result) for result in closed.criteria] == ["", "", ""]


def test_intervals_and_margins_are_in_the_metrics_unit() -> None:
    assert verdicts.interval(PARITY) == "−0.004 … +0.011 pp"
    assert verdicts.interval(CriterionVerdict(P95, "not enough data", "few_minutes")) == "–"
    assert verdicts.margin(PARITY) == "±0.05 pp"
    relative = CriterionVerdict(
        P95, "undecided", "inconclusive", lower=-0.01, upper=0.05, margin=0.024, margin_lower=-0.0218
    )
    assert verdicts.margin(relative) == "10% (−22 … +24 ms)"
    assert verdicts.margin(CriterionVerdict(P95, "not enough data", "few_minutes")) == "±10%"


OPEN = CriterionVerdict(ERRORS, "undecided", "inconclusive", minutes_to_decision=25)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            CriterionVerdict(
                ERRORS, "parity", "inside_margin", lower=-0.0004, upper=0.0001, margin=0.0005, margin_lower=-0.0005
            ),
            "Headroom: CI is 0.01 pp inside the margin.",
        ),
        (
            CriterionVerdict(
                P95, "undecided", "inconclusive", lower=-0.01, upper=0.04, margin=0.028, margin_lower=-0.025
            ),
            "Parity needs a CI that ends 12 ms earlier; regression needs a CI outside the margin.",
        ),
        (
            CriterionVerdict(
                ERRORS, "regression", "beyond_margin", lower=0.001, upper=0.002, margin=0.0005, margin_lower=-0.0005
            ),
            "Minutes without a difference, until the CI returns to the margin.",
        ),
        (CriterionVerdict(P95, "not enough data", "few_minutes"), "Numbers: Too few minutes."),
    ],
)
def test_what_would_change_a_verdict(result: CriterionVerdict, expected: str) -> None:
    assert verdicts.would_change(result, LABELS) == expected


def test_the_worst_hour_has_its_time_and_its_difference() -> None:
    result = CriterionVerdict(ERRORS, "parity", "inside_margin", worst_hour=1_790_002_800, worst_hour_estimate=0.0012)
    assert verdicts.worst_hour(result, UTC) == "Worst hour: 21 Sep 15:00–16:00 UTC, +0.12 pp"
    assert verdicts.worst_hour(replace(result, worst_hour=None), UTC) == ""
