"""The retrospective in HTML: what it cost as sentences, the phases as a table, before and after as another."""

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

import analysis
from analysis.retrospective.phase_rows import PhaseRow
from charts.base.events import EVENT_SYMBOLS
from charts.timeline import EVENT_PRIORITY
from domain import FLEETS, Event, Migration, Window
from messages import before_after as told
from messages import events, numbers, times, verdicts
from messages import retrospective as words
from messages.errors.sources import shorten
from reports.retrospective.summary import impact_sentences
from services.retrospective import Retrospective
from ui.url import format_time
from ui.verdicts import TONES

Judgements = Mapping[Window, analysis.Judgement | None]
MAX_INCIDENTS = 4
MAX_LIVE_WINDOW_S = 86_400  # the Live page shows a day at most: of a longer phase, the first


def impact_list(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    """The sentences that count what it cost."""
    items = Markup("").join(
        Markup("<li>{}</li>").format(one) for one in impact_sentences(migration, retrospective, now=now)
    )
    return Markup("<section class='below cost'><h2>{}</h2><ul title='{}'>{}</ul></section>").format(
        words.IMPACT, words.IMPACT_OUTSIDE_EXPLAINED(), items
    )


def phases_table(
    migration: Migration, retrospective: Retrospective, judgements: Judgements, *, now: datetime
) -> Markup:
    """One row a phase, newest last. A phase that is not judged yet says so."""
    fleets = migration.fleets
    head = words.phases_head(fleets.baseline.label, fleets.canary.label)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    rows = Markup("").join(
        _phase_row(migration, one, judgements.get(one.phase.window), now=now) for one in retrospective.phase_rows
    )
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest phases' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(words.PHASES, words.PHASES, cells, rows, words.PHASES_NOTE())


def _phase_row(migration: Migration, row: PhaseRow, judgement: analysis.Judgement | None, *, now: datetime) -> Markup:
    window = row.phase.window
    live = Markup("/?from={}&to={}").format(
        format_time(window.start), format_time(min(window.end, window.start + MAX_LIVE_WINDOW_S))
    )
    links = Markup("<a href='{}' target='_self'>{}</a> · <a href='/parity?phase={}' target='_self'>{}</a>").format(
        live, words.LIVE_LINK(), window.start, words.PARITY_LINK()
    )
    folds = Markup("").join(Markup("<small>{}</small>").format(words.merged_swap(fold)) for fold in row.merged_swaps)
    return Markup("<tr><th scope='row'>{}<small>{}</small><small>{}</small>{}</th><td>{}</td>{}{}{}<td>{}</td><td>{}</td></tr>").format(
        words.phase_share(row.phase.canary_share),
        words.phase_title(row, migration.zone, now=now),
        links,
        folds,
        times.duration(row.phase.bake_time_s),
        _fleet_pair([numbers.count(row.requests[fleet]) for fleet in FLEETS]),
        _fleet_pair([numbers.percent(row.error_rate(fleet)) for fleet in FLEETS]),
        _p95(row),
        _verdict(migration, row.phase, judgement),
        _incidents(row.incidents, migration, now=now),
    )  # fmt: skip


def _fleet_pair(values: list[str]) -> Markup:
    return Markup("<td>{} / {}</td>").format(*values)


def _p95(row: PhaseRow) -> Markup:
    """Both fleets' p95, what they are of, and, for whoever points at one, the range of what it is the median of."""
    told = [row.p95[fleet] for fleet in FLEETS]
    values = Markup(" / ").join(
        Markup("<span title='{}'>{}</span>").format(
            words.p95_explained(found), numbers.milliseconds(found.value if found else None)
        )
        for found in told
    )
    basis = ", ".join(dict.fromkeys(words.p95_basis(found) for found in told if found))
    return Markup("<td>{}<small>{}</small></td>").format(values, basis)


def _verdict(migration: Migration, phase: analysis.Phase, judgement: analysis.Judgement | None) -> Markup:
    if phase.is_one_sided:
        fleets = migration.fleets
        text = words.single_fleet(fleets.baseline.label, fleets.canary.label, phase.canary_share or 0.0)
        return Markup("<span class='note'>{}</span>").format(text)
    if judgement is None:
        return Markup("<span class='note'>{}</span>").format(words.JUDGING)
    deciding = verdicts.deciding_criteria(judgement)
    why = " · ".join(
        f"{verdicts.metric(found.criterion)}: {verdicts.label(found.verdict)}"
        for found in judgement.criteria
        if found.verdict != judgement.verdict
    )
    return Markup("<b class='{}' title='{}'>{} {}</b>{}").format(
        TONES[judgement.verdict],
        " ".join(verdicts.reason(found) for found in deciding),
        verdicts.SIGNS[judgement.verdict],
        verdicts.label(judgement.verdict),
        Markup("<small>{}</small>").format(why) if why else "",
    )


def _incidents(incidents: tuple[Event, ...], migration: Migration, *, now: datetime) -> Markup:
    shown = sorted(incidents, key=lambda event: (EVENT_PRIORITY[event.kind], event.ts))[:MAX_INCIDENTS]
    lines = Markup("").join(
        Markup("<small title='{}'>{} {} {}</small>").format(
            shorten(event.detail, 300),
            EVENT_SYMBOLS[event.kind],
            times.clock(datetime.fromtimestamp(event.ts, UTC), migration.zone, now=now),
            shorten(events.title(event), 80),
        )
        for event in sorted(shown, key=lambda event: event.ts)
    )
    more = len(incidents) - len(shown)
    return lines + (Markup("<small>{}</small>").format(words.more_incidents(more)) if more else Markup(""))


def before_after_table(migration: Migration, retrospective: Retrospective, *, now: datetime) -> Markup:
    """The week before against the week after; or why there is none."""
    weeks = retrospective.before_after
    if weeks is None or not weeks.changes:
        text = told.no_comparison(weeks) if retrospective.outline.last_step is not None else told.NO_STEP()
        return Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(told.TITLE, text)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in told.TABLE_HEAD())
    rows = Markup("").join(
        Markup("<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
            told.metric(one),
            told.value(one, one.before),
            told.value(one, one.after),
            told.difference(one, one.difference),
            told.interval(one),
        )
        for one in weeks.changes
    )
    return Markup(
        "<section class='below'><h2>{}</h2><p class='note'>{}</p><div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(
        told.TITLE,
        told.compared_weeks(weeks, migration.zone, now=now),
        told.TITLE,
        cells,
        rows,
        told.EXPLAINED(),
    )
