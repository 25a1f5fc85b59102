"""A judgement in HTML: the strip on the Live page, and the table of criteria with their intervals and margins."""

from markupsafe import Markup

import analysis
from charts.interval_bar import REACH_MARGINS, interval_bar
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


def verdict_strip(migration: Migration, judgement: analysis.Judgement, phase: analysis.Phase) -> Markup:
    """The overall word and what time it is about, then a chip a criterion: its name, a sign and a word."""
    chips = Markup("").join(
        Markup("<span title='{}'>{} <b class='{}'>{} {}</b></span>").format(
            criterion_tooltip(migration, one),
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
    note = Markup("<span class='note'>{}</span>").format(words.DEFAULT_CRITERIA()) if judgement.default_criteria else ""
    return Markup("<div class='verdict' role='status'>{}{}{}{}</div>").format(head, about, chips, note)


def criterion_tooltip(migration: Migration, result: analysis.CriterionVerdict) -> str:
    """One criterion's interval and its reason, in sentences."""
    fleets = migration.fleets
    said = verdicts.sentence(result, baseline=fleets.baseline.label, canary=fleets.canary.label)
    return said if result.lower is None else f"{said} {verdicts.reason(result)}"


def criteria_table(migration: Migration, judgement: analysis.Judgement) -> Markup:
    """Every criterion in a row: both fleets' values with their numerators, the interval in its margin, the verdict, what is still needed."""
    fleets = migration.fleets
    head = words.table_head(fleets.baseline.label, fleets.canary.label)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    rows = Markup("").join(_criterion_row(one) for one in judgement.criteria)
    return Markup(
        "<div class='forest' role='region' tabindex='0' aria-label='{}'>"
        "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(words.PARITY_TITLE, cells, rows)


def _criterion_row(result: analysis.CriterionVerdict) -> Markup:
    criterion = result.criterion
    name = Markup("<th scope='row'>{}{}</th>").format(
        verdicts.metric(criterion), Markup("<small>{}</small>").format(words.CRITICAL()) if criterion.critical else ""
    )
    values = Markup("").join(
        Markup("<td>{}<small>{}</small></td>").format(
            verdicts.value(criterion, number),
            words.numerator(events, requests) if not verdicts.is_latency(criterion) else "",
        )
        for number, events, requests in (
            (result.baseline, result.baseline_events, result.baseline_requests),
            (result.canary, result.canary_events, result.canary_requests),
        )
    )
    low, high = (verdicts.difference(criterion, bound) for bound in (result.lower, result.upper))
    interval = Markup("<td class='interval'>{}<small>{} … {}</small></td>").format(_interval_bar(result), low, high)
    verdict = Markup("<td><b class='{}'>{} {}</b><small>{}</small></td>").format(
        TONES[result.verdict], verdicts.SIGNS[result.verdict], verdicts.label(result.verdict), verdicts.reason(result)
    )
    needed = verdicts.time_to_decision(result.minutes_to_decision)
    even = result.minutes_to_decision_even
    faster = words.at_even(verdicts.time_to_decision(even)) if even and even != result.minutes_to_decision else ""
    return Markup("<tr>{}{}{}<td>±{}</td>{}<td>{}<small>{}</small></td></tr>").format(
        name, values, interval, criterion.margin, verdict, needed, faster
    )


def _interval_bar(result: analysis.CriterionVerdict) -> Markup:
    """The interval as a bar over its margin, zero in the middle; an arrow where it reaches beyond the picture."""
    placed = interval_bar(result)
    if placed is None:
        return Markup("<div class='bar'></div>")
    edges = 50 / REACH_MARGINS
    return Markup(
        "<div class='bar' aria-hidden='true'><i class='margin' style='left:{:.1f}%;width:{:.1f}%'></i><i class='zero'></i>"
        "<i class='span' style='left:{:.1f}%;width:{:.1f}%'></i><i class='estimate' style='left:{:.1f}%'></i></div>"
    ).format(
        50 - edges,
        2 * edges,
        placed.left_percent,
        max(placed.right_percent - placed.left_percent, 0.8),
        placed.estimate_percent,
    )
