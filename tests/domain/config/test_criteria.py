"""Criteria of one's own: how they are written, and the series that they are read as."""

from typing import Any

import pytest

from domain import Criterion
from domain.config.criteria import Margin
from domain.series import FLEETS
from tests.factories.config import config_issues, config_with, make_migration
from tests.factories.config_issues import COUNT, CPU, own_table


def own(**keys: Any) -> Criterion:
    return Criterion.model_validate(own_table(**keys))


def test_a_value_may_have_a_plain_margin() -> None:
    uploads = own()
    assert (uploads.metric, uploads.quantity, str(uploads.margin), uploads.margin.amount) == (
        "uploads",
        "value",
        "5",
        5,
    )
    assert str(own(margin="2.5").margin) == "2.5" and str(own(margin="10%").margin) == "10%"
    assert own(kind="rate", margin="0.5pp").quantity == "rate"


@pytest.mark.parametrize("margin", ["5e-05pp", "1e+06%", "0.05 pp"])
def test_a_margin_is_read_as_it_is_written(margin: str) -> None:
    read = Margin.model_validate(margin)
    assert Margin.model_validate(str(read)) == read


@pytest.mark.parametrize("margin", ["much", True, None, 0, -3])
def test_a_margin_that_is_no_number_is_an_issue(margin: Any) -> None:
    (issue,) = config_issues(config_with("criteria.0", own_table() | {"margin": margin}))
    assert issue.key.startswith("criteria.0.margin")


def test_names_may_be_japanese() -> None:
    criterion = own(name="1分あたりのアップロード")
    assert criterion.metric == "1分あたりのアップロード"
    assert all(series.metric.isascii() and series.stat == "value" for series in criterion.series("canary").values())


def test_a_changed_query_is_another_series() -> None:
    before, after = own(), own(canary="service(photo, upload.new)")
    assert before.series("baseline") == after.series("baseline")
    assert before.series("canary") != after.series("canary")
    assert own(kind="rate", margin="1pp").series("baseline").keys() == {"events", "total"}
    assert before.series("baseline")["value"].source == "mackerel_criteria"


def test_the_order_of_dimensions_means_nothing() -> None:
    dimensions = {"ClusterName": "photo", "ServiceName": "web"}
    first, second = (
        own(source="cloudwatch", baseline=CPU | {"dimensions": pairs}, canary=CPU)
        for pairs in (dimensions, dict(reversed(dimensions.items())))
    )
    assert first.series("baseline") == second.series("baseline") and hash(first) == hash(second)


def test_metrics_that_every_migration_has_have_no_series() -> None:
    criterion = Criterion.model_validate({"metric": "error_rate", "margin": "1pp"})
    assert not criterion.is_own and criterion.series("canary") == {} and criterion.quantity == "rate"
    with pytest.raises(ValueError, match="no query"):
        criterion.query("canary")


@pytest.mark.parametrize("math", ["a / b", "100 * a / b", "a/b*100", " a  /  b "])
def test_a_quotient_of_two_metrics_is_a_rate(math: str) -> None:
    query = {"math": math, "metrics": {"a": COUNT, "b": COUNT | {"name": "MemoryUtilization"}}}
    criterion = own(source="cloudwatch", baseline=query, canary=query, kind="rate", margin="1pp")
    parts = criterion.query("baseline").quotient  # type: ignore[union-attr]
    assert parts and [part.name for part in parts] == ["CPUUtilization", "MemoryUtilization"]


@pytest.mark.parametrize(
    ("better", "above", "below"),
    [
        ("lower", (True, False), (False, True)),
        ("higher", (False, True), (True, False)),
        ("equal", (True, False), (True, False)),
    ],
)
def test_worse_and_better(better: str, above: tuple[bool, bool], below: tuple[bool, bool]) -> None:
    criterion = own(better=better)
    assert criterion.worse_and_better(True, False) == above
    assert criterion.worse_and_better(False, True) == below


def test_cloudwatch_needs_aws() -> None:
    tables = config_with("criteria", [own_table(source="cloudwatch", baseline=CPU, canary=CPU)])
    assert not config_issues(tables)
    del tables["aws"]
    tables["fleets"]["baseline"]["target_groups"] = ["photo-ec2"]
    tables["fleets"]["canary"]["target_groups"] = ["photo-ecs"]
    tables["mackerel"] = {"service": "photo"}
    (issue,) = config_issues(tables)
    assert (issue.key, issue.code) == ("criteria.0.source", "cloudwatch_without_aws")


def test_own_criteria_of_a_migration() -> None:
    migration = make_migration("criteria", [{"metric": "error_rate", "margin": "1pp"}, own_table()])
    assert [criterion.name for criterion in migration.own_criteria] == ["uploads"]
    assert {series.fleet for fleet in FLEETS for series in migration.own_criteria[0].series(fleet).values()} == set(
        FLEETS
    )
