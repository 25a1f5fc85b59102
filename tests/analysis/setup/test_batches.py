"""Batches by the names of what starts them and of the metrics that they post."""

import pytest

from analysis.setup.batches import ProposedBatches, propose_batches
from domain.inventory import FoundTrigger

THUMBNAILS = FoundTrigger("rule", "photo-thumbnails", "photo-thumbnails-fn")
DIGEST = FoundTrigger("scheduler", "photo/morning", "photo_digest")


def test_rules_and_functions_are_matched_with_metrics() -> None:
    names = [
        "batch.thumbnails.duration",
        "batch.thumbnails.success",
        "batch.digest.duration",
        "cpu.user",
        "batch.x.duration",
    ]
    assert propose_batches([THUMBNAILS, DIGEST], "photo", names) == ProposedBatches(
        "photo",
        (("duration", "batch.{job}.duration"), ("success", "batch.{job}.success")),
        (("digest", DIGEST), ("thumbnails", THUMBNAILS)),
    )


def test_metrics_of_cron_have_keys_of_their_own() -> None:
    names = ["cron.thumbnails.failed", "batch.thumbnails.failed", "batch.thumbnails.elapsed"]
    proposed = propose_batches([THUMBNAILS], "photo", names)
    assert proposed and dict(proposed.patterns) == {
        "duration": "batch.{job}.elapsed",
        "failure": "batch.{job}.failed",
        "cron_failure": "cron.{job}.failed",
    }


def test_the_pattern_with_the_most_jobs_is_taken() -> None:
    names = ["old.thumbnails.duration", "batch.thumbnails.duration", "batch.digest.duration"]
    proposed = propose_batches([THUMBNAILS, DIGEST], "photo", names)
    assert proposed and proposed.patterns == (("duration", "batch.{job}.duration"),)


@pytest.mark.parametrize(
    ("triggers", "names"),
    [
        ([], ["batch.thumbnails.duration"]),
        ([THUMBNAILS], []),
        ([THUMBNAILS], ["batch.nails.duration", "thumbnails", "batch.thumbnails.cpu"]),
    ],
)
def test_without_a_match_there_are_none(triggers: list[FoundTrigger], names: list[str]) -> None:
    assert propose_batches(triggers, "photo", names) is None
