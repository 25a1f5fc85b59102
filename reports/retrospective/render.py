"""The retrospective for a person without the dashboard: one page that stands alone, and the same as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import analysis
from analysis.retrospective.phase_rows import P95, Chapter
from analysis.retrospective.timeline import Course
from archive import NOTES, Archive
from charts.base.events import MARKS
from charts.base.frame import Frame
from charts.base.palette import Theme
from charts.base.svg import figure_svg
from charts.timeline import course_figure
from domain import FLEETS, Event, Migration, Window
from messages import before_after as weeks
from messages import events as event_words
from messages import evidence as shared
from messages import live, numbers, states, times, verdicts
from messages import notes as noted
from messages import retrospective as words
from messages.errors import sources
from reports.evidence.render import templates
from reports.retrospective.summary import cost, opening
from services.parity import evidence_of, judge_window
from services.retrospective import Outline, Retrospect, outline, overall, retrospect, until

STALE_S = 3600  # numbers that have not come for so long are missed
Judgements = Mapping[Window, analysis.Judgement]


def judgements(archive: Archive, migration: Migration, found: Retrospect, *, now: datetime) -> Judgements:
    """The judge's verdict of every phase. Raises ArchiveError where the archive cannot be read."""
    source = found.outline.source
    return {
        one.phase.window: judge_window(archive, migration, source, evidence_of(one.phase), now=now).judgement
        for one in found.chapters
    }


def retrospective_html(
    migration: Migration, found: Retrospect, told: Course, judged: Judgements, *, made_at: datetime
) -> str:
    """One page that needs nothing else: no script, no network. `told` is the course of the whole window."""
    when, zone = found.outline, migration.zone
    sentence = opening(migration, when, now=made_at)
    figure = course_figure(told, when.steps, frame_of(migration, when.window), when.events)
    return templates.get_template("retrospective.html.j2").render(
        words=words,
        shared=shared,
        weeks=weeks,
        noted=noted,
        MARKS=MARKS,
        said=event_words.title,
        numbers=numbers,
        times=times,
        verdicts=verdicts,
        fleets=FLEETS,
        migration=migration,
        demo=live.demo_mark() if migration.demo else "",
        found=found,
        outline=when,
        judged=judged,
        sentence=sentence,
        costs=cost(migration, found, now=made_at),
        chart=figure_svg(figure, words.chart_alternative(sentence)),
        bucket_s=told.bucket_s,
        source=states.source_name(when.source),
        span=times.span(when.window.starts_at, when.window.ends_at, zone, now=made_at),
        made=f"{made_at.astimezone(zone):%Y-%m-%d %H:%M:%S} {migration.timezone} ({made_at.astimezone(UTC):%H:%M:%S} UTC)",
        phases_head=words.phases_head(migration.fleets.baseline.label, migration.fleets.canary.label),
        happened=[(f"{_at(event.ts).astimezone(zone):%Y-%m-%d %H:%M}", event) for event in when.events],
        notes=NOTES,
        missing=missing(migration, found, now=made_at),
        line=event_words.line,
        shortened=sources.shortened,
        now=made_at,
    )


def missing(migration: Migration, found: Retrospect, *, now: datetime) -> list[str]:
    """What the archive does not hold, in sentences."""
    said = []
    behind_s = found.outline.window.end - found.numbers_until
    if behind_s > STALE_S:
        said.append(words.stale_archive(behind_s))
    if found.hours_until is not None:
        said.append(words.hours_only(_at(found.hours_until), migration.zone, now=now))
    if found.gaps:
        said.append(words.gaps([(gap.starts_at, gap.ends_at) for gap in found.gaps], migration.zone, now=now))
    return said


def retrospective_json(migration: Migration, found: Retrospect, judged: Judgements) -> dict[str, Any]:
    """The shape that docs/cli.md describes: times are UTC, shares and rates fractions, latency in seconds, null is "not known"."""
    when, lost = found.outline, found.excess
    return {
        "ok": True,
        "migration": migration.name,
        "demo": migration.demo,
        "source": when.source,
        "window": {"from": _utc(when.window.start), "to": _utc(when.window.end)},
        "first_step": _utc(when.first_step),
        "last_step": _utc(when.last_step),
        "cost": {
            "canary_requests": found.canary_requests,
            "errors": {
                "seen": lost.seen,
                "expected": lost.expected,
                "excess": lost.estimate,
                "low": lost.low,
                "high": lost.high,
                "requests": lost.requests,
                "requests_alone": lost.alone,
            },
            "minutes_outside": {"error_rate": found.outside_errors_minutes, "latency_p95": found.outside_p95_minutes},
            "steps_back": [
                {
                    "at": _utc(one.at),
                    "from": one.before,
                    "to": one.after,
                    "effect_within_s": one.effect_s,
                    "after_alert_s": one.alert_s,
                }
                for one in found.steps_back
            ],
        },
        "phases": [_chapter_json(one, judged.get(one.phase.window)) for one in found.chapters],
        "weeks": _weeks_json(found),
        "gaps": [{"from": _utc(gap.start), "to": _utc(gap.end)} for gap in found.gaps],
        "hours_only_until": _utc(found.hours_until),
        "numbers_until": _utc(found.numbers_until),
        "events": [_event_json(event) for event in when.events],
    }


def _chapter_json(one: Chapter, judgement: analysis.Judgement | None) -> dict[str, Any]:
    return {
        "from": _utc(one.phase.window.start),
        "to": _utc(one.phase.window.end),
        "canary_share": one.phase.canary_share,
        "begun_by": one.phase.begun_by,
        "dwell_s": one.phase.dwell_s,
        "requests": dict(one.requests),
        "errors": dict(one.errors),
        "p95": {fleet: _p95_json(one.p95[fleet]) for fleet in FLEETS},
        "verdict": judgement.verdict if judgement else None,
        "incidents": [_event_json(event) for event in one.incidents],
        "folded": [
            {"at": _utc(fold.at), "length_s": fold.length_s, "canary_share": fold.share, "swap": fold.swap}
            for fold in one.folds
        ],
    }


def _p95_json(told: P95 | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {"value": told.value, "of": told.basis, "low": told.low, "high": told.high}


def _weeks_json(found: Retrospect) -> dict[str, Any] | None:
    told = found.weeks
    if told is None:
        return None
    return {
        "before": {"from": _utc(told.before.start), "to": _utc(told.before.end)},
        "after": {"from": _utc(told.after.start), "to": _utc(told.after.end)},
        "hours": told.hours,
        "complete": told.complete,
        "clocks_changed": told.clocks,
        "changes": [
            {
                "measure": one.measure,
                "before": one.before,
                "after": one.after,
                "difference": one.difference,
                "low": one.low,
                "high": one.high,
                "relative": one.relative,
            }
            for one in told.changes
        ],
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "at": _utc(event.ts),
        "until": _utc(event.until),
        "kind": event.kind,
        "title": event.title,
        "open": event.open,
    }


def frame_of(migration: Migration, window: Window, theme: Theme = "light") -> Frame:
    """What surrounds the chart. Nothing of it is provisional: it ends with what is settled."""
    at = window.ends_at.astimezone(migration.zone)
    return Frame(
        labels={"baseline": migration.fleets.baseline.label, "canary": migration.fleets.canary.label},
        window=window,
        utc_offset_s=int((at.utcoffset() or timedelta()).total_seconds()),
        zone=at.tzname() or migration.timezone,
        provisional_from=window.end,
        theme=theme,
    )


def file_name(name: str, when: Outline) -> str:
    """`name` in plain letters with the window in UTC: "retrospective-photo-service-20260912-20261114.html"."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    slug = "-".join(letters.split())[:60] or "migration"
    return f"retrospective-{slug}-{when.window.starts_at:%Y%m%d}-{when.window.ends_at:%Y%m%d}.html"


def _utc(ts: int | None) -> str | None:
    return None if ts is None else f"{_at(ts):%Y-%m-%dT%H:%M:%SZ}"


def _at(ts: int) -> datetime:
    return datetime.fromtimestamp(ts, UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A whole retrospective, ready to be written down."""

    migration: Migration
    found: Retrospect
    course: Course
    judged: Judgements
    made_at: datetime

    @property
    def file_name(self) -> str:
        return file_name(self.migration.name, self.found.outline)

    def html(self) -> str:
        return retrospective_html(self.migration, self.found, self.course, self.judged, made_at=self.made_at)

    def json(self) -> dict[str, Any]:
        return retrospective_json(self.migration, self.found, self.judged)

    def sentences(self) -> list[str]:
        """How far it has come, and what it cost."""
        said = cost(self.migration, self.found, now=self.made_at)
        return [opening(self.migration, self.found.outline, now=self.made_at), *(f"- {one}" for one in said)]


def tell(archive: Archive, migration: Migration, source: str, *, now: datetime) -> Told | None:
    """The retrospective of what the archive holds of `source`, asking nobody; None where it holds nothing. Raises ArchiveError."""
    told = outline(archive, source, end=until(migration, now))
    if told is None:
        return None
    found = retrospect(archive, migration, told)
    judged = judgements(archive, migration, found, now=now)
    return Told(migration, found, overall(archive, migration, source, told.window), judged, now)
