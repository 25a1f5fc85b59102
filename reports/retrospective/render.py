"""The retrospective for a person without the dashboard: one page that stands alone, and the same as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import analysis
from analysis.retrospective.phase_rows import PhaseP95, PhaseRow
from analysis.retrospective.timeline import Timeline
from archive import NOTES, Archive
from charts.base.events import EVENT_SYMBOLS
from charts.base.frame import ChartFrame
from charts.base.palette import Theme
from charts.base.svg import figure_svg
from charts.timeline import timeline_figure
from domain import FLEETS, Event, Migration, Window
from messages import before_after as weeks
from messages import events as event_words
from messages import evidence as shared
from messages import live, numbers, states, times, verdicts
from messages import notes as noted
from messages import retrospective as words
from messages.errors import sources
from reports.evidence.render import templates
from reports.retrospective.summary import impact_sentences, opening
from services.parity import evidence_window, judge_window
from services.retrospective import (
    MigrationOutline,
    Retrospective,
    build_outline,
    build_retrospective,
    outline_end,
    read_timeline,
)

MAX_ARCHIVE_AGE_S = 3600  # numbers that have not come for so long are missed
JudgementsByWindow = Mapping[Window, analysis.Judgement]


def phase_judgements(
    archive: Archive, migration: Migration, retrospective: Retrospective, *, now: datetime
) -> JudgementsByWindow:
    """The judge's verdict of every phase. Raises ArchiveError where the archive cannot be read."""
    source = retrospective.outline.source
    return {
        one.phase.window: judge_window(archive, migration, source, evidence_window(one.phase), now=now).judgement
        for one in retrospective.phase_rows
    }


def retrospective_html(
    migration: Migration,
    retrospective: Retrospective,
    timeline: Timeline,
    judgements: JudgementsByWindow,
    *,
    made_at: datetime,
) -> str:
    """One page that needs nothing else: no script, no network. `told` is the course of the whole window."""
    when, zone = retrospective.outline, migration.zone
    sentence = opening(migration, when, now=made_at)
    figure = timeline_figure(timeline, when.share_steps, timeline_frame(migration, when.window), when.events)
    return templates.get_template("retrospective.html.j2").render(
        words=words,
        shared=shared,
        weeks=weeks,
        noted=noted,
        MARKS=EVENT_SYMBOLS,
        said=event_words.title,
        numbers=numbers,
        times=times,
        verdicts=verdicts,
        fleets=FLEETS,
        migration=migration,
        demo=live.DEMO_MARK() if migration.demo else "",
        found=retrospective,
        outline=when,
        judged=judgements,
        sentence=sentence,
        costs=impact_sentences(migration, retrospective, now=made_at),
        chart=figure_svg(figure, words.chart_alternative(sentence)),
        bucket_s=timeline.bucket_s,
        source=states.source_name(when.source),
        span=times.span(when.window.starts_at, when.window.ends_at, zone, now=made_at),
        made=f"{made_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {migration.timezone} ({made_at.astimezone(UTC):%H:%M:%S} UTC)",
        phases_head=words.phases_head(migration.fleets.baseline.label, migration.fleets.canary.label),
        happened=[(f"{_at(event.ts).astimezone(zone):%Y-%m-%d %H:%M}", event) for event in when.events],
        notes=NOTES,
        missing=missing_data(migration, retrospective, now=made_at),
        line=event_words.title_with_author,
        shortened=sources.shorten,
        now=made_at,
    )


def missing_data(migration: Migration, retrospective: Retrospective, *, now: datetime) -> list[str]:
    """What the archive does not hold, in sentences."""
    said = []
    behind_s = retrospective.outline.window.end - retrospective.data_until
    if behind_s > MAX_ARCHIVE_AGE_S:
        said.append(words.stale_archive(behind_s))
    if retrospective.hourly_only_until is not None:
        said.append(words.hours_only(_at(retrospective.hourly_only_until), migration.zone, now=now))
    if retrospective.gaps:
        said.append(words.gaps([(gap.starts_at, gap.ends_at) for gap in retrospective.gaps], migration.zone, now=now))
    return said


def retrospective_json(
    migration: Migration, retrospective: Retrospective, judgements: JudgementsByWindow
) -> dict[str, Any]:
    """The shape that docs/cli.md describes: times are UTC, shares and rates fractions, latency in seconds, null is "not known"."""
    when, lost = retrospective.outline, retrospective.excess_errors
    return {
        "ok": True,
        "migration": migration.name,
        "demo": migration.demo,
        "source": when.source,
        "window": {"from": _iso_time(when.window.start), "to": _iso_time(when.window.end)},
        "first_step": _iso_time(when.first_step),
        "last_step": _iso_time(when.last_step),
        "cost": {
            "canary_requests": retrospective.canary_requests,
            "errors": {
                "seen": lost.observed,
                "expected": lost.expected,
                "excess": lost.estimate,
                "low": lost.lower,
                "high": lost.upper,
                "requests": lost.requests,
                "requests_alone": lost.unpaired_requests,
            },
            "minutes_outside": {
                "error_rate": retrospective.error_rate_outside_minutes,
                "latency_p95": retrospective.p95_outside_minutes,
            },
            "steps_back": [
                {
                    "at": _iso_time(one.ts),
                    "from": one.share_before,
                    "to": one.share_after,
                    "effect_within_s": one.effect_s,
                    "after_alert_s": one.alert_lead_s,
                }
                for one in retrospective.rollbacks
            ],
        },
        "phases": [_phase_row_json(one, judgements.get(one.phase.window)) for one in retrospective.phase_rows],
        "weeks": _before_after_json(retrospective),
        "gaps": [{"from": _iso_time(gap.start), "to": _iso_time(gap.end)} for gap in retrospective.gaps],
        "hours_only_until": _iso_time(retrospective.hourly_only_until),
        "numbers_until": _iso_time(retrospective.data_until),
        "events": [_event_json(event) for event in when.events],
    }


def _phase_row_json(row: PhaseRow, judgement: analysis.Judgement | None) -> dict[str, Any]:
    return {
        "from": _iso_time(row.phase.window.start),
        "to": _iso_time(row.phase.window.end),
        "canary_share": row.phase.canary_share,
        "begun_by": row.phase.started_by,
        "dwell_s": row.phase.bake_time_s,
        "requests": dict(row.requests),
        "errors": dict(row.errors),
        "p95": {fleet: _p95_json(row.p95[fleet]) for fleet in FLEETS},
        "verdict": judgement.verdict if judgement else None,
        "incidents": [_event_json(event) for event in row.incidents],
        "folded": [
            {
                "at": _iso_time(fold.start),
                "length_s": fold.duration_s,
                "canary_share": fold.share,
                "swap": fold.with_deployment,
            }
            for fold in row.merged_swaps
        ],
    }


def _p95_json(p95: PhaseP95 | None) -> dict[str, Any] | None:
    if p95 is None:
        return None
    return {"value": p95.value, "of": p95.basis, "low": p95.minimum, "high": p95.maximum}


def _before_after_json(retrospective: Retrospective) -> dict[str, Any] | None:
    told = retrospective.before_after
    if told is None:
        return None
    return {
        "before": {"from": _iso_time(told.before.start), "to": _iso_time(told.before.end)},
        "after": {"from": _iso_time(told.after.start), "to": _iso_time(told.after.end)},
        "hours": told.hours,
        "complete": told.complete,
        "clocks_changed": told.clocks_changed,
        "changes": [
            {
                "measure": one.measure,
                "before": one.before,
                "after": one.after,
                "difference": one.difference,
                "low": one.lower,
                "high": one.upper,
                "relative": one.relative,
            }
            for one in told.changes
        ],
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "at": _iso_time(event.ts),
        "until": _iso_time(event.until),
        "kind": event.kind,
        "title": event.title,
        "open": event.open,
    }


def timeline_frame(migration: Migration, window: Window, theme: Theme = "light") -> ChartFrame:
    """What surrounds the chart. Nothing of it is provisional: it ends with what is settled."""
    at = window.ends_at.astimezone(migration.zone)
    return ChartFrame(
        labels={"baseline": migration.fleets.baseline.label, "canary": migration.fleets.canary.label},
        window=window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=at.tzname() or migration.timezone,
        provisional_from=window.end,
        theme=theme,
    )


def retrospective_file_name(name: str, outline: MigrationOutline) -> str:
    """`name` in plain letters with the window in UTC: "retrospective-photo-service-20260912-20261114.html"."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    slug = "-".join(letters.split())[:60] or "migration"
    return f"retrospective-{slug}-{outline.window.starts_at:%Y%m%d}-{outline.window.ends_at:%Y%m%d}.html"


def _iso_time(ts: int | None) -> str | None:
    return None if ts is None else f"{_at(ts):%Y-%m-%dT%H:%M:%SZ}"


def _at(ts: int) -> datetime:
    return datetime.fromtimestamp(ts, UTC)


@dataclass(frozen=True, slots=True, eq=False)
class RetrospectiveReport:
    """A whole retrospective, ready to be written down."""

    migration: Migration
    retrospective: Retrospective
    timeline: Timeline
    judgements: JudgementsByWindow
    made_at: datetime

    @property
    def file_name(self) -> str:
        return retrospective_file_name(self.migration.name, self.retrospective.outline)

    def html(self) -> str:
        return retrospective_html(
            self.migration, self.retrospective, self.timeline, self.judgements, made_at=self.made_at
        )

    def json(self) -> dict[str, Any]:
        return retrospective_json(self.migration, self.retrospective, self.judgements)

    def sentences(self) -> list[str]:
        """How far it has come, and what it cost."""
        said = impact_sentences(self.migration, self.retrospective, now=self.made_at)
        return [opening(self.migration, self.retrospective.outline, now=self.made_at), *(f"- {one}" for one in said)]


def build_report(archive: Archive, migration: Migration, source: str, *, now: datetime) -> RetrospectiveReport | None:
    """The retrospective of what the archive holds of `source`, asking nobody; None where it holds nothing. Raises ArchiveError."""
    told = build_outline(archive, source, end=outline_end(migration, now))
    if told is None:
        return None
    found = build_retrospective(archive, migration, told)
    judged = phase_judgements(archive, migration, found, now=now)
    return RetrospectiveReport(migration, found, read_timeline(archive, migration, source, told.window), judged, now)
