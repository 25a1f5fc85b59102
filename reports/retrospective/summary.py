"""A retrospective told: in sentences, the same on the page, on paper and in the terminal; and whole, for whoever has an archive."""

from datetime import UTC, datetime

from domain import Migration
from messages import retrospective as words
from services.retrospective import Outline, Retrospect


def opening(migration: Migration, told: Outline, *, now: datetime) -> str:
    """How far the migration has come, in one sentence."""
    if told.first_step is None:
        return words.opening(None, told.window.ends_at, migration.zone, (), 0, 0, now=now)
    known = [one for one in told.phases if one.window.end > told.first_step and one.canary_share is not None]
    shares = [one.canary_share for one in known if one.canary_share is not None]
    return words.opening(
        _at(told.first_step), told.window.ends_at, migration.zone, shares, len(told.rows), len(told.back), now=now
    )


def cost(migration: Migration, found: Retrospect, *, now: datetime) -> list[str]:
    """What it cost, a sentence each."""
    told, zone = found.outline, migration.zone
    baseline, canary = migration.fleets.baseline.label, migration.fleets.canary.label
    said = [words.cost_requests(canary, found.canary_requests), words.cost_errors(canary, baseline, found.excess)]
    if found.excess.alone:
        said.append(words.cost_alone(canary, baseline, found.excess.alone))
    said.append(words.cost_outside(found.outside_errors_minutes, found.outside_p95_minutes))
    said += words.cost_steps_back(found.steps_back, zone, now=now)
    if told.first_step is not None and told.last_step is not None:
        said.append(words.cost_days(_at(told.first_step), _at(told.last_step), zone, now=now))
    return said


def _at(ts: int) -> datetime:
    return datetime.fromtimestamp(ts, UTC)
