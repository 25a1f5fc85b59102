"""A judgement in HTML: the strip on the Live page, and the table of criteria with their intervals and margins."""

from markupsafe import Markup

import analysis
from charts.interval_bar import REACH, bar
from domain import Migration
from messages import parity as words
from messages import verdicts

# Verdict colours are for words and signs alone, never for a series.
TONES: dict[analysis.Verdict, str] = {
    "parity": "good",
    "improvement": "good",
    "regression": "bad",
    "undecided": "warn",
    "not enough data": "note",
}


def strip(migration: Migration, judgement: analysis.Judgement, phase: analysis.Phase) -> Markup:
    """The overall word and what time it is about, then a chip a criterion: its name, a sign and a word."""
    chips = Markup("").join(
        Markup("<span title='{}'>{} <b class='{}'>{} {}</b></span>").format(
            explained(migration, one),
            verdicts.metric(one.criterion),
            TONES[one.verdict],
            verdicts.SIGNS[one.verdict],
            verdicts.label(one.verdict),
        )
        for one in judgement.criteria
    )
    head = Markup("<b class='word {}'>{}</b>").format(TONES[judgement.verdict], verdicts.headline(judgement))
    about = Markup("<span class='note'>{}</span>").format(
        words.about(phase.canary_share, phase.window.end - phase.window.start)
    )
    note = Markup("<span class='note'>{}</span>").format(words.default_criteria()) if judgement.default_criteria else ""
    return Markup("<div class='verdict' role='status'>{}{}{}{}</div>").format(head, about, chips, note)


def explained(migration: Migration, found: analysis.CriterionVerdict) -> str:
    """One criterion's interval and its reason, in sentences."""
    fleets = migration.fleets
    said = verdicts.sentence(found, baseline=fleets.baseline.label, canary=fleets.canary.label)
    return said if found.low is None else f"{said} {verdicts.reason(found)}"


def table(migration: Migration, judgement: analysis.Judgement) -> Markup:
    """Every criterion in a row: both fleets' values with their numerators, the interval in its margin, the verdict, what is still needed."""
    fleets = migration.fleets
    head = words.table_head(fleets.baseline.label, fleets.canary.label)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    rows = Markup("").join(_row(one) for one in judgement.criteria)
    return Markup(
        "<div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(words.PARITY_TITLE, cells, rows)


def _row(found: analysis.CriterionVerdict) -> Markup:
    criterion = found.criterion
    name = Markup("<th scope='row'>{}{}</th>").format(
        verdicts.metric(criterion), Markup("<small>{}</small>").format(words.critical()) if criterion.critical else ""
    )
    values = Markup("").join(
        Markup("<td>{}<small>{}</small></td>").format(
            verdicts.value(criterion, number),
            words.numerator(events, requests) if not verdicts.is_latency(criterion) else "",
        )
        for number, events, requests in (
            (found.baseline, found.baseline_events, found.baseline_requests),
            (found.canary, found.canary_events, found.canary_requests),
        )
    )
    low, high = (verdicts.difference(criterion, bound) for bound in (found.low, found.high))
    interval = Markup("<td class='interval'>{}<small>{} … {}</small></td>").format(_bar(found), low, high)
    verdict = Markup("<td><b class='{}'>{} {}</b><small>{}</small></td>").format(
        TONES[found.verdict], verdicts.SIGNS[found.verdict], verdicts.label(found.verdict), verdicts.reason(found)
    )
    needed = verdicts.to_decision(found.minutes_to_decision)
    even = found.minutes_to_decision_even
    faster = words.at_even(verdicts.to_decision(even)) if even and even != found.minutes_to_decision else ""
    return Markup("<tr>{}{}{}<td>±{}</td>{}<td>{}<small>{}</small></td></tr>").format(
        name, values, interval, criterion.margin, verdict, needed, faster
    )


def _bar(found: analysis.CriterionVerdict) -> Markup:
    """The interval as a bar over its margin, zero in the middle; an arrow where it reaches beyond the picture."""
    placed = bar(found)
    if placed is None:
        return Markup("<div class='bar'></div>")
    edges = 50 / REACH
    return Markup(
        "<div class='bar' aria-hidden='true'><i class='margin' style='left:{:.1f}%;width:{:.1f}%'></i><i class='zero'></i>"
        "<i class='span' style='left:{:.1f}%;width:{:.1f}%'></i><i class='estimate' style='left:{:.1f}%'></i></div>"
    ).format(50 - edges, 2 * edges, placed.left, max(placed.right - placed.left, 0.8), placed.estimate)
