"""The lower panel of a comparison: the difference with the judge's running estimate, or the canary's share of the requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import Comparison
from analysis.parity.estimates import RunningEstimate
from analysis.series.grid import FloatArray
from analysis.series.shares import ShareStep, mean_share
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import label, panel_label, readable
from charts.base.ticks import value_ticks
from charts.base.traces import DISPLAYS, line_trace, x_values
from domain import FLEETS, Margin
from messages import charts as text

DOMAIN = (0.0, 0.26)
AXIS = {"yaxis": "y2", "showlegend": False}


@dataclass(frozen=True, slots=True)
class LowerPanel:
    """Traces and labels of the panel, and what its axis has beside its domain."""

    traces: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    axis: dict[str, Any]


def difference_panel(
    comparison: Comparison, frame: ChartFrame, *, estimate: RunningEstimate | None, margin: Margin | None
) -> LowerPanel:
    """Canary − baseline. With an estimate: it, its CI and the margin, with the difference of each period faint behind them.

    The margin is one of a whole phase: beside the noise of single periods alone it would say nothing, and is not drawn.
    """
    palette, display = frame.palette, DISPLAYS[comparison.quantity]
    low_sample = comparison.low_sample["baseline"] | comparison.low_sample["canary"]
    difference = np.where(low_sample, np.nan, comparison.difference) * display.scale
    name = text.difference(**{fleet: plotly_text(frame.labels[fleet]) for fleet in FLEETS})
    if comparison.others:
        name = f"{comparison.percentile} {name}"
    raw = line_trace(x_values(comparison.ts, comparison.lengths_s, frame), difference, name)
    raw |= AXIS | readable(display.difference_unit) | {"line": {"color": palette.ink, "width": 1}}
    traces = [raw]
    if estimate is not None and estimate.known:
        raw["opacity"] = 0.3
        traces = _estimate_traces(estimate, frame, comparison, raw)
    note = text.difference_title(name, margin, estimated=len(traces) > 1)
    labels = [panel_label(note, DOMAIN, 10, palette, name="difference"), *_empty_label(comparison, difference, frame)]
    reach = _reach(estimate, display.scale) or _reach_of(difference, comparison, frame) or 1.0
    zero_line = {"zeroline": True, "zerolinecolor": palette.faint, "zerolinewidth": 1}
    ticks = value_ticks(-reach, reach, display.difference_suffix, n=4, signed=True)
    return LowerPanel(traces, labels, {"range": [-reach, reach]} | ticks | zero_line)


def _estimate_traces(
    estimate: RunningEstimate, frame: ChartFrame, comparison: Comparison, raw: dict[str, Any]
) -> list[dict[str, Any]]:
    """The margin, the raw difference, the CI and the estimate, from back to front."""
    palette, display = frame.palette, DISPLAYS[comparison.quantity]
    x = {"x0": axis_time(int(estimate.ts[0]), frame), "dx": estimate.step_s * 1000}

    def line(values: FloatArray, name: str, **more: Any) -> dict[str, Any]:
        return line_trace(x, values * display.scale, name) | AXIS | {"line": {"width": 0}} | more

    fill = {"fill": "tonexty"}
    return [
        line(estimate.margin_lower, "margin"),
        line(estimate.margin, "margin", **fill, fillcolor=palette.band),
        raw,
        line(estimate.lower, "lower", meta={"bound": "lower"}),
        line(estimate.upper, "upper", **fill, fillcolor=palette.unattributed, meta={"bound": "upper"}),
        line(estimate.estimate, text.estimate(), line={"color": palette.ink, "width": 2})
        | readable(display.difference_unit),
    ]


def _reach(estimate: RunningEstimate | None, scale: float) -> float:
    """Twice the margin, or as far as the CI of the later half extends: what single periods do beyond it is cut off. 0 without an estimate."""
    if estimate is None or not estimate.known:
        return 0.0
    half = slice(len(estimate.ts) // 2, None)
    bounds = np.abs(np.concatenate((estimate.lower[half], estimate.upper[half])))
    widest = float(np.max(bounds[np.isfinite(bounds)], initial=0.0))
    return max(2 * float(np.nanmax(estimate.margin)), 1.1 * widest) * scale


def _reach_of(difference: FloatArray, comparison: Comparison, frame: ChartFrame) -> float:
    """As far as the differences of final periods reach; without one, of all."""
    sizes = np.abs(difference)
    final = sizes[comparison.ends <= frame.provisional_from]
    for known in (final[~np.isnan(final)], sizes[~np.isnan(sizes)]):
        if known.max(initial=0.0) > 0:
            return float(known.max()) * 1.1
    return 0.0


def _empty_label(comparison: Comparison, difference: FloatArray, frame: ChartFrame) -> list[dict[str, Any]]:
    """Why the panel is empty: its zero line alone would look like no difference."""
    if not np.isnan(difference).all():
        return []
    scarce = any((comparison.low_sample[fleet] & ~np.isnan(comparison.values[fleet])).any() for fleet in FLEETS)
    position = {"xref": "paper", "x": 0.5, "xanchor": "center", "yref": "y2 domain", "y": 0.5, "yanchor": "middle"}
    return [
        label(
            text.no_difference(is_scarce=scarce),
            11,
            frame.palette.ink,
            position,
            name="no difference",
            bgcolor=frame.palette.paper,
        )
    ]


def share_panel(comparison: Comparison, frame: ChartFrame, steps: Sequence[ShareStep]) -> LowerPanel:
    """The canary's share of the requests: configured as a filled step, observed as a line."""
    colour, canary = frame.palette.fleets["canary"], comparison.values["canary"]
    both = np.nan_to_num(canary) + np.nan_to_num(comparison.values["baseline"])
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.where(both > 0, np.nan_to_num(canary) / both, np.nan) * 100
    configured = mean_share(steps, comparison.ts, comparison.lengths_s) * 100
    x = x_values(comparison.ts, comparison.lengths_s, frame)
    step = {"line": {"color": colour, "width": 1, "shape": "hv"}, "fill": "tozeroy", "fillcolor": f"{colour}33"}
    traces = [
        line_trace(x, configured, text.configured()) | AXIS | step | readable("share"),
        line_trace(x, observed, text.observed()) | AXIS | {"line": {"color": frame.palette.ink, "width": 1.5}}
        | readable("share"),
    ]  # fmt: skip
    title = text.share_title(plotly_text(frame.labels["canary"]))
    highest = max((float(values[~np.isnan(values)].max(initial=0.0)) for values in (configured, observed)), default=0.0)
    top = min(highest * 1.25 or 1.0, 104)
    axis = {"range": [0, top]} | value_ticks(0, top, "%", n=3)
    return LowerPanel(traces, [panel_label(title, DOMAIN, 10, frame.palette, name="share")], axis)
