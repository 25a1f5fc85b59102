"""The batches in a configuration: patterns and jobs that are right, and every mistake with its key."""

from typing import Any

import pytest

from domain.config.batches import Batches, metric_name, parse_job_name
from domain.cron import Cron
from tests.factories.config import config_issues, config_with, make_migration

BATCHES_TABLE: dict[str, Any] = {
    "duration": "batch.{job}.duration",
    "success": "batch.{job}.success",
    "cron_duration": "cron.{job}.msec",
    "cron_unit": "ms",
    "jobs": [
        {"name": "thumbnails", "schedule": "cron(0  18 ? * mon-fri *)", "rule": "photo-thumbnails"},
        {"name": "digest", "schedule": "rate(1 hour)", "timezone": "Asia/Tokyo", "scheduler": "digest"},
    ],
}


def batches_table(**changes: Any) -> dict[str, Any]:
    return BATCHES_TABLE | changes


def job_table(**keys: Any) -> dict[str, Any]:
    return batches_table(jobs=[{"name": "thumbnails"} | keys])


def test_patterns_and_jobs_are_read() -> None:
    found = make_migration("batches", BATCHES_TABLE)
    assert found.batch_service == "photo", "the service of [mackerel]"
    assert found.batches
    assert found.batches.patterns("canary") == {"duration": "batch.{job}.duration", "success": "batch.{job}.success"}
    assert found.batches.patterns("baseline") == {"duration": "cron.{job}.msec"}
    assert (found.batches.seconds_per_unit("canary"), found.batches.seconds_per_unit("baseline")) == (1, 0.001)
    thumbnails, digest = found.batches.jobs
    assert isinstance(thumbnails.parsed_schedule, Cron) and thumbnails.schedule == "cron(0 18 ? * mon-fri *)"
    assert (thumbnails.grace_s, thumbnails.zone.key) == (600, "UTC")
    assert (digest.scheduler, digest.zone.key) == ("default/digest", "Asia/Tokyo")
    assert found.batches.find_job("digest") == digest and found.batches.find_job("other") is None


def test_a_service_of_its_own_goes_first() -> None:
    assert make_migration("batches", batches_table(service="photo-batch")).batch_service == "photo-batch"
    assert make_migration().batch_service == ""


def test_names_and_jobs_belong_together() -> None:
    assert metric_name("batch.{job}.duration", "a-b_1") == "batch.a-b_1.duration"
    assert parse_job_name("batch.{job}.duration", "batch.a-b_1.duration") == "a-b_1"
    for name in ("batch.a.success", "batch.a.b.duration", "xbatch.a.duration", "batch..duration", "batchXa.duration"):
        assert parse_job_name("batch.{job}.duration", name) == "", name


# what stands under [batches], the mistake's key, its slug, particulars worth a look
BATCH_ISSUES: list[tuple[Any, str, str, dict[str, str]]] = [
    (batches_table(duratoin="x"), "batches.duratoin", "unknown_key", {"close": "duration"}),
    (job_table(shedule="rate(1 day)"), "batches.jobs.0.shedule", "unknown_key", {"close": "schedule"}),
    (batches_table(jobs=[{}]), "batches.jobs.0.name", "missing", {}),
    (batches_table(jobs="thumbnails"), "batches.jobs", "wrong_type", {"kind": "list"}),
    (batches_table(unit="h"), "batches.unit", "not_a_choice", {}),
    (job_table(grace_minutes=0), "batches.jobs.0.grace_minutes", "out_of_range", {"limit": "1"}),
    ({}, "batches", "no_pattern", {}),
    (batches_table(duration="batch.duration"), "batches.duration", "not_a_pattern", {"given": "batch.duration"}),
    (batches_table(duration="b.{job}.{job}"), "batches.duration", "not_a_pattern", {}),
    (batches_table(duration="b/{job}"), "batches.duration", "not_a_pattern", {}),
    (batches_table(success="batch.{job}.duration"), "batches", "pattern_twice", {"given": "batch.{job}.duration"}),
    (job_table(name="a b"), "batches.jobs.0.name", "not_a_job", {"given": "a b"}),
    (batches_table(jobs=[{"name": "a"}, {"name": "a"}]), "batches.jobs.1.name", "job_twice", {"given": "a"}),
    (job_table(rule="a", scheduler="b"), "batches.jobs.0", "rule_and_scheduler", {}),
    (job_table(rule="a", timezone="Asia/Tokyo"), "batches.jobs.0.timezone", "rule_in_a_zone", {"given": "Asia/Tokyo"}),
    (job_table(timezone="Tokyo"), "batches.jobs.0.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    (job_table(schedule="0 18 * * 1-5"), "batches.jobs.0.schedule", "not_a_schedule", {"given": "0 18 * * 1-5"}),
    (job_table(schedule="rate(0 minutes)"), "batches.jobs.0.schedule", "rate_of_nothing", {}),
    (job_table(schedule="rate(1 minutes)"), "batches.jobs.0.schedule", "rate_unit", {"right": "rate(1 minute)"}),
    (job_table(schedule="cron(0 18 * * MON)"), "batches.jobs.0.schedule", "cron_fields", {"found": "5"}),
    (job_table(schedule="cron(0 18 * * MON *)"), "batches.jobs.0.schedule", "cron_days", {}),
    (
        job_table(schedule="cron(0 24 * * ? *)"),
        "batches.jobs.0.schedule",
        "cron_field",
        {"field": "hours", "high": "23"},
    ),
]


@pytest.mark.parametrize(("value", "key", "slug", "particulars"), BATCH_ISSUES)
def test_every_mistake_names_its_key(value: Any, key: str, slug: str, particulars: dict[str, str]) -> None:
    (mistake,) = config_issues(config_with("batches", value))
    assert (mistake.key, mistake.code) == (key, slug)
    assert particulars.items() <= mistake.params.items()


def test_without_a_service_nobody_could_be_asked() -> None:
    tables = config_with("mackerel", None) | {"batches": BATCHES_TABLE}
    assert [(one.key, one.code) for one in config_issues(tables)] == [("batches.service", "no_batch_service")]
    assert config_issues(tables | {"batches": batches_table(service="photo")}) == ()


def test_a_copy_is_the_same() -> None:
    found = make_migration("batches", BATCHES_TABLE).batches
    assert found and Batches.model_validate(found.model_dump()) == found
