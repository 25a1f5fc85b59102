"""A retrospective told: in sentences, the same on the page, on paper and in the terminal; and whole, for whoever has an archive."""

from datetime import UTC, datetime

from domain import Migration
from messages import retrospective as words
from services.retrospective import MigrationOutline, Retrospective


def opening(migration: Migration, outline: MigrationOutline, *, now: datetime) -> str:
    """How far the migration has come, in one sentence."""
    if outline.first_step is None:
        return words.opening(None, outline.window.ends_at, migration.zone, (), 0, 0, now=now)
    known = [one for one in outline.phases if one.window.end > outline.first_step and one.canary_share is not None]
    shares = [one.canary_share for one in known if one.canary_share is not None]
    return words.opening(
        _at(outline.first_step),
        outline.window.ends_at,
        migration.zone,
        shares,
        len(outline.merged_phases),
        len(outline.rollback_times),
        now=now,
    )


def impact_sentences(migration: Migration, retrospective: Retrospective, *, now: datetime) -> list[str]:
    """What it cost, a sentence each."""
    told, zone = retrospective.outline, migration.zone
    baseline, canary = migration.fleets.baseline.label, migration.fleets.canary.label
    said = [
        words.impact_requests(canary, retrospective.canary_requests),
        words.impact_errors(canary, baseline, retrospective.excess_errors),
    ]
    if retrospective.excess_errors.unpaired_requests:
        said.append(words.impact_unpaired(canary, baseline, retrospective.excess_errors.unpaired_requests))
    said.append(
        words.impact_outside_margin(retrospective.error_rate_outside_minutes, retrospective.p95_outside_minutes)
    )
    said += words.impact_rollbacks(retrospective.rollbacks, zone, now=now)
    if told.first_step is not None and told.last_step is not None:
        said.append(words.impact_days(_at(told.first_step), _at(told.last_step), zone, now=now))
    return said


def _at(ts: int) -> datetime:
    return datetime.fromtimestamp(ts, UTC)
