"""The retrospective in sentences, for the page, the report and the terminal."""

from datetime import UTC, datetime

from charts.timeline import IncidentMark
from domain import Migration
from messages import error_budget, releases, times
from messages import retrospective as text
from services.phase_incidents import first_incidents
from services.retrospective import EvaluationsByWindow, MigrationOutline, Retrospective


def opening(migration: Migration, outline: MigrationOutline, *, now: datetime) -> str:
    """The progress of the migration in one sentence."""
    if release := migration.release:
        window = release.window(outline.window.end)
        span = times.span(window.starts_at, window.ends_at, migration.zone, now=now)
        is_recorded = outline.first_step is not None or outline.phases[0].canary_share is not None
        return releases.opening(migration.labels, span, release, is_recorded=is_recorded)
    if outline.first_step is None:
        return text.opening(None, outline.window.ends_at, migration.zone, (), n_phases=0, n_rollbacks=0, now=now)
    shares = [phase.canary_share for phase in outline.phases if phase.canary_share is not None]
    return text.opening(
        _at(min(outline.first_step, outline.phases[0].window.start)),
        outline.window.ends_at,
        migration.zone,
        shares,
        n_phases=len(outline.phases),
        n_rollbacks=len(outline.rollback_times),
        now=now,
    )


def impact_tiles(
    migration: Migration, retrospective: Retrospective, n_incidents: int | None
) -> list[tuple[str, str, str]]:
    """The impact as numbers, each with a label and details. `n_incidents`: None while the phases are being judged."""
    baseline, canary = migration.fleets.baseline.label, migration.fleets.canary.label
    tiles = [
        text.requests_tile(canary, retrospective.canary_requests),
        text.excess_tile(baseline, retrospective.excess_errors),
        text.incidents_tile(n_incidents, retrospective.error_rate_outside_minutes, retrospective.p95_outside_minutes),
        text.rollbacks_tile(retrospective.rollbacks),
    ]
    if migration.slo:
        burned, days = retrospective.budget_burned, migration.slo.days
        tiles.append(error_budget.tile(burned, migration.labels, slo=migration.slo, days=days))
    return tiles


def incident_marks(outline: MigrationOutline, evaluations: EvaluationsByWindow) -> tuple[IncidentMark, ...]:
    """The numbers of incidents that are known, for the chart."""
    found = enumerate(first_incidents(outline, evaluations), start=1)
    return tuple(IncidentMark(number, item.kind == "slow", item.window) for number, item in found)


def impact_sentences(migration: Migration, retrospective: Retrospective, *, now: datetime) -> list[str]:
    """The impact of the migration, one sentence per item."""
    outline, excess, zone = retrospective.outline, retrospective.excess_errors, migration.zone
    baseline, canary = migration.fleets.baseline.label, migration.fleets.canary.label
    sentences = [
        text.impact_requests(canary, retrospective.canary_requests),
        text.impact_errors(canary, baseline, excess),
    ]
    if excess.unpaired_requests:
        sentences.append(text.impact_unpaired(canary, baseline, excess.unpaired_requests))
    if excess.requests:
        sentences.append(
            text.impact_outside_margin(retrospective.error_rate_outside_minutes, retrospective.p95_outside_minutes)
        )
    sentences += text.impact_rollbacks(retrospective.rollbacks, zone, now=now)
    if outline.first_step is not None and outline.last_step is not None:
        sentences.append(text.impact_days(_at(outline.first_step), _at(outline.last_step), zone, now=now))
    return sentences


def _at(epoch_s: int) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)
