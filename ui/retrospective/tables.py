"""The retrospective in HTML: what it cost as sentences, the phases as a table, before and after as another."""

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

import analysis
from analysis.retrospective.phase_rows import Chapter
from charts.base.events import MARKS
from charts.timeline import IMPORTANCE
from domain import FLEETS, Event, Migration, Window
from messages import before_after as told
from messages import events, numbers, times, verdicts
from messages import retrospective as words
from messages.errors.sources import shortened
from reports.retrospective.summary import cost
from services.retrospective import Retrospect
from ui.url import written
from ui.verdicts import TONES

Judgements = Mapping[Window, analysis.Judgement | None]
MOST_INCIDENTS = 4
LONGEST_LIVE_S = 86_400  # the Live page shows a day at most: of a longer phase, the first


def cost_list(migration: Migration, found: Retrospect, *, now: datetime) -> Markup:
    """The sentences that count what it cost."""
    items = Markup("").join(Markup("<li>{}</li>").format(one) for one in cost(migration, found, now=now))
    return Markup("<section class='below cost'><h2>{}</h2><ul title='{}'>{}</ul></section>").format(
        words.COST, words.cost_outside_explained(), items
    )


def phases_table(migration: Migration, found: Retrospect, judgements: Judgements, *, now: datetime) -> Markup:
    """One row a phase, newest last. A phase that is not judged yet says so."""
    fleets = migration.fleets
    head = words.phases_head(fleets.baseline.label, fleets.canary.label)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    rows = Markup("").join(_row(migration, one, judgements.get(one.phase.window), now=now) for one in found.chapters)
    return Markup(
        "<section class='below'><h2>{}</h2><div class='forest phases' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(words.PHASES, words.PHASES, cells, rows, words.phases_note())


def _row(migration: Migration, one: Chapter, judgement: analysis.Judgement | None, *, now: datetime) -> Markup:
    window = one.phase.window
    live = Markup("/?from={}&to={}").format(
        written(window.start), written(min(window.end, window.start + LONGEST_LIVE_S))
    )
    links = Markup("<a href='{}' target='_self'>{}</a> · <a href='/parity?phase={}' target='_self'>{}</a>").format(
        live, words.phase_live(), window.start, words.phase_parity()
    )
    folds = Markup("").join(Markup("<small>{}</small>").format(words.fold(fold)) for fold in one.folds)
    return Markup("<tr><th scope='row'>{}<small>{}</small><small>{}</small>{}</th><td>{}</td>{}{}{}<td>{}</td><td>{}</td></tr>").format(
        words.split(one.phase.canary_share),
        words.chapter_title(one, migration.zone, now=now),
        links,
        folds,
        times.duration(one.phase.dwell_s),
        _pair([numbers.count(one.requests[fleet]) for fleet in FLEETS]),
        _pair([numbers.percent(one.error_rate(fleet)) for fleet in FLEETS]),
        _p95(one),
        _verdict(migration, one.phase, judgement),
        _incidents(one.incidents, migration, now=now),
    )  # fmt: skip


def _pair(values: list[str]) -> Markup:
    return Markup("<td>{} / {}</td>").format(*values)


def _p95(one: Chapter) -> Markup:
    """Both fleets' p95, what they are of, and, for whoever points at one, the range of what it is the median of."""
    told = [one.p95[fleet] for fleet in FLEETS]
    values = Markup(" / ").join(
        Markup("<span title='{}'>{}</span>").format(
            words.p95_explained(found), numbers.milliseconds(found.value if found else None)
        )
        for found in told
    )
    basis = ", ".join(dict.fromkeys(words.p95_basis(found) for found in told if found))
    return Markup("<td>{}<small>{}</small></td>").format(values, basis)


def _verdict(migration: Migration, phase: analysis.Phase, judgement: analysis.Judgement | None) -> Markup:
    if phase.one_sided:
        fleets = migration.fleets
        text = words.one_side(fleets.baseline.label, fleets.canary.label, phase.canary_share or 0.0)
        return Markup("<span class='note'>{}</span>").format(text)
    if judgement is None:
        return Markup("<span class='note'>{}</span>").format(words.JUDGING)
    deciding = verdicts.deciding(judgement)
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


def _incidents(happened: tuple[Event, ...], migration: Migration, *, now: datetime) -> Markup:
    shown = sorted(happened, key=lambda event: (IMPORTANCE[event.kind], event.ts))[:MOST_INCIDENTS]
    lines = Markup("").join(
        Markup("<small title='{}'>{} {} {}</small>").format(
            shortened(event.detail, 300),
            MARKS[event.kind],
            times.clock(datetime.fromtimestamp(event.ts, UTC), migration.zone, now=now),
            shortened(events.title(event), 80),
        )
        for event in sorted(shown, key=lambda event: event.ts)
    )
    more = len(happened) - len(shown)
    return lines + (Markup("<small>{}</small>").format(words.more_incidents(more)) if more else Markup(""))


def before_after_table(migration: Migration, found: Retrospect, *, now: datetime) -> Markup:
    """The week before against the week after; or why there is none."""
    weeks = found.weeks
    if weeks is None or not weeks.changes:
        text = told.none(weeks) if found.outline.last_step is not None else told.no_step()
        return Markup("<section class='below'><h2>{}</h2><p class='note'>{}</p></section>").format(told.TITLE, text)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in told.head())
    rows = Markup("").join(
        Markup("<tr><th scope='row'>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
            told.measure(one),
            told.measured(one, one.before),
            told.measured(one, one.after),
            told.changed(one, one.difference),
            told.interval(one),
        )
        for one in weeks.changes
    )
    return Markup(
        "<section class='below'><h2>{}</h2><p class='note'>{}</p><div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div><p class='note'>{}</p></section>"
    ).format(
        told.TITLE,
        told.about(weeks, migration.zone, now=now),
        told.TITLE,
        cells,
        rows,
        told.explained(),
    )
