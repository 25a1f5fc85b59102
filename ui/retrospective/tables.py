"""The retrospective in HTML: its impact in sentences, the phases, and the weeks before and after."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

from analysis.retrospective.phase_rows import PhaseRow
from charts.base.events import EVENT_SYMBOLS
from charts.timeline import EVENT_PRIORITY
from domain import Event, Migration, Window
from domain.sign_offs import Ledger
from domain.window import DAY_S
from messages import before_after, events
from messages import retrospective as text
from messages.errors.sources import shorten
from reports.retrospective.summary import impact_sentences, impact_tiles
from reports.sign_offs import signed_in_short
from reports.templating import render
from services.evaluation import Evaluation
from services.phase_incidents import numbered_incidents
from services.retrospective import Retrospective
from ui.layout import format_clock
from ui.sorting import parse_sort, sort_head, sorted_rows
from ui.url import format_time

SORT_COLUMNS = ("phase", "duration", "requests", "errors", "p95")
_SORT_VALUES: Mapping[str, Callable[[PhaseRow], Any]] = {
    "phase": lambda row: row.phase.number,
    "duration": lambda row: row.phase.bake_time_s,
    "requests": lambda row: row.requests["canary"],
    "errors": lambda row: row.error_difference,
    "p95": lambda row: row.p95_difference,
}
NO_SIGN_OFFS = Ledger()
MAX_EVENTS = 4
MAX_LIVE_WINDOW_S = DAY_S  # the longest range of the Live page


def impact_list(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    return render("retrospective.impact", items=impact_sentences(migration, retrospective, now=now))


def tiles(
    migration: Migration, retrospective: Retrospective, evaluations: Mapping[Window, Evaluation], *, complete: bool
) -> Markup:
    """The impact in four numbers. `complete`: all phases are judged, of a complete archive, so that their incidents are known."""
    n_incidents = len(numbered_incidents(retrospective, evaluations)) if complete else None
    return render("retrospective.tiles", items=impact_tiles(migration, retrospective, n_incidents))


def incident_list(
    migration: Migration,
    retrospective: Retrospective,
    evaluations: Mapping[Window, Evaluation],
    *,
    all_judged: bool,
    is_filling: bool,
) -> Markup:
    """`all_judged`: the phases; `is_filling`: the archive. Before all is known, none found does not mean that there was none."""
    items = numbered_incidents(retrospective, evaluations)
    if_empty = text.JUDGING if not all_judged else text.NO_INCIDENTS_SO_FAR if is_filling else text.NO_INCIDENTS
    return render("retrospective.incidents", items=items, labels=migration.labels, if_empty=if_empty)


def phases_table(
    migration: Migration,
    retrospective: Retrospective,
    evaluations: Mapping[Window, Evaluation],
    query_params: Mapping[str, str] | None = None,
    *,
    ledger: Ledger = NO_SIGN_OFFS,
    now: datetime,
) -> Markup:
    """One row per phase, the newest last unless the URL has another order. A phase without an evaluation is being judged."""
    labels, query = migration.labels, query_params or {}
    sort = parse_sort(query.get("sort", ""), SORT_COLUMNS)
    incidents = numbered_incidents(retrospective, evaluations)
    rows = []
    for row in sorted_rows(retrospective.phase_rows, sort, _SORT_VALUES):
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
                [item for item in incidents if item.evaluation is evaluations.get(window)],
                signed_in_short(ledger.of_window(window), migration.zone, now=now),
            )
        )
    names = text.phases_head(labels["baseline"], labels["canary"])
    head = sort_head(names, SORT_COLUMNS, sort, query, ascending_first="phase")
    return render("retrospective.phases_table", head=head, rows=rows, labels=labels, ledger=ledger)


def _event(event: Event, migration: Migration, now: datetime) -> tuple[str, str]:
    """Tooltip and text."""
    clock = format_clock(event.ts, migration, now)
    return shorten(events.detail(event), 300), f"{EVENT_SYMBOLS[event.kind]} {clock} {shorten(events.title(event), 80)}"


def before_after_table(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    """The week before the migration against the week after; or why there is no comparison."""
    comparison = retrospective.before_after
    if comparison and comparison.changes:
        about = before_after.compared_weeks(comparison, migration.zone, now=now)
        return render("retrospective.before_after", comparison=comparison, about=about)
    has_steps = retrospective.outline.last_step is not None
    about = before_after.no_comparison(comparison) if has_steps else str(before_after.NO_STEP)
    return render("retrospective.before_after", comparison=None, about=about)
