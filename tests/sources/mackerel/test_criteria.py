"""Criteria whose source is Mackerel: what is read, what is answered, and what is a problem."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain import Criterion, Window
from domain.config.criteria import Margin
from messages.errors.config import format_config_issue
from messages.errors.sources import format_problem
from sources.mackerel.client import MackerelApi
from sources.mackerel.criteria import MackerelCriteria, expression_issues
from tests.factories.config_issues import own_table
from tests.factories.mackerel import NOON, make_migration, noon, values_by_series
from tests.fakes.mackerel import FakeMackerel

WINDOW = Window(NOON - 300, NOON)
RATE = {
    "name": "5xx",
    "kind": "rate",
    "margin": "1pp",
    "baseline": "scale(divide(service(photo, errors.ec2), service(photo, requests.ec2)), 100)",
    "canary": "divide(service(photo, errors.ecs), service(photo, requests.ecs))",
}


def minutes(*values: float | None) -> dict[int, float]:
    """The last values before NOON; None is a minute without a point."""
    start = NOON - 60 * len(values)
    return {start + 60 * i: value for i, value in enumerate(values) if value is not None}


@pytest.fixture
def photo(fake_mackerel: FakeMackerel) -> dict[str, dict[int, float]]:
    fake_mackerel.points["photo"] = {
        "upload.ec2": minutes(50, 51, None, 49, 50),
        "upload.ecs": minutes(5, 5, 6, 4, 5),
        "requests.ec2": minutes(100, 100, 100, None, 100),
        "requests.ecs": minutes(10, 10, 10, 10, 10),
        "errors.ec2": minutes(1, None, 2, None, None),
    }
    return fake_mackerel.points["photo"]


def source(api: MackerelApi, *tables: Mapping[str, Any]) -> MackerelCriteria:
    criteria = tuple(Criterion.model_validate(own_table(**table)) for table in tables)
    return MackerelCriteria(make_migration(criteria=criteria), clock=noon, api=api)


def by_fleet(pull: Any) -> dict[tuple[str, str], dict[int, float]]:
    return {(fleet, stat): values for (fleet, _group, _metric, stat), values in values_by_series(pull).items()}


def test_values_are_read_by_minute(api: MackerelApi, photo: object) -> None:
    criteria = source(api, {})
    pull = criteria.pull(WINDOW)
    assert by_fleet(pull) == {
        ("baseline", "value"): {-5: 50, -4: 51, -2: 49, -1: 50},
        ("canary", "value"): {-5: 5, -4: 5, -3: 6, -2: 4, -1: 5},
    }
    assert pull.problems == () and pull.answered_ranges[0].series == frozenset(criteria.series())


def test_errors_that_never_happened_are_0(api: MackerelApi, photo: object) -> None:
    pull = source(api, RATE).pull(WINDOW)
    assert by_fleet(pull) == {
        ("baseline", "events"): {-5: 1, -4: 0, -3: 2, -1: 0},
        ("baseline", "total"): {-5: 100, -4: 100, -3: 100, -1: 100},
        ("canary", "events"): dict.fromkeys(range(-5, 0), 0),
        ("canary", "total"): dict.fromkeys(range(-5, 0), 10),
    }
    assert [(problem.kind, problem.about) for problem in pull.problems] == [
        ("no_such_metric", "5xx: errors.ecs"),
        ("incomplete", "4 / 4"),
    ]


def test_only_what_is_asked_for_is_read(api: MackerelApi, photo: object, fake_mackerel: FakeMackerel) -> None:
    criteria = source(api, {})
    criteria.pull(WINDOW, [criteria.series()[1]])
    assert [query["name"] for _, query in fake_mackerel.requests] == [["upload.ecs"]]


@pytest.mark.parametrize(
    ("expression", "kind", "about"),
    [
        ("host(gone, loadavg5)", "not_found", "uploads: gone"),
        ("service(photo, renamed)", "no_such_metric", "uploads: renamed"),
        ("role(photo:gone, loadavg5)", "not_found", "uploads: photo:gone"),
        ("service(photo, upload.*)", "bad_request", "uploads"),
        ("roleSlots(photo:web, loadavg5)", "not_supported", "uploads: roleSlots(photo:web, loadavg5)"),
        ("diff(service(photo, upload.*), service(photo, *.*))", "bad_request", "uploads"),
    ],
)
def test_what_cannot_be_read_is_a_problem_of_its_side(
    api: MackerelApi, photo: object, expression: str, kind: str, about: str
) -> None:
    pull = source(api, {"canary": expression}).pull(WINDOW)
    assert [(problem.kind, problem.about) for problem in pull.problems] == [(kind, about), ("incomplete", "1 / 2")]
    assert by_fleet(pull).keys() == {("baseline", "value")}
    assert {series.fleet for series in pull.answered_ranges[0].series} == {"baseline"}


def test_a_division_by_zero_everywhere_is_no_data(api: MackerelApi, photo: dict[str, Any]) -> None:
    pull = source(api, {"canary": "divide(service(photo, upload.ecs), scale(service(photo, upload.ecs), 0))"}).pull(
        WINDOW
    )
    assert by_fleet(pull).keys() == {("baseline", "value")} and pull.problems == ()
    assert len(pull.answered_ranges[0].series) == 2


def test_a_key_without_the_right_to_read_is_asked_once(
    api: MackerelApi, photo: object, fake_mackerel: FakeMackerel
) -> None:
    fake_mackerel.has_read_permission = False
    pull = source(api, {}, RATE).pull(WINDOW)
    assert [problem.kind for problem in pull.problems] == ["denied"] and pull.frame.empty
    assert len(fake_mackerel.paths) == 1


def test_the_check_has_a_line_for_each_side(api: MackerelApi, photo: dict[str, Any]) -> None:
    checks = source(api, {"canary": "service(photo, gone)"}).check()
    assert [(check.subject, check.state, check.newest_age_s) for check in checks] == [
        ("", "up", None),
        ("uploads", "up", 60),
        ("uploads", "never_reported", None),
    ]


def test_the_check_names_what_a_metric_may_have_been_renamed_to(api: MackerelApi, photo: dict[str, Any]) -> None:
    photo["upload.ecs.count"] = photo["upload.ecs"]
    check = source(api, {"canary": "service(photo, upload.ecs.cuont)"}).check()[-1]
    assert check.problem and check.problem.detail == "upload.ecs.count"
    message = format_problem(check.problem)
    assert message.text == (
        "Mackerel has no value of this metric: uploads: service(photo, upload.ecs.cuont). "
        "The most similar name there now: `upload.ecs.count`."
    )
    assert message.next_step == "If it was renamed, correct the criterion's expression in migration.toml."


def test_the_check_of_a_metric_without_a_value_for_an_hour_is_stale(api: MackerelApi, photo: dict[str, Any]) -> None:
    photo["upload.ecs"] = {NOON - 71 * 60: 5.0}
    checks = source(api, {}).check()
    assert [(check.state, check.newest_age_s) for check in checks[1:]] == [("up", 60), ("stale", 71 * 60)]


def test_an_error_in_an_expression_has_its_key_and_its_place() -> None:
    texts = {"canary": "sum(\n  service(photo, a),\n)", "baseline": "divid(service(photo, a), service(photo, b))"}
    broken = Criterion.model_construct(
        name="x", metric="x", source="mackerel", kind="value", margin=Margin.model_validate("1%"), **texts
    )
    issues = tuple(expression_issues([broken]))
    assert [issue.key for issue in issues] == ["criteria.0.baseline", "criteria.0.canary"]
    messages = [format_config_issue(issue) for issue in issues]
    assert messages[0].text == "Line 1, column 1: Unknown function “divid”. Did you mean `divide`?"
    assert messages[1].text == "Line 3, column 1: Unexpected “)”; expected: an argument."
    assert messages[1].snippet == (")", "^")


@pytest.mark.parametrize("canary", ["service(photo, a)", "diff(service(photo, a), service(photo, b))"])
def test_a_rate_must_be_a_quotient(canary: str) -> None:
    criterion = Criterion.model_validate(own_table(**RATE | {"canary": canary}))
    (issue,) = expression_issues([criterion])
    assert (issue.key, issue.code) == ("criteria.0.canary", "not_a_quotient")
