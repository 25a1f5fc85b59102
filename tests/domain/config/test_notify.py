"""[notify]: the channels, and what each needs of other tables."""

from pathlib import Path

import pytest

from domain import ConfigurationError, Migration
from domain.config.loader import parse_tables
from tests.factories.archives import MIGRATION

TOPIC = "arn:aws:sns:us-east-1:123456789012:migration"


def migration(*, service: str = "photo", **keys: object) -> Migration:
    tables = MIGRATION.model_dump(exclude_unset=True)
    main = {"name": tables.pop("name")}
    notify = {"dashboard_url": "https://dashboard.example.com/", **keys}
    return parse_tables({**tables, "migration": main, "mackerel": {"service": service}, "notify": notify}, Path("x"))


def codes(**keys: object) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        migration(**keys)  # type: ignore[arg-type]
    return [(issue.key, issue.code) for issue in caught.value.issues]


def test_the_channels_are_those_that_are_configured() -> None:
    notify = migration(slack="A", webhook="B", webhook_secret="C", mackerel_key="D").notify
    assert notify and notify.channels == ("slack", "webhook", "mackerel_annotations")
    assert (notify.dashboard_url, notify.topic_region) == ("https://dashboard.example.com", "")


def test_the_region_is_that_of_the_topic() -> None:
    notify = type(migration(slack="A").notify).model_validate(
        {"dashboard_url": "http://localhost:8501", "sns_topic": TOPIC}
    )  # type: ignore[union-attr]
    assert (notify.channels, notify.topic_region) == (("sns",), "us-east-1")


def test_sns_needs_aws() -> None:
    assert codes(sns_topic=TOPIC) == [("notify.sns_topic", "sns_without_aws")]
    assert codes(sns_topic=f"{TOPIC}.fifo") == [("notify.sns_topic", "sns_without_aws")]


def test_an_annotation_needs_a_service() -> None:
    assert codes(mackerel_key="A", service="") == [("notify.mackerel_service", "no_annotated_service")]
    assert migration(mackerel_key="A", service="", mackerel_service="other").annotated_service == "other"
    assert migration(mackerel_key="A").annotated_service == "photo"
    assert migration(slack="A", service="").annotated_service == ""


def test_a_secret_in_the_file_is_in_no_issue() -> None:
    with pytest.raises(ConfigurationError) as caught:
        migration(slack="https://hooks.slack.com/services/T00/B00/very-secret")
    assert "very-secret" not in repr(caught.value.issues)
