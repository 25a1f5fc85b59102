"""The batches in a configuration: patterns and jobs that are right, and every mistake with its key."""

from typing import Any

import pytest

from domain.config.batches import Batches, job_of, metric_name
from domain.cron import Cron
from tests.factories.config import changed, migration, mistakes

BATCHES: dict[str, Any] = {
    "duration": "batch.{job}.duration",
    "success": "batch.{job}.success",
    "cron_duration": "cron.{job}.msec",
    "cron_unit": "ms",
    "jobs": [
        {"name": "thumbnails", "schedule": "cron(0  18 ? * mon-fri *)", "rule": "photo-thumbnails"},
        {"name": "digest", "schedule": "rate(1 hour)", "timezone": "Asia/Tokyo", "scheduler": "digest"},
    ],
}


def batches(**changes: Any) -> dict[str, Any]:
    return BATCHES | changes


def job(**keys: Any) -> dict[str, Any]:
    return batches(jobs=[{"name": "thumbnails"} | keys])


def test_patterns_and_jobs_are_read() -> None:
    found = migration("batches", BATCHES)
    assert found.batch_service == "photo", "the service of [mackerel]"
    assert found.batches
    assert found.batches.patterns("canary") == {"duration": "batch.{job}.duration", "success": "batch.{job}.success"}
    assert found.batches.patterns("baseline") == {"duration": "cron.{job}.msec"}
    assert (found.batches.seconds("canary"), found.batches.seconds("baseline")) == (1, 0.001)
    thumbnails, digest = found.batches.jobs
    assert isinstance(thumbnails.due, Cron) and thumbnails.schedule == "cron(0 18 ? * mon-fri *)"
    assert (thumbnails.grace_s, thumbnails.zone.key) == (600, "UTC")
    assert (digest.scheduler, digest.zone.key) == ("default/digest", "Asia/Tokyo")
    assert found.batches.configured("digest") == digest and found.batches.configured("other") is None


def test_a_service_of_its_own_goes_first() -> None:
    assert migration("batches", batches(service="photo-batch")).batch_service == "photo-batch"
    assert migration().batch_service == ""


def test_names_and_jobs_belong_together() -> None:
    assert metric_name("batch.{job}.duration", "a-b_1") == "batch.a-b_1.duration"
    assert job_of("batch.{job}.duration", "batch.a-b_1.duration") == "a-b_1"
    for name in ("batch.a.success", "batch.a.b.duration", "xbatch.a.duration", "batch..duration", "batchXa.duration"):
        assert job_of("batch.{job}.duration", name) == "", name


# what stands under [batches], the mistake's key, its slug, particulars worth a look
MISTAKES: list[tuple[Any, str, str, dict[str, str]]] = [
    (batches(duratoin="x"), "batches.duratoin", "unknown_key", {"close": "duration"}),
    (job(shedule="rate(1 day)"), "batches.jobs.0.shedule", "unknown_key", {"close": "schedule"}),
    (batches(jobs=[{}]), "batches.jobs.0.name", "missing", {}),
    (batches(jobs="thumbnails"), "batches.jobs", "wrong_type", {"kind": "list"}),
    (batches(unit="h"), "batches.unit", "not_a_choice", {}),
    (job(grace_minutes=0), "batches.jobs.0.grace_minutes", "out_of_range", {"limit": "1"}),
    ({}, "batches", "no_pattern", {}),
    (batches(duration="batch.duration"), "batches.duration", "not_a_pattern", {"given": "batch.duration"}),
    (batches(duration="b.{job}.{job}"), "batches.duration", "not_a_pattern", {}),
    (batches(duration="b/{job}"), "batches.duration", "not_a_pattern", {}),
    (batches(success="batch.{job}.duration"), "batches", "pattern_twice", {"given": "batch.{job}.duration"}),
    (job(name="a b"), "batches.jobs.0.name", "not_a_job", {"given": "a b"}),
    (batches(jobs=[{"name": "a"}, {"name": "a"}]), "batches.jobs.1.name", "job_twice", {"given": "a"}),
    (job(rule="a", scheduler="b"), "batches.jobs.0", "rule_and_scheduler", {}),
    (job(rule="a", timezone="Asia/Tokyo"), "batches.jobs.0.timezone", "rule_in_a_zone", {"given": "Asia/Tokyo"}),
    (job(timezone="Tokyo"), "batches.jobs.0.timezone", "unknown_timezone", {"close": "Asia/Tokyo"}),
    (job(schedule="0 18 * * 1-5"), "batches.jobs.0.schedule", "not_a_schedule", {"given": "0 18 * * 1-5"}),
    (job(schedule="rate(0 minutes)"), "batches.jobs.0.schedule", "rate_of_nothing", {}),
    (job(schedule="rate(1 minutes)"), "batches.jobs.0.schedule", "rate_unit", {"right": "rate(1 minute)"}),
    (job(schedule="cron(0 18 * * MON)"), "batches.jobs.0.schedule", "cron_fields", {"found": "5"}),
    (job(schedule="cron(0 18 * * MON *)"), "batches.jobs.0.schedule", "cron_days", {}),
    (job(schedule="cron(0 24 * * ? *)"), "batches.jobs.0.schedule", "cron_field", {"field": "hours", "high": "23"}),
]


@pytest.mark.parametrize(("value", "key", "slug", "particulars"), MISTAKES)
def test_every_mistake_names_its_key(value: Any, key: str, slug: str, particulars: dict[str, str]) -> None:
    (mistake,) = mistakes(changed("batches", value))
    assert (mistake.key, mistake.slug) == (key, slug)
    assert particulars.items() <= mistake.particulars.items()


def test_without_a_service_nobody_could_be_asked() -> None:
    tables = changed("mackerel", None) | {"batches": BATCHES}
    assert [(one.key, one.slug) for one in mistakes(tables)] == [("batches.service", "no_batch_service")]
    assert mistakes(tables | {"batches": batches(service="photo")}) == ()


def test_a_copy_is_the_same() -> None:
    found = migration("batches", BATCHES).batches
    assert found and Batches.model_validate(found.model_dump()) == found
