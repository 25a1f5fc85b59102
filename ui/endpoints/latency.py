"""The latency of one route: both fleets' percentiles and their differences with CIs, and a heatmap over time."""

from collections.abc import Mapping

import numpy as np
import streamlit as st

from analysis.endpoints.endpoints import Endpoint
from analysis.endpoints.heatmap import LatencyHeatmap
from analysis.endpoints.route import PERCENTILES, RouteDetail
from analysis.series.grid import FloatArray
from analysis.series.quantiles import Percentile, RelativeDifference, relative_difference
from charts.base.frame import ChartFrame
from charts.latency_heatmap import latency_heatmap_figure
from charts.quantile_differences import Band, quantile_differences_figure
from domain import FLEETS, FleetName
from messages import numbers
from messages import route as text
from reports.evidence.window_latency import LatencyTable, TableCell
from reports.templating import render
from ui import layout
from ui.chart_payload import chart_payload
from ui.components import overlay_chart
from ui.style import theme


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
    figure = quantile_differences_figure(marks, margin_bands(endpoint, route), theme())
    alt_text = f"{text.PERCENTILES_TITLE}. {note}: {text.percentiles_alternative(cells)}"
    with right:
        overlay_chart(chart_payload(figure, alt_text), key="route_percentiles")


def heatmap_section(heatmap: LatencyHeatmap | None, frame: ChartFrame) -> None:
    """Nothing without answers: the section above says so."""
    if heatmap is None:
        return
    note = text.heatmap_note(heatmap.block_s)
    layout.panel_title(str(text.HEATMAP_TITLE), tooltip=str(text.HEATMAP_EXPLAINED), note=note)
    ranges = [
        (frame.labels[fleet], _range(heatmap.fleets[fleet].p50), _range(heatmap.fleets[fleet].p95)) for fleet in FLEETS
    ]
    alt_text = f"{text.HEATMAP_TITLE}. {note}. {text.heatmap_alternative(ranges)}"
    overlay_chart(chart_payload(latency_heatmap_figure(heatmap, frame), alt_text), key="route_heatmap")


def _range(values: FloatArray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)


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
