"""The judge: verdicts of small literal series, event counts, and excluded minutes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from analysis import DEFAULT_CRITERIA, CriterionVerdict, Verdict, is_needed
from analysis.parity.breaks import ALPHA, FOLLOWED, START_EVERY, _starts
from analysis.parity.confidence_sequences import Scatter
from analysis.parity.context import NO_CONTEXT, JudgeContext
from analysis.parity.verdicts import overall_verdict
from analysis.series.unanswered import unanswered_counts
from domain import Criterion, Series, empty_frame
from tests.factories.frames import START, SeriesValues, tidy_frame, window
from tests.factories.judgement import judge, trace

Numbers = Sequence[float | None]


def criterion(metric: str, margin: str, **options: object) -> Criterion:
    return Criterion.model_validate({"metric": metric, "margin": margin, **options})


ERRORS = criterion("target_5xx_rate", "0.05pp", critical=True)
ALL_ERRORS = criterion("error_rate", "0.05pp", critical=True)
P95 = criterion("latency_p95", "10%")


def errors_frame(baseline: Numbers, canary: Numbers, *, requests: tuple[float, float] = (1000, 1000)) -> pd.DataFrame:
    """5xx per minute among `requests` per minute; None: no requests in that minute."""
    fleets = (("baseline", "ec2", baseline, requests[0]), ("canary", "ecs", canary, requests[1]))
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, group, counts, n in fleets:
        rows[fleet, group, "target_5xx", "sum"] = counts
        rows[fleet, group, "requests", "sum"] = [None if count is None else n for count in counts]
    return tidy_frame(rows)


def latency_frame(baseline: Numbers, canary: Numbers, *, samples: tuple[float, float] = (1000, 1000)) -> pd.DataFrame:
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, group, values, n in (
        ("baseline", "ec2", baseline, samples[0]),
        ("canary", "ecs", canary, samples[1]),
    ):
        rows[fleet, group, "latency", "p95"] = values
        rows[fleet, group, "requests", "sum"] = [None if value is None else n for value in values]
    return tidy_frame(rows)


def judge_one(frame: pd.DataFrame, criterion: Criterion, **options: int) -> CriterionVerdict:
    return judge(frame, [criterion], **options).criteria[0]  # type: ignore[arg-type]


def test_many_errors_on_the_canary_alone_are_a_regression() -> None:
    result = judge_one(errors_frame([1, 0] * 30, [6, 8] * 30), ERRORS)
    assert (result.verdict, result.reason, result.minutes_to_decision) == ("regression", "beyond_margin", 0)
    assert (result.baseline_events, result.baseline_requests, result.canary_events) == (30, 60_000, 420)
    assert (result.baseline, result.canary, result.estimate) == pytest.approx((0.0005, 0.007, 0.0065))
    assert result.lower is not None and 0.0005 < result.lower < 0.0065 and result.is_significantly_worse


def test_the_same_the_other_way_is_an_improvement() -> None:
    assert judge_one(errors_frame([6, 8] * 30, [1, 0] * 30), ERRORS).verdict == "improvement"


def test_equal_rates_are_parity_once_the_interval_fits_into_the_margin() -> None:
    few, many = errors_frame([1, 0] * 10, [0, 1] * 10), errors_frame([1, 0] * 200, [0, 1] * 200)
    assert (judge_one(few, ERRORS).verdict, judge_one(few, ERRORS).reason) == ("undecided", "inconclusive")
    result = judge_one(many, ERRORS)
    assert (result.verdict, result.reason, result.margin, result.margin_lower) == (
        "parity",
        "inside_margin",
        0.0005,
        -0.0005,
    )


def test_a_small_significant_difference_is_parity_and_significantly_worse() -> None:
    result = judge_one(errors_frame([10, 11] * 300, [20, 21] * 300, requests=(100_000, 100_000)), ERRORS)
    assert (result.verdict, result.is_significantly_worse) == ("parity", True)


def test_between_zero_and_the_margin_it_is_undecided_and_significantly_worse() -> None:
    result = judge_one(errors_frame([1, 1] * 60, [2, 3] * 60, requests=(2000, 2000)), ERRORS)
    assert (result.verdict, result.reason, result.is_significantly_worse) == ("undecided", "significantly_worse", True)


def test_an_increase_is_an_improvement_if_higher_is_better() -> None:
    higher = criterion("slow_0.3s", "0.5pp", better="higher")
    rows: SeriesValues = {
        ("baseline", "ec2", "latency", "within_0.3s"): [0.90, 0.91] * 30,
        ("canary", "ecs", "latency", "within_0.3s"): [0.80, 0.81] * 30,
        **{
            (fleet, group, "latency", "sample_count"): [1000] * 60
            for fleet, group in (("baseline", "ec2"), ("canary", "ecs"))
        },
        **{(fleet, group, "requests", "sum"): [1000] * 60 for fleet, group in (("baseline", "ec2"), ("canary", "ecs"))},
    }
    assert (
        judge_one(tidy_frame(rows), higher).verdict,
        judge_one(tidy_frame(rows), criterion("slow_0.3s", "0.5pp")).verdict,
    ) == (
        "improvement",
        "regression",
    )
    assert judge_one(tidy_frame(rows), higher).canary_events == 60 * 195


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (empty_frame(), "one_side_empty"),
        (errors_frame([None] * 30, [1] * 30), "one_side_empty"),
        (errors_frame([1] * 30, []), "one_side_empty"),
        (errors_frame([1], [1]), "few_minutes"),
        (errors_frame([1] * 9, [90] * 9), "few_minutes"),
        (errors_frame([0] * 600, [0] * 600), "no_events"),
        (latency_frame([0.1] * 60, [0.1] * 60), "no_events"),  # requests without 5xx
    ],
)
def test_missing_data_is_never_parity(frame: pd.DataFrame, reason: str) -> None:
    judgement = judge(frame, [ERRORS])
    assert (judgement.verdict, judgement.criteria[0].reason) == ("not enough data", reason)
    assert judgement.criteria[0].lower is None


def test_unmeasured_latency_is_not_enough_data() -> None:
    assert judge_one(errors_frame([1] * 60, [1] * 60), P95).reason == "not_measured"
    assert judge_one(latency_frame([0.0] * 60, [0.0] * 60), P95).reason == "not_measured"  # zeros are no latency


def alb_5xx(values: Numbers) -> dict[tuple[str, str, str, str], Numbers]:
    return {("load_balancer", "", "alb_5xx", "sum"): values}


def response_rows(
    canary: Numbers, *, baseline: float = 540, minutes: int = 40
) -> dict[tuple[str, str, str, str], Numbers]:
    """600 requests a minute and fleet, of which `canary` and `baseline` have a counted response."""
    return {
        ("baseline", "ec2", "requests", "sum"): [600] * minutes,
        ("baseline", "ec2", "target_2xx", "sum"): [baseline] * minutes,
        ("canary", "ecs", "requests", "sum"): [600] * minutes,
        ("canary", "ecs", "target_2xx", "sum"): canary,
    }


def test_websockets_and_clients_that_went_away_are_no_errors() -> None:
    """101 and 460 are in RequestCount and in no target count; the load balancer made no 5xx in their place."""
    result = judge_one(tidy_frame(response_rows([480] * 40)), ALL_ERRORS)
    assert (result.verdict, result.reason) == ("not enough data", "no_events")
    assert (result.baseline_events, result.canary_events) == (0, 0)
    assert (result.baseline_unexplained, result.canary_unexplained) == (60 * 35, 120 * 35)


def test_websockets_beside_equal_errors_are_parity() -> None:
    """Both fleets have WebSockets, the canary twice as many, and the same rate of 5xx and of connection errors."""
    rows = response_rows([480] * 600, minutes=600)
    for fleet, group in (("baseline", "ec2"), ("canary", "ecs")):
        rows[fleet, group, "target_5xx", "sum"] = [0, 1, 0] * 200
        rows[fleet, group, "connection_errors", "sum"] = [0, 0, 1] * 200
    rows |= alb_5xx([0, 0, 2] * 200)
    result = judge_one(tidy_frame(rows), criterion("error_rate", "0.2pp"))
    assert (result.verdict, result.baseline_events, result.canary_events) == ("parity", 399, 399)


def test_websockets_behind_a_load_balancer_with_errors_of_others_are_no_errors() -> None:
    result = judge_one(tidy_frame(response_rows([480] * 40) | alb_5xx([5000] * 40)), ALL_ERRORS)
    assert (result.canary_events, result.canary_unexplained) == (0, 120 * 35)


def test_a_dead_fleet_fails_beside_websockets_of_the_other() -> None:
    """From minute 120 on the canary refuses (502) or hangs (504) on every request; the baseline goes on with 60 WebSockets a minute."""
    answered, failed = [600.0] * 120 + [0.0] * 40, [0.0] * 120 + [600.0] * 40
    rows = response_rows(answered, minutes=160) | alb_5xx(failed)
    refused = rows | {("canary", "ecs", "connection_errors", "sum"): failed}
    for scenario in (rows, refused):
        result = judge_one(tidy_frame(scenario), ALL_ERRORS)
        assert (result.verdict, result.canary_events, result.baseline_events) == ("regression", 600 * 35, 0)
        assert result.baseline_unexplained == 60 * 155


def test_a_fleet_that_hangs_until_every_client_gives_up_fails() -> None:
    """460 alone: neither a 5xx of the load balancer nor a connection error."""
    result = judge_one(tidy_frame(response_rows([600] * 120 + [0] * 40, minutes=160)), ALL_ERRORS)
    assert (result.verdict, result.canary_events, result.canary_unexplained) == ("regression", 600 * 35, 0)


def test_if_the_load_balancers_count_is_unknown_every_unanswered_request_is_an_error() -> None:
    unread = {Series("test", "load_balancer", "", "alb_5xx", "sum", ""): (window(40),)}
    result = judge(tidy_frame(response_rows([480] * 40)), [ALL_ERRORS], unknown=unread).criteria[0]
    assert (result.verdict, result.canary_events, result.canary_unexplained) == ("regression", 120 * 35, 0)


def test_unanswered_requests_are_errors() -> None:
    """The blind spot: a dead fleet answers nothing, so it has no 5xx and no latency."""
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, group, answered in (("baseline", "ec2", 1000), ("canary", "ecs", 950)):
        rows[fleet, group, "requests", "sum"] = [1000] * 40
        rows[fleet, group, "target_2xx", "sum"] = [answered] * 40
    frame = tidy_frame(rows | alb_5xx([50] * 40))
    assert judge_one(frame, criterion("error_rate", "0.05pp")).verdict == "regression"
    result = judge_one(frame, criterion("unanswered_rate", "0.05pp"))
    assert (result.verdict, result.baseline_events, result.canary_events) == ("regression", 0, 50 * 35)
    assert result.excluded is not None and result.excluded["in_flight"] == 5
    assert judge_one(frame, criterion("target_5xx_rate", "0.05pp")).reason == "no_events"


def test_requests_in_flight_at_a_minutes_end_are_no_errors() -> None:
    late = [0, 30] * 20  # half of the minutes answer thirty later
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, group, swing in (("baseline", "ec2", 0), ("canary", "ecs", 1)):
        rows[fleet, group, "requests", "sum"] = [1000] * 40
        rows[fleet, group, "target_2xx", "sum"] = [
            970 + swing * options if swing else 1000 for options in (60 if x else 0 for x in late)
        ]
    assert judge_one(tidy_frame(rows), criterion("unanswered_rate", "0.05pp")).reason == "no_events"


def test_unanswered_counts_what_stays_outstanding() -> None:
    requests = np.full(12, 10.0)
    answers = np.array([8, 12, 10, 10, 10, 10, 0, 0, 0, 10, 10, 10.0])
    assert unanswered_counts(requests, answers, 3).tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10]
    assert unanswered_counts(requests[:0], answers[:0], 3).tolist() == []


def test_late_answers_are_not_counted_twice() -> None:
    """Ten requests are answered after five minutes, then ten others are delayed: ten in all, not twenty."""
    requests, answers = np.full(16, 10.0), np.full(16, 10.0)
    answers[[1, 9]], answers[6] = 0.0, 20.0
    assert unanswered_counts(requests, answers, 3).tolist() == [0] * 4 + [10] + [0] * 11


def test_a_frame_may_have_unanswered_as_a_count_of_its_own() -> None:
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, unanswered in (("baseline", 0), ("canary", 7)):
        rows[fleet, "", "requests", "sum"] = [1000] * 40
        rows[fleet, "", "target_5xx", "sum"] = [1] * 40
        rows[fleet, "", "unanswered", "sum"] = [unanswered] * 40
    result = judge_one(tidy_frame(rows), criterion("error_rate", "0.05pp"))
    assert (result.verdict, result.baseline_events, result.canary_events) == ("regression", 40, 320)


def test_a_request_fails_only_once() -> None:
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet, failed in (("baseline", 1), ("canary", 60)):
        rows[fleet, "", "requests", "sum"] = [100] * 40
        rows[fleet, "", "target_5xx", "sum"] = [failed] * 40
        rows[fleet, "", "unanswered", "sum"] = [failed] * 40
    result = judge_one(tidy_frame(rows), criterion("error_rate", "0.05pp"))
    assert (result.baseline_events, result.canary_events) == (80, 4000)


def test_timed_answers_are_answers_if_status_counts_are_missing() -> None:
    rows: dict[tuple[str, str, str, str], Numbers] = {}
    for fleet in ("baseline", "canary"):
        rows[fleet, fleet, "requests", "sum"] = rows[fleet, fleet, "latency", "sample_count"] = [1000] * 40
    assert judge_one(tidy_frame(rows), criterion("unanswered_rate", "0.05pp")).reason == "no_events"


def test_a_difference_of_rates_is_at_most_one() -> None:
    """Without baseline errors the ratio of the rates has no upper bound."""
    result = judge_one(errors_frame([0] * 30, [1, 0] * 15), criterion("target_5xx_rate", "10%"))
    assert result.upper == result.alarm_upper == 1.0


def test_a_minute_is_final_once_it_is_over() -> None:
    frame = errors_frame([1] * 20, [1] * 20)
    (result,) = judge(frame, [ERRORS], provisional_from=START + 17 * 60 + 30).criteria
    assert result.excluded is not None and (result.minutes, result.excluded["provisional"]) == (17, 3)


def test_without_answer_counts_unanswered_is_not_measured() -> None:
    frame = errors_frame([1, 2] * 40, [2, 1] * 40)
    assert judge_one(frame, criterion("unanswered_rate", "1pp")).reason == "not_measured"
    assert judge_one(frame, criterion("error_rate", "0.5pp")).canary_events == 120  # the 5xx alone


def test_excluded_minutes_are_counted_by_reason() -> None:
    values: list[float | None] = [0.1, 0.12] * 10
    rows: dict[tuple[str, str, str, str], list[float | None]] = {}
    for fleet, group in (("baseline", "ec2"), ("canary", "ecs")):
        rows[fleet, group, "latency", "p95"] = list(values)
        rows[fleet, group, "requests", "sum"] = [1000] * 20
        rows[fleet, group, "latency", "sample_count"] = [1000] * 20
    for key in list(rows):
        rows[key][0] = None  # no traffic
        if key[0] == "canary":
            rows[key][1] = None
        if key[2:] == ("latency", "p95"):
            rows[key][4] = None
    rows["canary", "ecs", "latency", "sample_count"][2] = rows["canary", "ecs", "requests", "sum"][2] = 199
    rows["canary", "blue", "requests", "sum"] = [None] * 3 + [500] + [None] * 16
    result = judge(tidy_frame(rows), [P95], window=window(20), provisional_from=START + 17 * 60).criteria[0]
    assert result.excluded is not None
    assert {reason: minutes for reason, minutes in result.excluded.items() if minutes} == {
        "provisional": 3,
        "no_traffic": 1,
        "one_side_missing": 1,
        "both_sides_missing": 1,
        "mixed_groups": 1,
        "low_samples": 1,
    }
    assert result.minutes == 12


def test_only_the_window_is_judged() -> None:
    frame = errors_frame([1] * 60 + [1] * 60, [1] * 60 + [30] * 60)
    assert judge(frame, [ERRORS], window=window(60)).verdict == "undecided"
    assert judge(frame, [ERRORS], window=window(60, start=START + 3600)).verdict == "regression"


def test_a_canary_at_one_per_cent_is_judged_fairly() -> None:
    random = np.random.default_rng(4)
    requests = (5940.0, 60.0)
    for times, expected in ((1, {"undecided"}), (8, {"regression"})):
        canary = list(random.poisson(0.06 * times, 120).astype(float))
        frame = errors_frame(list(random.poisson(5.94, 120).astype(float)), canary, requests=requests)
        assert judge_one(frame, ERRORS).verdict in expected


def test_a_shared_incident_is_no_regression() -> None:
    incident = [1] * 30 + [400] * 5 + [1] * 30
    assert judge_one(errors_frame(incident, incident), ERRORS).verdict == "undecided"


def test_a_burst_on_one_fleet_counts_as_one_burst() -> None:
    assert judge_one(errors_frame([1] * 30, [1] * 29 + [300]), ERRORS).verdict == "undecided"


def test_latency_in_its_own_unit_beside_its_margin() -> None:
    random = np.random.default_rng(1)
    b = 0.2 * np.exp(0.05 * random.normal(size=120))
    result = judge_one(latency_frame(list(b), list(b * 1.3 * np.exp(0.05 * random.normal(size=120)))), P95)
    assert result.verdict == "regression"
    assert result.estimate == pytest.approx(0.06, rel=0.1) and result.margin == pytest.approx(0.02, rel=0.02)
    assert result.margin_lower == pytest.approx(-0.02 / 1.1, rel=0.02)
    absolute = judge_one(latency_frame(list(b), list(b + 0.06)), criterion("latency_p95", "20ms"))
    assert (absolute.verdict, absolute.margin) == ("regression", 0.02)
    assert (absolute.lower, absolute.upper) == pytest.approx((0.06, 0.06))  # the same in every minute


def test_the_trace_equals_the_judgement_after_each_minute() -> None:
    random = np.random.default_rng(2)
    counts = [list(random.poisson(rate, 90).astype(float)) for rate in (1, 3)]
    counts[1][40] = None  # type: ignore[call-overload]
    frame = pd.concat(
        [
            errors_frame(*counts),
            latency_frame(*(list(0.1 + 0.02 * random.random(90)) for _ in range(2)))[
                lambda f: f["metric"] == "latency"
            ],
        ]
    )
    traced = trace(frame, [ERRORS, P95])
    assert list(traced.groupby("metric").size()) == [90, 90]
    for minutes in (5, 12, 41, 90):
        judgement = judge(frame, [ERRORS, P95], window=window(minutes))
        rows = traced[traced["ts"] == pd.Timestamp(START + (minutes - 1) * 60, unit="s", tz="UTC")]
        for result, row in zip(judgement.criteria, rows.itertuples(), strict=True):
            assert (row.metric, row.verdict) == (result.metric, result.verdict)
            for name in ("lower", "upper", "alarm_lower", "alarm_upper", "margin"):
                expected = getattr(result, name) if result.lower is not None else None
                assert getattr(row, name) == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_an_empty_frame_has_an_empty_trace() -> None:
    assert trace(empty_frame())["verdict"].unique().tolist() in ([], ["not enough data"])


def test_more_criteria_widen_the_alarm_and_not_the_interval() -> None:
    frame = errors_frame([1, 2] * 60, [2, 3] * 60)
    alone = judge(frame, [ERRORS])["target_5xx_rate"]
    among = judge(frame, [ERRORS, P95, criterion("latency_p50", "10%")])["target_5xx_rate"]
    assert (alone.lower, alone.upper) == (among.lower, among.upper) == (alone.alarm_lower, alone.alarm_upper)
    assert among.alarm_lower is not None and alone.alarm_lower is not None and among.alarm_lower < alone.alarm_lower


def test_without_criteria_the_defaults_apply_and_are_marked() -> None:
    judgement = judge(errors_frame([1] * 60, [1] * 60))
    assert judgement.default_criteria and [verdict.criterion for verdict in judgement.criteria] == list(
        DEFAULT_CRITERIA
    )
    assert not judge(errors_frame([1], [1]), [ERRORS]).default_criteria


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["parity", "parity"], "parity"),
        (["parity", "regression"], "regression"),
        (["not enough data", "regression"], "regression"),
        (["parity", "undecided"], "undecided"),
        (["undecided", "not enough data"], "not enough data"),
        (["parity", "improvement"], "improvement"),
        ([], "not enough data"),
    ],
)
def test_the_overall_verdict(verdicts: list[Verdict], expected: Verdict) -> None:
    plain = criterion("target_5xx_rate", "1pp")
    assert overall_verdict([CriterionVerdict(plain, verdict, "inconclusive") for verdict in verdicts]) == expected


@pytest.mark.parametrize("other", ["not enough data", "undecided", "improvement", "parity"])
def test_missing_data_does_not_hide_that_a_criterion_is_surely_worse(other: Verdict) -> None:
    plain = criterion("target_5xx_rate", "1pp")
    worse = CriterionVerdict(plain, "undecided", "significantly_worse")
    assert overall_verdict([CriterionVerdict(plain, other, "few_minutes"), worse]) == "undecided"
    assert overall_verdict([CriterionVerdict(plain, "regression", "beyond_margin"), worse]) == "regression"


def test_only_critical_criteria_decide_if_there_are_any() -> None:
    calm, bad = (
        CriterionVerdict(ERRORS, "parity", "inside_margin"),
        CriterionVerdict(P95, "regression", "beyond_margin"),
    )
    assert overall_verdict([calm, bad]) == "parity"


def test_the_forecast_holds_if_the_pattern_continues() -> None:
    pattern = ([1, 0, 2, 1], [1, 2, 0, 1])
    now = judge_one(errors_frame(pattern[0] * 10, pattern[1] * 10), ERRORS)
    assert now.verdict == "undecided" and now.minutes_to_decision is not None
    later = (40 + now.minutes_to_decision) // 4 + 1
    assert judge_one(errors_frame(pattern[0] * later, pattern[1] * later), ERRORS).verdict == "parity"
    assert (
        judge_one(errors_frame(pattern[0] * (later * 2 // 3), pattern[1] * (later * 2 // 3)), ERRORS).verdict
        == "undecided"
    )


def test_an_even_split_decides_sooner_than_one_per_cent() -> None:
    result = judge_one(errors_frame([10, 9] * 60, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1] * 12, requests=(9900, 100)), ERRORS)
    assert result.minutes_to_decision is not None and result.minutes_to_decision_even is not None
    assert result.minutes_to_decision_even < result.minutes_to_decision / 5


def test_the_forecast_for_an_even_split_of_latency_counts_the_samples() -> None:
    random = np.random.default_rng(3)
    b, c = (list(0.1 * np.exp(0.3 * random.normal(size=60))) for _ in range(2))
    uneven, even = (judge_one(latency_frame(b, c, samples=samples), P95) for samples in ((99_000, 1000), (1000, 1000)))
    assert even.minutes_to_decision == even.minutes_to_decision_even == uneven.minutes_to_decision
    assert uneven.minutes_to_decision and uneven.minutes_to_decision_even is not None
    assert uneven.minutes_to_decision_even < uneven.minutes_to_decision / 5


def test_below_ten_minutes_there_is_no_forecast() -> None:
    result = judge_one(errors_frame([1, 2] * 4, [900, 901] * 4), ERRORS)
    assert (result.reason, result.minutes_to_decision, result.minutes_to_decision_even) == ("few_minutes", None, None)


def test_the_series_that_the_judge_needs() -> None:
    def needed(metric: str, stat: str = "sum", fleet: str = "canary") -> bool:
        return is_needed(Series("test", fleet, "ecs", metric, stat, ""), [P95, criterion("slow_0.3s", "1pp")])

    assert all(needed(metric) for metric in ("requests", "unanswered", "target_2xx", "target_5xx", "connection_errors"))
    assert all(needed(metric, fleet="load_balancer") for metric in ("alb_5xx", "alb_503"))
    assert all(needed("latency", stat) for stat in ("p95", "sample_count", "within_0.3s"))
    assert not any(needed("latency", stat) for stat in ("p50", "within_1s"))
    assert not needed("fail_open_requests") and not needed("alb_502", fleet="load_balancer")


def test_a_break_in_the_middle_of_a_phase_is_a_regression_within_minutes() -> None:
    """Over the whole phase it would look like one long burst."""
    random = np.random.default_rng(6)
    counts = [list(random.poisson(3.0, 200).astype(float)) for _ in range(2)]
    counts[1][180:] = list(random.poisson(300.0, 20).astype(float))
    frame = errors_frame(counts[0], counts[1])
    by_minutes = {
        minutes: judge(frame, [ERRORS], window=window(minutes)).criteria[0] for minutes in (180, 185, 192, 200)
    }
    assert [(result.verdict, result.reason) for result in by_minutes.values()] == [
        ("undecided", "inconclusive"),
        ("undecided", "inconclusive"),
        ("regression", "recent_change"),
        ("regression", "recent_change"),
    ]
    traced = trace(frame, [ERRORS])
    assert traced["verdict"].iloc[[179, 184, 191, 199]].tolist() == [result.verdict for result in by_minutes.values()]


def test_a_jump_of_latency_in_a_phase_is_a_regression_within_minutes() -> None:
    noise = np.exp(0.1 * np.random.default_rng(7).normal(size=(2, 200)))
    jump = np.where(np.arange(200) >= 180, 2.0, 1.0)
    frame = latency_frame(list(0.1 * noise[0]), list(0.1 * noise[1] * jump))
    assert judge(frame, [P95], window=window(180)).criteria[0].verdict != "regression"
    assert judge(frame, [P95], window=window(192)).criteria[0].reason == "recent_change"


def test_a_break_at_the_end_of_a_long_phase_at_parity_is_a_regression() -> None:
    random = np.random.default_rng(9)
    counts = [list(random.poisson(10.0, 1415).astype(float)) for _ in range(2)]
    counts[1][1400:] = list(random.poisson(60.0, 15).astype(float))
    frame = errors_frame(counts[0], counts[1], requests=(10_000, 10_000))
    assert judge(frame, [ERRORS], window=window(1400)).verdict == "parity"
    (result,) = judge(frame, [ERRORS]).criteria
    assert (result.verdict, result.reason) == ("regression", "recent_change")
    assert (
        result.upper is not None and result.margin is not None and result.upper < result.margin
    )  # the phase is at parity


def test_a_break_is_said_while_it_lasts_and_withdrawn_after_it_is_mended() -> None:
    """Ten times the errors from minute 420 to 460 of a day."""
    random, minutes = np.random.default_rng(3), np.arange(1440)
    healthy, broken = (
        random.poisson(1.2, 1440) * 1.0,
        random.poisson(np.where((minutes >= 420) & (minutes < 460), 12, 1.2)) * 1.0,
    )
    verdicts = trace(errors_frame(list(healthy), list(broken)), [ERRORS])["verdict"].to_numpy()
    assert not (verdicts[:420] == "regression").any()
    assert (verdicts[430:460] == "regression").all()
    assert not (verdicts[460 + 120 :] == "regression").any()


def test_a_break_is_dated() -> None:
    random, minutes = np.random.default_rng(4), np.arange(600)
    healthy, broken = random.poisson(1.2, 600) * 1.0, random.poisson(np.where(minutes >= 420, 6.0, 1.2)) * 1.0
    (result,) = judge(errors_frame(list(healthy), list(broken)), [ERRORS]).criteria
    assert result.reason == "recent_change" and result.changed_at is not None
    assert abs(result.changed_at - (START + 420 * 60)) <= 300


def test_starts_share_their_error_probability() -> None:
    """Each start has its part of ALPHA, and each comparison its part of that."""
    starts = list(_starts(100_000, 1, 0))
    assert sum(start.alpha for start in starts) == pytest.approx(ALPHA, rel=0.01)
    assert sum(start.alpha for start in _starts(100_000, 50, 0)) == pytest.approx(ALPHA / 50, rel=0.01)


def test_few_starts_are_followed_at_a_time() -> None:
    """Every second start is followed twice as long, so a phase of a month is not as expensive as its square."""
    starts = list(_starts(43_200, 1, 43_199))
    assert len(starts) < 300 and starts[-1].index > 43_200 - 2 * START_EVERY and FOLLOWED == 1440


@pytest.mark.parametrize("minute", range(150, 158))
def test_one_burst_that_is_no_incident_is_no_break(minute: int) -> None:
    """80 errors in one minute, over four a minute: soon after the start at minute 150 it is most of what is known since then."""
    random = np.random.default_rng(8)
    counts = [list(random.poisson(4.0, 160).astype(float)) for _ in range(2)]
    counts[1][minute] = 80.0
    judgement = judge(errors_frame(*counts), [ERRORS])
    assert not judgement.incidents
    assert "regression" not in set(trace(errors_frame(*counts), [ERRORS])["verdict"])


def test_three_bad_minutes_are_no_break() -> None:
    random = np.random.default_rng(8)
    counts = [list(random.poisson(3.0, 200).astype(float)) for _ in range(2)]
    for minute in (181, 182, 185):
        counts[1][minute] = 300.0
    assert set(trace(errors_frame(counts[0], counts[1]), [ERRORS])["verdict"]) <= {"not enough data", "undecided"}


def test_a_rare_rate_that_is_surely_a_multiple_is_no_parity() -> None:
    """30 times 1e-5 is far inside 0.05 pp."""
    frame = errors_frame([0, 0, 0, 0, 1] * 60, [3] * 300, requests=(10_000, 10_000))
    guarded = criterion("target_5xx_rate", "0.05pp", max_ratio=3)
    assert judge_one(frame, ERRORS).verdict == "parity"
    assert (judge_one(frame, guarded).verdict, judge_one(frame, guarded).reason) == ("undecided", "ratio")
    equal = errors_frame([0, 0, 0, 0, 1] * 60, [0, 0, 0, 1, 0] * 60, requests=(10_000, 10_000))
    assert judge_one(equal, guarded).verdict == "parity"


def test_minutes_of_a_latency_weigh_by_their_requests() -> None:
    """The canary is 50% slower in minutes with a hundredth of the requests."""
    n, slow = np.tile([100_000.0, 1000.0], 60), np.tile([1.0, 1.5], 60)
    noise = np.exp(0.01 * np.random.default_rng(3).normal(size=120))
    rows: SeriesValues = {
        ("baseline", "ec2", "requests", "sum"): list(n),
        ("canary", "ecs", "requests", "sum"): list(n),
        ("baseline", "ec2", "latency", "p95"): [0.1] * 120,
        ("canary", "ecs", "latency", "p95"): list(0.1 * slow * noise),
    }
    result = judge_one(tidy_frame(rows), P95)
    assert result.estimate == pytest.approx(0.1 * (1.5 ** (1 / 101) - 1), abs=2e-4)


def test_the_worst_hour_is_named_beside_the_whole() -> None:
    start = START // 3600 * 3600 + 3600
    slow = [1.3 if 120 <= minute < 180 else 1.0 for minute in range(360)]
    noise = np.exp(0.02 * np.random.default_rng(3).normal(size=360))
    rows: SeriesValues = {(fleet, group, "requests", "sum"): [1000] * 360 for fleet, group in (("baseline", "ec2"), ("canary", "ecs"))} | {
        ("baseline", "ec2", "latency", "p95"): [0.1] * 360,
        ("canary", "ecs", "latency", "p95"): list(0.1 * np.array(slow) * noise),
    }  # fmt: skip
    result = judge(tidy_frame(rows, start=start), [P95]).criteria[0]
    assert result.worst_hour == start + 2 * 3600
    assert result.worst_hour_estimate == pytest.approx(0.03, abs=0.002)


def test_warm_up_is_left_out_and_counted() -> None:
    noise = np.exp(0.05 * np.random.default_rng(3).normal(size=(2, 100)))
    slow = np.where(np.arange(100) < 10, 2.0, 1.0)
    frame = latency_frame(list(0.1 * noise[0]), list(0.1 * noise[1] * slow))
    context = JudgeContext(warm_up=(window(10),))
    without, with_warm_up = (judge(frame, [P95], context=given).criteria[0] for given in (NO_CONTEXT, context))
    assert without.verdict != "parity" and with_warm_up.verdict == "parity"
    assert with_warm_up.excluded is not None and with_warm_up.excluded["warm_up"] == 10


def test_history_gives_short_phases_an_answer() -> None:
    """Six minutes of a p95 twice as high: with a day of the same scatter that is enough."""
    noise = np.exp(0.05 * np.random.default_rng(3).normal(size=(2, 6)))
    frame = latency_frame(list(0.1 * noise[0]), list(0.2 * noise[1]))
    known = JudgeContext(scatter={"latency_p95": Scatter(1440, 2 * 0.05**2, 1.0)})
    wild = JudgeContext(scatter={"latency_p95": Scatter(1440, 2 * 1.0**2, 1.0)})
    assert judge_one(frame, P95).verdict == "not enough data"
    assert judge(frame, [P95], context=known).verdict == "regression"
    assert judge(frame, [P95], context=wild).verdict == "undecided"


def test_history_of_rates_that_drift_widens_their_interval() -> None:
    frame = errors_frame([2, 3] * 30, [5, 6] * 30, requests=(10_000, 10_000))
    calm = JudgeContext(scatter={"target_5xx_rate": Scatter(1440, 0.0, 1.0)})
    drifting = JudgeContext(scatter={"target_5xx_rate": Scatter(1440, 1.0, 19.0)})
    alone, narrow, wide = (judge(frame, [ERRORS], context=given).criteria[0] for given in (NO_CONTEXT, calm, drifting))
    assert alone.lower is not None and narrow.lower is not None and wide.lower is not None
    assert wide.lower < alone.lower <= narrow.lower
    assert (narrow.is_significantly_worse, wide.is_significantly_worse) == (True, False)


def test_watched_criteria_never_count() -> None:
    bad, good = criterion("target_5xx_rate", "0.05pp", watch_only=True), criterion("latency_p95", "10%", critical=True)
    noise = np.exp(0.02 * np.random.default_rng(3).normal(size=(2, 60)))
    frame = pd.concat(
        [latency_frame(list(0.1 * noise[0]), list(0.1 * noise[1])), errors_frame([0] * 60, [50, 60] * 30)]
    )
    frame = frame.drop_duplicates(["ts", "fleet", "metric", "stat"])
    judgement = judge(frame, [bad, good])
    assert (judgement["target_5xx_rate"].verdict, judgement.verdict) == ("regression", "parity")
