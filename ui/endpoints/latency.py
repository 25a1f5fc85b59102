"""The latency of one route in the whole window: both fleets' percentiles, and their differences with CIs."""

from collections.abc import Mapping

import streamlit as st

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.route import PERCENTILES, RouteDetail
from analysis.series.quantiles import Percentile, RelativeDifference, relative_difference
from charts.quantile_differences import Band, quantile_differences_figure
from domain import FLEETS, FleetName
from messages import numbers
from messages import route as text
from reports.evidence.window_latency import LatencyTable, TableCell
from reports.templating import render
from ui import layout
from ui.chart_payload import chart_payload
from ui.components import overlay_chart


def percentiles_section(endpoint: Endpoint, route: RouteDetail, labels: Mapping[FleetName, str]) -> None:
    baseline, canary = (labels[fleet] for fleet in FLEETS)
    note = text.percentiles_note(baseline, canary)
    layout.panel_title(str(text.PERCENTILES_TITLE), tooltip=str(text.PERCENTILES_EXPLAINED), note=note)
    if not any(route.percentiles[fleet]["p50"] for fleet in FLEETS):
        layout.empty_state(str(text.NO_ANSWERS))
        return
    differences = percentile_differences(route)
    table = percentiles_table(route, differences, text.percentiles_head(baseline, canary))
    left, right = st.columns([2, 3])
    left.html(render("parity.latency_table", title=text.PERCENTILES_TITLE, table=table))
    if not differences:
        return
    cells = [(name, *_difference_cell(difference)) for name, difference in differences.items()]
    marks = [(name, differences[name], f"{name} {value}<br>{ci}") for name, value, ci in cells]
    figure = quantile_differences_figure(marks, margin_bands(endpoint, route), layout.theme())
    alt_text = f"{text.PERCENTILES_TITLE}. {note}: {text.percentiles_alternative(cells)}"
    with right:
        overlay_chart(chart_payload(figure, alt_text), key="route_percentiles")


def percentile_differences(route: RouteDetail) -> dict[str, RelativeDifference]:
    """The percentiles that both fleets have."""
    found = {}
    for name in PERCENTILES:
        baseline, canary = (route.percentiles[fleet][name] for fleet in FLEETS)
        if baseline and canary and (difference := relative_difference(baseline, canary)):
            found[name] = difference
    return found


def margin_bands(endpoint: Endpoint, route: RouteDetail) -> dict[str, Band]:
    """The margins of the latency criteria as fractions, by percentile; one in ms is relative to the baseline's percentile."""
    bands = {}
    for criterion in (result.criterion for result in endpoint.judgement.criteria):
        name = criterion.metric.removeprefix("latency_")
        level = route.percentiles["baseline"].get(name)
        if not level or not level.value_s:
            continue
        margin = criterion.margin.amount
        if criterion.margin.is_relative:
            bands[name] = (1 / (1 + margin) - 1, margin)
        else:
            bands[name] = (-margin / level.value_s, margin / level.value_s)
    return bands


def percentiles_table(
    route: RouteDetail, differences: Mapping[str, RelativeDifference], head: tuple[str, ...]
) -> LatencyTable:
    """Of each percentile both fleets' values, and the difference with its CI."""

    def value(percentile: Percentile | None) -> TableCell:
        return numbers.milliseconds(percentile.value_s if percentile else None), ""

    rows = []
    for name in PERCENTILES:
        difference = _difference_cell(differences[name]) if name in differences else (numbers.NONE, "")
        rows.append((name, (*(value(route.percentiles[fleet][name]) for fleet in FLEETS), difference)))
    return LatencyTable(head, tuple(rows))


def _difference_cell(difference: RelativeDifference) -> TableCell:
    return numbers.relative(difference.estimate), text.percentile_ci(difference.lower, difference.upper)
