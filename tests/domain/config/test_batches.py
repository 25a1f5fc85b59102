"""The [batches] table: patterns, jobs and their schedules."""

from domain.config.batches import Batches, metric_name, parse_job_name
from domain.cron import Cron
from tests.factories.config import config_issues, config_with, make_migration
from tests.factories.config_issues import BATCHES_TABLE, batches_table


def test_patterns_and_jobs_are_parsed() -> None:
    migration = make_migration("batches", BATCHES_TABLE)
    assert migration.batch_service == "photo", "the service of [mackerel]"
    batches = migration.batches
    assert batches
    assert batches.patterns("canary") == {"duration": "batch.{job}.duration", "success": "batch.{job}.success"}
    assert batches.patterns("baseline") == {"duration": "cron.{job}.msec"}
    assert (batches.seconds_per_unit("canary"), batches.seconds_per_unit("baseline")) == (1, 0.001)
    thumbnails, digest = batches.jobs
    assert isinstance(thumbnails.parsed_schedule, Cron) and thumbnails.schedule == "cron(0 18 ? * mon-fri *)"
    assert (thumbnails.grace_s, thumbnails.zone.key) == (600, "UTC")
    assert (digest.scheduler, digest.zone.key) == ("default/digest", "Asia/Tokyo")
    assert batches.find_job("digest") == digest and batches.find_job("other") is None


def test_the_batches_own_service_takes_precedence() -> None:
    assert make_migration("batches", batches_table(service="photo-batch")).batch_service == "photo-batch"
    assert make_migration().batch_service == ""


def test_metric_names_and_job_names_are_inverse() -> None:
    assert metric_name("batch.{job}.duration", "a-b_1") == "batch.a-b_1.duration"
    assert parse_job_name("batch.{job}.duration", "batch.a-b_1.duration") == "a-b_1"
    for name in ("batch.a.success", "batch.a.b.duration", "xbatch.a.duration", "batch..duration", "batchXa.duration"):
        assert parse_job_name("batch.{job}.duration", name) == "", name


def test_a_service_is_needed() -> None:
    tables = config_with("mackerel", None) | {"batches": BATCHES_TABLE}
    issues = config_issues(tables)
    assert [(issue.key, issue.code) for issue in issues] == [("batches.service", "no_batch_service")]
    assert config_issues(tables | {"batches": batches_table(service="photo")}) == ()


def test_a_dumped_table_validates_to_the_same() -> None:
    batches = make_migration("batches", BATCHES_TABLE).batches
    assert batches and Batches.model_validate(batches.model_dump()) == batches
