"""What is scraped is what is recorded: the gate's decision, verdicts, shares, sources, polls; nothing that is not surely of now."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from archive import Archive, ArchiveError, SourceState
from archive.decisions import RecordedDecision
from collector.polling import PollTask
from domain import Migration
from domain.config.notify import Notify
from services import metrics
from services.metrics import GAUGES, POLLS, POLLS_LABELS, RecordedState, Scrape, metrics_registry
from sources.base import Problem, TrafficSnapshot
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.traffic import make_rule, make_traffic

NOW = datetime(2026, 9, 21, 14, 15, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
SLUG = "photo-service"
DOCS = (Path(__file__).parent.parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
Samples = dict[tuple[str, ...], float]


@dataclass
class Target:
    archive: Archive
    migration: Migration = MIGRATION
    states: tuple[SourceState, ...] = ()
    tasks: tuple[PollTask, ...] = ()

    def source_states(self) -> tuple[SourceState, ...]:
        return self.states


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with open_archive(tmp_path) as archive:
        yield Target(archive)


def record(target: Target, decision: str = "continue", *, age_s: int = 30, phase: int = 2, **keys: Any) -> None:
    body = {
        "migration": SLUG,
        "decision": decision,
        "data_until": "2026-09-21T14:12:00Z",
        "phase": {"number": phase, "canary_share": 0.1},
        "configured": {},
        "observed": {"baseline": 0.9, "canary": 0.1},
        "criteria": [
            {"metric": "error_rate", "verdict": "parity"},
            {"metric": "latency_p95", "verdict": "not enough data"},
        ],
        **keys,
    }
    recorded = RecordedDecision(phase, NOW_S - 3600 + phase, NOW_S - age_s, json.dumps(body))
    starts = {number: NOW_S - 3600 + number for number in range(1, phase + 1)}
    target.archive.decisions.save(recorded, starts)


def save_weights(target: Target, **weights: int) -> None:
    snapshot = TrafficSnapshot(NOW_S, make_traffic(make_rule(**weights)))
    target.archive.events.save_snapshot(snapshot, "alb")


def scrape(*targets: Target, viewers: Callable[[], int] | None = None) -> dict[str, Samples]:
    """The samples by metric and the values of its labels, in the order of GAUGES."""
    registry = metrics_registry(RecordedState(lambda: targets, viewers, lambda: NOW))
    found = Scrape(tuple(registry.collect()))
    as_openmetrics, media_type = found.encoded("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    assert list(parse_openmetrics(as_openmetrics.decode()))  # which refuses a duplicate
    body, media_type = found.encoded("")
    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    samples: dict[str, Samples] = {}
    for family in parse(body.decode()):
        for sample in family.samples:
            labels = (*GAUGES.get(family.name, ("", POLLS_LABELS))[1], "le")
            key = tuple(sample.labels[name] for name in labels if name in sample.labels)
            assert key not in samples.setdefault(sample.name, {}), (sample.name, key)
            samples[sample.name][key] = sample.value
    return samples


def current(samples: Samples) -> list[tuple[str, ...]]:
    """The label values of those that are 1; the others are 0."""
    assert set(samples.values()) <= {0.0, 1.0}
    return [labels for labels, value in samples.items() if value]


def test_the_decision_and_what_it_rests_on(target: Target) -> None:
    save_weights(target, ec2=90, blue=10)
    record(target, "roll_back", phase=1)
    record(target, "hold")
    found = scrape(target)
    assert current(found["migration_decision"]) == [(SLUG, "2", "hold")]
    assert len(found["migration_decision"]) == 5
    assert current(found["migration_verdict"]) == [
        (SLUG, "2", "error_rate", "parity"),
        (SLUG, "2", "latency_p95", "not enough data"),
    ]
    assert found["migration_decision_recorded_timestamp_seconds"] == {(SLUG,): NOW_S - 30}
    assert found["migration_data_until_timestamp_seconds"] == {(SLUG,): NOW_S - 180}
    assert found["migration_configured_share_ratio"] == {(SLUG, "baseline"): 0.9, (SLUG, "canary"): 0.1}
    assert found["migration_observed_share_ratio"] == {(SLUG, "baseline"): 0.9, (SLUG, "canary"): 0.1}
    assert found["migration_archive_readable"] == {(SLUG,): 1}
    assert found["migration_archive_size_bytes"][()] > 10_000
    assert "migration_viewers" not in found


@pytest.mark.parametrize(
    "keys", [{"age_s": 301}, {"age_s": -31}, {"configured": {"canary": 0.5}}, {"migration": "another"}]
)
def test_what_is_not_surely_of_now_is_no_data_as_at_the_gate(target: Target, keys: dict[str, Any]) -> None:
    save_weights(target, ec2=90, blue=10)
    record(target, **keys)
    found = scrape(target)
    assert current(found["migration_decision"]) == [(SLUG, "2", "no_data")]
    assert not found.keys() & {"migration_verdict", "migration_observed_share_ratio"}
    assert found["migration_decision_recorded_timestamp_seconds"] == {(SLUG,): NOW_S - keys.get("age_s", 30)}


def test_without_a_decision_there_is_no_data(target: Target) -> None:
    found = scrape(target)
    assert current(found["migration_decision"]) == [(SLUG, "", "no_data")]
    assert "migration_decision_recorded_timestamp_seconds" not in found


def test_an_archive_that_cannot_be_read_is_no_data(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    record(target)

    def fail(*_: object, **__: object) -> None:
        raise ArchiveError("unavailable", "no route to host")

    monkeypatch.setattr("archive.db.database.transaction", fail)
    monkeypatch.setattr(metrics, "size_bytes", fail)
    monkeypatch.setattr(target, "source_states", fail)
    found = scrape(target)
    assert current(found["migration_decision"]) == [(SLUG, "", "no_data")]
    assert found["migration_archive_readable"] == {(SLUG,): 0}
    assert "migration_archive_size_bytes" not in found


def test_sources(target: Target) -> None:
    up = SourceState("cloudwatch", "metrics", "slow", NOW_S, NOW_S - 20, 9.0, ())
    problems = tuple(Problem("denied", "alb", "elasticloadbalancing:DescribeRules", about) for about in ("a", "b"))
    target.states = (up, SourceState("alb", "traffic", "denied", NOW_S, None, 0.1, problems))
    found = scrape(target)
    assert found["migration_source_up"] == {(SLUG, "cloudwatch", "metrics"): 1, (SLUG, "alb", "traffic"): 0}
    assert found["migration_source_last_success_timestamp_seconds"] == {(SLUG, "cloudwatch", "metrics"): NOW_S - 20}
    assert found["migration_source_problems"] == {(SLUG, "alb", "traffic", "denied"): 2}


def by_channel(**values: int) -> Samples:
    return {(SLUG, channel): value for channel, value in values.items()}


def test_notifications(target: Target) -> None:
    notify = Notify(
        dashboard_url="https://dashboard.example.com",
        slack="SLACK_URL",
        webhook="HOOK_URL",
        webhook_secret="HOOK_SECRET",
        mackerel_key="KEY",
    )
    target.migration = MIGRATION.model_copy(update={"notify": notify})
    outbox = target.archive.notifications
    for key in ("first", "second", "third", "fourth"):
        outbox.enqueue({"slack": key}, key=key, now=NOW_S - 60)
    outbox.enqueue({"mackerel_annotations": "first"}, key="first", now=NOW_S - 60)
    refused = Problem("bad_request", "slack", "POST", detail="no_service")
    for outcome, problem in (("sent", None), ("refused", refused)):
        claim = outbox.claim_next("slack", claim_s=60, now=NOW_S - 50)
        assert claim and outbox.finish(claim, outcome, problem, now=NOW_S - 50)  # type: ignore[arg-type]
    found = scrape(target)
    assert found["migration_notifications_failing"] == by_channel(slack=1, webhook=0, mackerel_annotations=0)
    assert found["migration_notifications_waiting"] == by_channel(slack=2, webhook=0, mackerel_annotations=1)
    assert found["migration_notifications_given_up"] == by_channel(slack=1, webhook=0, mackerel_annotations=0)
    assert found["migration_notification_last_sent_timestamp_seconds"] == {(SLUG, "slack"): NOW_S - 50}
    assert "migration_notifications_failing" not in scrape(replace(target, migration=MIGRATION))


def test_polls_of_one_source_and_role_are_one_histogram(target: Target) -> None:
    """Each collector checks the archive."""
    tasks = [PollTask("archive", "check", lambda: 60.0, 60), PollTask("archive", "check", lambda: 60.0, 60)]
    target.tasks = (*tasks, PollTask("alb", "traffic", lambda: 15.0, 15))
    for task in tasks:
        task.run("photo-service")
    found = scrape(target)
    assert found[f"{POLLS}_count"] == {(SLUG, "archive", "check"): 2, (SLUG, "alb", "traffic"): 0}
    assert found[f"{POLLS}_bucket"][SLUG, "archive", "check", "3600.0"] == 2
    assert 0 < found[f"{POLLS}_sum"][SLUG, "archive", "check"] < 60


def test_several_migrations_and_viewers(target: Target) -> None:
    record(target, "wait")
    release = MIGRATION.model_copy(update={"name": "Photo service / 7"})
    other = Target(target.archive.of(release), release)
    found = scrape(target, other, viewers=lambda: 3)
    assert current(found["migration_decision"]) == [(SLUG, "2", "wait"), (release.slug, "", "no_data")]
    assert found["migration_viewers"] == {(): 3}


def test_a_board_of_releases_has_no_decision(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Migration, "is_release_board", property(lambda _: True))
    found = scrape(target)
    assert "migration_decision" not in found
    assert found["migration_archive_readable"] == {(SLUG,): 1}


def test_before_the_archive_is_open_there_is_the_process_alone() -> None:
    assert {name for name in scrape() if not name.startswith("process_")} == set()


def test_every_metric_is_documented_with_its_labels() -> None:
    documented = {
        **{name: ("gauge", labels) for name, (_text, labels) in GAUGES.items()},
        POLLS: ("histogram", POLLS_LABELS),
    }
    rows = [line.strip("| ").split(" | ") for line in DOCS.splitlines() if line.startswith("| `migration_")]
    assert {row[0].strip("`"): (row[1], row[2].replace("`", "").strip("–")) for row in rows} == {
        name: (kind, ", ".join(labels)) for name, (kind, labels) in documented.items()
    }


def test_a_poll_is_timed_even_if_it_fails() -> None:
    def fail() -> float:
        raise OSError("no route to host")

    task = PollTask("cloudwatch", "metrics", fail, 60)
    task.run("photo-service")
    assert task.durations.cumulative[-1][1] == 1
    assert replace(task).durations is task.durations
