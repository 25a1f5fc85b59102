"""The retrospective in HTML: its impact in sentences, the phases, and the weeks before and after."""

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup

from charts.base.events import EVENT_SYMBOLS
from charts.timeline import EVENT_PRIORITY
from domain import Event, Migration, Window
from domain.window import DAY_S
from messages import before_after, events
from messages import retrospective as text
from messages.errors.sources import shorten
from reports.retrospective.summary import impact_sentences
from reports.templating import render
from services.evaluation import Evaluation
from services.retrospective import Retrospective
from ui.layout import format_clock
from ui.url import format_time

MAX_EVENTS = 4
MAX_LIVE_WINDOW_S = DAY_S  # the longest range of the Live page


def impact_list(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    return render("retrospective.impact", items=impact_sentences(migration, retrospective, now=now))


def phases_table(
    migration: Migration, retrospective: Retrospective, evaluations: Mapping[Window, Evaluation], *, now: datetime
) -> Markup:
    """One row per phase, the newest last. A phase without an evaluation is being judged."""
    labels = migration.labels
    rows = []
    for row in retrospective.phase_rows:
        window = row.phase.window
        live_end = min(window.end, window.start + MAX_LIVE_WINDOW_S)
        shown = sorted(row.events, key=lambda event: (EVENT_PRIORITY[event.kind], event.ts))[:MAX_EVENTS]
        happened = [_event(event, migration, now) for event in sorted(shown, key=lambda event: event.ts)]
        rows.append(
            (
                row,
                text.phase_title(row, migration.zone, now=now),
                f"/?from={format_time(window.start)}&to={format_time(live_end)}",
                evaluations.get(window),
                happened,
                len(row.events) - len(shown),
            )
        )
    head = text.phases_head(labels["baseline"], labels["canary"])
    return render("retrospective.phases_table", head=head, rows=rows, labels=labels)


def _event(event: Event, migration: Migration, now: datetime) -> tuple[str, str]:
    """Tooltip and text."""
    clock = format_clock(event.ts, migration, now)
    return shorten(event.detail, 300), f"{EVENT_SYMBOLS[event.kind]} {clock} {shorten(events.title(event), 80)}"


def before_after_table(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    """The week before the migration against the week after; or why there is no comparison."""
    comparison = retrospective.before_after
    if comparison and comparison.changes:
        about = before_after.compared_weeks(comparison, migration.zone, now=now)
        return render("retrospective.before_after", comparison=comparison, about=about)
    has_steps = retrospective.outline.last_step is not None
    about = before_after.no_comparison(comparison) if has_steps else str(before_after.NO_STEP)
    return render("retrospective.before_after", comparison=None, about=about)
