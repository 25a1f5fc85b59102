"""The latency of a whole phase: percentiles of both fleets side by side, and the distribution they come from."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup

import analysis
from charts.distribution import distribution_figure
from migration import FLEETS, Migration, Window
from migration.latencies import Latencies
from migration.series import PERCENTILES
from sources.whole import Whole, WholeWindowSource
from ui import page
from ui.components import overlay_chart
from ui.drawing import drawing
from ui.house import House
from words import numbers, problems, states, times
from words import parity as words

FIRST_WAIT_S = 1.5
STEP_S = 300  # a window that grows grows by so much at least: every answer is paid
STEPS = 24  # and by a twenty-fourth of itself


def window_of(phase: analysis.Phase, *, now_s: int, provisional_s: int) -> Window | None:
    """What of a phase is asked as a whole: without its provisional minutes, and with ends that do not move with every minute.

    None where nothing is left of it.
    """
    start, end = phase.window.start, min(phase.window.end, now_s - provisional_s)
    step_s = max(STEP_S, (end - start) // STEPS // STEP_S * STEP_S)
    if phase.begun_by == "window":
        start = -(-start // step_s) * step_s
    if phase.window.end >= now_s:
        end = end // step_s * step_s
    return Window(start, end) if start < end else None


def section(here: House, source: str, phase: analysis.Phase, *, now: datetime) -> None:
    """The part of a page with its title; has the source asked where that is due."""
    title, explained, label = words.whole_title(), words.whole_explained(), states.source_name(source)
    st.html(Markup("<div class='panel-head'><h2 title='{}'>{}</h2></div>").format(explained, title))
    if not isinstance(here.metric(source), WholeWindowSource):
        _empty(words.whole_cannot(label))
        return
    now_s = int(now.timestamp()) // 60 * 60
    window = window_of(phase, now_s=now_s, provisional_s=here.migration.provisional_minutes * 60)
    if window is None:
        _empty(words.whole_too_young())
        return
    told = _told(here, window, source)
    if told is None:
        _empty(words.whole_asked(label))
        return
    if told.problems:
        st.html(_troubles(told))
    groups = named(here.migration, told)
    if not groups:
        if told.complete:
            _empty(words.whole_nothing(label) if told.covered else words.whole_not_kept(label))
        return
    left, right = st.columns([2, 3])
    left.html(table(groups) + _note(here.migration, told, label, now))
    figure = distribution_figure(groups, "dark" if page.is_dark() else "light")
    curves = tuple((name, one.percentiles.get("p50"), one.percentiles.get("p95")) for name, one in groups)
    alternative = f"{title}. {words.distribution_alternative(curves)}"
    with right:
        overlay_chart(drawing(figure, alternative), key="distribution", on_range=lambda _ends: None)


def _told(here: House, window: Window, source: str) -> Whole | None:
    """What is known of the window, or of a shorter one; a source that answers at once is waited for."""

    def told() -> Whole | None:
        return here.archive.whole(window, source)

    def answered() -> bool:
        known = told()
        return known is not None and known.window == window

    here.keeper.want_whole(window, source)
    if not answered():
        here.keeper.wait_until(answered, timeout_s=FIRST_WAIT_S)
    return told()


def named(migration: Migration, told: Whole) -> list[tuple[str, Latencies]]:
    """The target groups that served, baseline first, each by its fleet's label, and by its own name where there are several."""
    served = [one for one in told.groups if one.answers or one.requests or one.percentiles]
    by_fleet = {fleet: [one for one in served if one.fleet == fleet] for fleet in FLEETS}
    return [
        (
            migration.fleets[fleet].label
            if len(groups) == 1
            else f"{migration.fleets[fleet].label} {one.target_group}",
            one,
        )
        for fleet, groups in by_fleet.items()
        for one in groups
    ]


def table(groups: Sequence[tuple[str, Latencies]]) -> Markup:
    """One column a target group, one row a percentile; the difference where each fleet has one group alone."""
    every = [one for _, one in groups]
    pair = (every[0], every[1]) if [one.fleet for one in every] == list(FLEETS) else None
    head = words.whole_head(tuple(name for name, _ in groups), difference=pair is not None)
    cells = Markup("").join(Markup("<th scope='col'>{}</th>").format(name) for name in head)
    rows = Markup("").join(
        Markup("<tr><th scope='row'>{}</th>{}{}</tr>").format(
            percentile,
            Markup("").join(_value(one, percentile) for one in every),
            _difference(*pair, percentile) if pair else "",
        )
        for percentile in PERCENTILES
    )
    answers = Markup("").join(
        Markup("<td>{}<small>{}</small></td>").format(numbers.count(one.answers), words.whole_of_requests(one.requests))
        for one in every
    )
    return Markup(
        "<div class='forest' role='region' tabindex='0' aria-label='{}'><table><thead><tr>{}</tr></thead>"
        "<tbody>{}<tr><th scope='row'>{}</th>{}{}</tr></tbody></table></div>"
    ).format(words.whole_title(), cells, rows, words.whole_answers(), answers, Markup("<td></td>") if pair else "")


def _value(group: Latencies, percentile: str) -> Markup:
    few = percentile in group.percentiles and (group.answers or 0) < analysis.needed_samples(percentile)
    return Markup("<td>{}{}</td>").format(
        numbers.milliseconds(group.percentiles.get(percentile)),
        Markup("<small>{}</small>").format(words.whole_few()) if few else "",
    )


def _difference(baseline: Latencies, canary: Latencies, percentile: str) -> Markup:
    before, after = baseline.percentiles.get(percentile), canary.percentiles.get(percentile)
    if before is None or after is None:
        return Markup("<td>{}</td>").format(numbers.NONE)
    relative = numbers.relative((after - before) / before) if before else ""
    return Markup("<td>{}<small>{}</small></td>").format(numbers.signed_milliseconds(after - before), relative)


def _note(migration: Migration, told: Whole, label: str, now: datetime) -> Markup:
    """For which time the numbers stand, and which groups could not be put together."""
    said = []
    if told.covered:
        span = times.span(told.covered.starts_at, told.covered.ends_at, migration.zone, now=now)
        said.append(words.whole_window(label, span, told.covered.end - told.covered.start))
        # Where it was refused, the numbers are those of before, and their time was the longest of another window.
        said += [words.whole_longest_part()] if told.complete and told.covered != told.window else []
    served = [one.fleet for _, one in named(migration, told)]
    said += [
        words.whole_apart(migration.fleets[fleet].label, served.count(fleet))
        for fleet in FLEETS
        if served.count(fleet) > 1
    ]
    return Markup("<p class='note'>{}</p>").format(" ".join(said))


def _troubles(told: Whole) -> Markup:
    said = [problems.say(problem) for problem in told.problems]
    return Markup("").join(
        Markup("<div class='trouble'><b>{}</b> {} {}</div>").format(one.title, one.text, one.next_step) for one in said
    )


def _empty(text: str) -> None:
    st.html(Markup("<div class='empty'>{}</div>").format(text))
