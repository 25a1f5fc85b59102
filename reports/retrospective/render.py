"""The retrospective as one self-contained page, and as JSON."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.retrospective.before_after import BeforeAfter
from analysis.retrospective.phase_rows import PhaseP95, PhaseRow
from archive import NOTES, Archive
from charts.base.events import EVENT_SYMBOLS
from charts.base.frame import chart_frame
from charts.base.svg import figure_svg
from charts.timeline import timeline_figure
from domain import FLEETS, Event, Migration, Window
from domain.sign_offs import Ledger
from messages import retrospective as text
from messages.parity import phase_name
from reports.formats import creation_time, local_minute, slug
from reports.handover import handover_json, handover_rows
from reports.judgement_json import (
    SCHEMA,
    budget_json,
    decision_json,
    event_json,
    iso_time,
    migration_json,
    pick,
    window_json,
)
from reports.probes import probe_json, probe_rows
from reports.retrospective.summary import impact_sentences, impact_tiles, incident_marks, opening
from reports.sign_offs import ledger_state_json, sign_offs_json, signed_in_short
from reports.templating import environment
from services import retrospective as service
from services.batches import BatchView
from services.evaluation import Evaluation
from services.phase_incidents import numbered_incidents
from services.probing import ProbesWithResults, latest_results
from services.retrospective import EvaluationsByWindow, MigrationOutline, Retrospective

MAX_ARCHIVE_AGE_S = 3600  # the page reports data that ends earlier


@dataclass(frozen=True, slots=True, eq=False)
class RetrospectiveReport:
    """A retrospective with its chart data and evaluations. `made_at`: the time of the report.

    `probes`: each configured probe with its newest result; `batches`: their runs since the outline's start, None without [batches].
    `ledger`: all sign-offs of the migration.
    """

    migration: Migration
    retrospective: Retrospective
    evaluations: EvaluationsByWindow
    made_at: datetime
    probes: ProbesWithResults = ()
    batches: BatchView | None = None
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def file_name(self) -> str:
        return retrospective_file_name(self.migration.name, self.retrospective.outline)

    def sentences(self) -> list[str]:
        """Progress and impact, as plain text."""
        outline = self.retrospective.outline
        impact = impact_sentences(self.migration, self.retrospective, now=self.made_at)
        return [opening(self.migration, outline, now=self.made_at), *(f"- {sentence}" for sentence in impact)]

    def html(self) -> str:
        """One page without scripts and network."""
        migration, retrospective, made_at = self.migration, self.retrospective, self.made_at
        outline, window = retrospective.outline, retrospective.outline.window
        sentence = opening(migration, outline, now=made_at)
        frame = chart_frame(migration, window)
        marks = incident_marks(outline, self.evaluations)
        figure = timeline_figure(self.retrospective.timeline, outline.share_steps, frame, outline.events, marks)
        numbered = numbered_incidents(retrospective, self.evaluations)
        return environment.get_template("retrospective.html.j2").render(
            tile_items=impact_tiles(migration, retrospective, len(numbered)),
            incident_items=numbered,
            EVENT_SYMBOLS=EVENT_SYMBOLS,
            NOTES=NOTES,
            fleets=FLEETS,
            report=self,
            sentence=sentence,
            impact=impact_sentences(migration, retrospective, now=made_at),
            chart=figure_svg(figure, text.chart_alternative(sentence)),
            made=creation_time(migration, made_at),
            events=[(local_minute(migration, event.ts), event) for event in outline.events],
            missing=missing_data(migration, retrospective, now=made_at),
            sign_offs={
                row.phase.window: signed_in_short(self.ledger.of_window(row.phase.window), migration.zone, now=made_at)
                for row in retrospective.phase_rows
            },
            probes=probe_rows(migration, self.probes),
            handover=handover_rows(migration, self.batches.jobs if self.batches else (), made_at),
        )

    def json(self) -> dict[str, Any]:
        """See docs/cli.md: times are UTC, shares and rates fractions, latency in seconds, null means unknown."""
        retrospective, excess = self.retrospective, self.retrospective.excess_errors
        outline, is_compared = retrospective.outline, excess.requests > 0
        return {
            "schema": SCHEMA,
            "ok": True,
            **migration_json(self.migration),
            "source": outline.source,
            "window": window_json(outline.window),
            "first_step": iso_time(outline.first_step),
            "last_step": iso_time(outline.last_step),
            "impact": {
                "canary_requests": retrospective.canary_requests,
                "errors": {
                    **pick(excess, "lower", "upper", "requests", "unpaired_requests"),
                    "observed": excess.observed if is_compared else None,
                    "expected": excess.expected if is_compared else None,
                    "excess": excess.estimate if is_compared else None,
                },
                "minutes_outside": {
                    "error_rate": retrospective.error_rate_outside_minutes if is_compared else None,
                    "latency_p95": retrospective.p95_outside_minutes if is_compared else None,
                },
                "rollbacks": [
                    {
                        "at": iso_time(rollback.ts),
                        "from": rollback.share_before,
                        "to": rollback.share_after,
                        "effect_within_s": rollback.effect_s,
                        "alert_lead_s": rollback.alert_lead_s,
                    }
                    for rollback in retrospective.rollbacks
                ],
            },
            "phases": [
                _phase_json(row, self.evaluations.get(row.phase.window))
                | {"sign_offs": sign_offs_json(self.ledger.of_window(row.phase.window))}
                for row in retrospective.phase_rows
            ],
            "ledger": ledger_state_json(self.ledger),
            "probes": [
                {
                    **probe.model_dump(include={"method", "path", "header"}),
                    "result": probe_json(result) if result else None,
                }
                for probe, result in self.probes
            ],
            "handover": self._handover_json(),
            "before_after": _before_after_json(retrospective.before_after),
            "gaps": [window_json(gap) for gap in retrospective.gaps],
            "hourly_only_until": iso_time(retrospective.hourly_only_until),
            "data_until": iso_time(retrospective.data_until),
            "events": [_event_json(event) for event in outline.events],
        }

    def _handover_json(self) -> dict[str, Any] | None:
        if self.batches is None:
            return None
        jobs = {job.name: handover_json(job, self.migration) for job in self.batches.jobs if job.handover}
        return {"complete": self.batches.complete, "jobs": jobs}


def build_report(
    archive: Archive,
    migration: Migration,
    source: str,
    *,
    read_runs: Callable[[Window], BatchView | None] = lambda _window: None,
    now: datetime,
) -> RetrospectiveReport | None:
    """The report from the archive; None if it has no data of `source`. `read_runs`: of batches, in a window. Raises ArchiveError."""
    outline = service.read_outline(archive, migration, source, now=now)
    if outline is None:
        return None
    retrospective = service.build_retrospective(archive, migration, outline)
    return report_of(archive, migration, retrospective, read_runs(outline.window), now=now)


def report_of(
    archive: Archive, migration: Migration, retrospective: Retrospective, batches: BatchView | None, *, now: datetime
) -> RetrospectiveReport:
    """The report of a retrospective. Raises ArchiveError."""
    evaluations = dict(service.phase_evaluations(archive, migration, retrospective, now=now))
    probes = latest_results(archive, migration, now=now)
    ledger = archive.sign_offs.read()
    return RetrospectiveReport(migration, retrospective, evaluations, now, probes, batches, ledger)


def missing_data(migration: Migration, retrospective: Retrospective, *, now: datetime) -> list[str]:
    """Sentences on what the archive does not have."""
    sentences = []
    age_s = retrospective.outline.window.end - retrospective.data_until
    if age_s > MAX_ARCHIVE_AGE_S:
        sentences.append(text.stale_archive(age_s))
    if retrospective.hourly_only_until is not None:
        until = datetime.fromtimestamp(retrospective.hourly_only_until, UTC)
        sentences.append(text.hours_only(until, migration.zone, now=now))
    if retrospective.gaps:
        gaps = [(gap.starts_at, gap.ends_at) for gap in retrospective.gaps]
        sentences.append(text.gaps(gaps, migration.zone, now=now))
    return sentences


def retrospective_file_name(name: str, outline: MigrationOutline) -> str:
    """ "retrospective-photo-service-20260912-20261114.html"."""
    return f"retrospective-{slug(name)}-{outline.window.starts_at:%Y%m%d}-{outline.window.ends_at:%Y%m%d}.html"


def _phase_json(row: PhaseRow, evaluation: Evaluation | None) -> dict[str, Any]:
    return {
        "number": row.phase.number,
        "name": phase_name(row.phase),
        **window_json(row.phase.window),
        "judged": window_json(row.phase.judged_window),
        **pick(row.phase, "canary_share", "started_by", "origin", "bake_time_s", "outcome"),
        "requests": dict(row.requests),
        "errors": dict(row.errors),
        "error_budget": budget_json(row.budget, row.errors),
        "p95": {fleet: _p95_json(row.p95[fleet]) for fleet in FLEETS},
        "verdict": evaluation.judgement.verdict if evaluation else None,
        **(decision_json(evaluation) if evaluation else {}),
        "events": [_event_json(event) for event in row.events],
        "merged_swaps": [
            {
                "start": iso_time(swap.start),
                "duration_s": swap.duration_s,
                "canary_share": swap.share,
                "with_deployment": True,
            }
            for swap in row.phase.merged_swaps
        ],
    }


def _p95_json(p95: PhaseP95 | None) -> dict[str, Any] | None:
    if p95 is None:
        return None
    return {"value": p95.value, "of": p95.basis, "minimum": p95.minimum, "maximum": p95.maximum}


def _before_after_json(comparison: BeforeAfter | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "before": window_json(comparison.before),
        "after": window_json(comparison.after),
        **pick(comparison, "hours", "days", "complete", "clocks_changed"),
        "changes": [asdict(change) for change in comparison.changes],
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {**event_json(event), "until": iso_time(event.until)}
