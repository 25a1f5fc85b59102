"""The one chart of this house: both fleets overlaid, and their difference below on the same time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import Comparison
from charts.base import layout as sheet
from charts.base.events import event_annotations, event_shapes, event_traces
from charts.base.figure import Figure
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.palette import DASHES, PALETTES, Palette
from domain import FLEETS, Event, FleetName, Margin
from messages import times
from messages.i18n import _


def comparison_figure(
    comparison: Comparison, frame: ChartFrame, *, margin: Margin | None = None, events: Sequence[Event] = ()
) -> Figure:
    """Two panels on one x axis. Rates are drawn in %, their difference in percentage points; latency in ms; counts a minute.

    Traces by name: the fleets' labels (baseline solid, canary dashed; gaps stay gaps), the parts of the error rate that stand out, the load
    balancer's own share as a grey band, and the difference. Values that stand on too few samples are separate and faint; provisional minutes lie
    under a veil. Events are vertical lines with words on top. One hover box reads them all.
    """
    palette, show = PALETTES[frame.theme], _DisplayFormat.of(comparison)
    firm_until = comparison.ends <= frame.provisional_from
    data: list[dict[str, Any]] = []
    if comparison.unattributed is not None and np.nanmax(np.nan_to_num(comparison.unattributed), initial=0) > 0:
        data.append(
            _trace(comparison, frame, show, comparison.unattributed, _("ALB's own 5xx, of either side"))
            | {"line": {"width": 0}, "fill": "tozeroy", "fillcolor": palette.unattributed, "mode": "lines"}
        )
    for fleet in FLEETS:
        data += _fleet_traces(comparison, frame, show, fleet, palette)
    difference = np.where(
        comparison.low_sample["baseline"] | comparison.low_sample["canary"], np.nan, comparison.difference
    )
    name = _("{canary} − {baseline}").format(**{fleet: plotly_text(frame.labels[fleet]) for fleet in FLEETS})
    data.append(
        _trace(comparison, frame, show, difference, name)
        | {"yaxis": "y2", "showlegend": False, "line": {"color": palette.ink, "width": 1.5}}
        | {"hovertemplate": f"%{{y:{show.difference_format}}} {show.difference_unit}"}
    )
    if margin and margin.unit == "%":
        data += _relative_margin_traces(comparison, frame, show, margin, palette)
    data += event_traces(comparison.ts, frame, events, palette)

    drawn = [comparison.values[fleet] for fleet in FLEETS]
    drawn += [comparison.unattributed] if comparison.unattributed is not None else []
    top = _scale_max(drawn, firm_until, comparison) * show.scale
    spread = _scale_max([np.abs(difference)], firm_until, comparison) * show.scale
    fixed = margin.value if margin and margin.unit != "%" else 0.0
    reach = max(spread * 1.1, _margin_reach(margin, comparison, show) * 1.25) or 1.0
    words = event_annotations(frame, events, palette)
    layout = _layout(frame, palette, show, top=top * (1.3 if words else 1.12) or 1.0, reach=reach)
    layout["shapes"] = [
        *_margin_band(fixed, palette),
        *event_shapes(frame, events, palette),
        *_provisional_shading(frame, palette),
        *_resolution_lines(comparison, frame, palette),
    ]
    layout["annotations"] = [
        *words,
        *_margin_label(margin, palette),
        *_no_difference_label(comparison, difference, palette),
        *_provisional_label(frame, palette),
        *_resolution_labels(comparison, frame, palette),
        _zone_label(frame, palette),
    ]
    return Figure(data, layout)


@dataclass(frozen=True, slots=True)
class _DisplayFormat:
    """How a quantity is written: the factor from the frame's unit to the chart's, units, and d3 number formats."""

    scale: float
    unit: str
    difference_unit: str
    value_format: str
    difference_format: str

    @classmethod
    def of(cls, comparison: Comparison) -> "_DisplayFormat":
        if comparison.quantity == "rate":
            return cls(100.0, "%", "pp", ".3~g", "+.2~g")
        if comparison.quantity == "latency":
            return cls(1000.0, "ms", "ms", ",.0f", "+,.0f")
        return cls(1.0, "", "", ",.0f", "+,.0f")


def _trace(
    comparison: Comparison, frame: ChartFrame, display: _DisplayFormat, values: np.ndarray, name: str
) -> dict[str, Any]:
    return _x_values(comparison, frame) | {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "y": (values * display.scale).astype("float32"),
        "connectgaps": False,
        "hovertemplate": f"%{{y:{display.value_format}}} {display.unit}".rstrip(),
    }


def _x_values(comparison: Comparison, frame: ChartFrame) -> dict[str, Any]:
    """The periods' starts. Where all are of one length a start and a step say it: a thousand time stamps less to send."""
    if not len(comparison.ts):
        return {"x0": 0, "dx": 60_000}
    if len(_resolution_changes(comparison)):
        return {"x": [axis_time(int(ts), frame) for ts in comparison.ts]}
    return {"x0": axis_time(int(comparison.ts[0]), frame), "dx": int(comparison.lengths_s[0]) * 1000}


def _resolution_changes(comparison: Comparison) -> list[int]:
    """The places where periods of another length begin."""
    return [int(place) + 1 for place in np.flatnonzero(np.diff(comparison.lengths_s))]


def _resolution_lines(comparison: Comparison, frame: ChartFrame, palette: Palette) -> list[dict[str, Any]]:
    line = {"type": "line", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "name": "resolution"}
    line |= {"line": {"width": 1, "dash": "dot", "color": palette.faint}}
    starts = [axis_time(int(comparison.ts[place]), frame) for place in _resolution_changes(comparison)]
    return [line | {"xref": "x", "x0": start, "x1": start} for start in starts]


def _resolution_labels(comparison: Comparison, frame: ChartFrame, palette: Palette) -> list[dict[str, Any]]:
    """Which resolution ends and which begins: a percentile of five minutes is another number than one of a minute."""
    where = {"xref": "x", "yref": "paper", "y": 0.31, "showarrow": False, "xanchor": "center", "yanchor": "middle"}
    where |= {"name": "resolution", "font": {"size": 10, "color": palette.faint}, "bgcolor": palette.paper}
    return [
        where
        | {"x": axis_time(int(comparison.ts[place]), frame)}
        | {
            "text": f"{times.duration(comparison.lengths_s[place - 1])} ◂ ▸ {times.duration(comparison.lengths_s[place])}"
        }
        for place in _resolution_changes(comparison)
    ]


def _fleet_traces(
    comparison: Comparison, frame: ChartFrame, display: _DisplayFormat, fleet: FleetName, palette: Palette
) -> list[dict[str, Any]]:
    label, values, low = plotly_text(frame.labels[fleet]), comparison.values[fleet], comparison.low_sample[fleet]
    stroke = {"color": palette.fleets[fleet], "width": 2, "dash": DASHES[fleet]}
    firm = np.where(low, np.nan, values)
    of = "" if comparison.quantity == "count" else _(" of %{customdata:,.0f}")
    line = _trace(comparison, frame, display, firm, label)
    line |= {
        "line": stroke,
        "legendgroup": fleet,
        "customdata": np.nan_to_num(comparison.samples[fleet]).astype("float32"),
    }
    line["hovertemplate"] += of
    alone = _isolated(firm)
    if alone.any():  # a minute between two gaps has no line to be seen by
        line |= {
            "mode": "lines+markers",
            "marker": {"size": np.where(alone, 5, 0).astype("int8"), "color": stroke["color"]},
        }
    traces = [line]
    if (low & ~np.isnan(values)).any():
        faint = _trace(comparison, frame, display, np.where(low, values, np.nan), label)
        faint |= {
            "mode": "lines+markers",
            "opacity": 0.35,
            "line": stroke | {"width": 1},
            "marker": {"size": 4, "color": stroke["color"]},
            "legendgroup": fleet,
            "showlegend": False,
            "customdata": line["customdata"],
        }
        faint["hovertemplate"] += of + " " + _("(too few to judge)")
        traces.append(faint)
    for part in ("unanswered", "connection_errors"):
        values = comparison.components.get(part, {}).get(fleet, np.array([]))
        if np.nan_to_num(values).any():
            words = {"unanswered": _("{fleet} unanswered"), "connection_errors": _("{fleet} connection errors")}[part]
            dash = "dot" if part == "unanswered" else "dashdot"
            traces.append(
                _trace(comparison, frame, display, values, words.format(fleet=label))
                | {
                    "line": {"color": stroke["color"], "width": 1, "dash": dash},
                    "legendgroup": fleet,
                    "showlegend": False,
                }
            )
    return traces


def _isolated(values: np.ndarray) -> np.ndarray:
    """Where a value has a gap on both sides."""
    there = np.concatenate(([False], ~np.isnan(values), [False]))
    alone: np.ndarray = there[1:-1] & ~there[:-2] & ~there[2:]
    return alone


def _scale_max(lines: Sequence[np.ndarray], is_final: np.ndarray, comparison: Comparison) -> float:
    """The highest value worth scaling to: of firm minutes with samples enough, else of whatever is there."""
    trusted = is_final & ~comparison.low_sample["baseline"] & ~comparison.low_sample["canary"]
    for mask in (trusted, is_final, np.ones_like(is_final)):
        found = [float(np.nanmax(line[mask])) for line in lines if mask.any() and not np.isnan(line[mask]).all()]
        if found and max(found) > 0:
            return max(found)
    return 0.0


def _margin_reach(margin: Margin | None, comparison: Comparison, display: _DisplayFormat) -> float:
    """How far the margin reaches on the lower axis: a band that filled the whole panel would look like a difference that is surely inside."""
    if margin is None:
        return 0.0
    if margin.unit != "%":
        return margin.value
    baseline = comparison.values["baseline"]
    known = baseline[~np.isnan(baseline)]
    return float(np.median(known)) * margin.value / 100 * display.scale if len(known) else 0.0


def _no_difference_label(comparison: Comparison, difference: np.ndarray, palette: Palette) -> list[dict[str, Any]]:
    """Says why the lower panel is empty: its zero line alone looks like two fleets that are equal."""
    if not np.isnan(difference).all():
        return []
    scarce = any((comparison.low_sample[fleet] & ~np.isnan(comparison.values[fleet])).any() for fleet in FLEETS)
    where = {"xref": "paper", "x": 0.5, "xanchor": "center", "yref": "y2 domain", "y": 0.5, "yanchor": "middle"}
    return [
        where
        | {
            "text": _("no difference: too few answers a minute; a lower percentile needs fewer")
            if scarce
            else _("no difference: a side has no values"),
            "name": "no difference",
            "showarrow": False,
            "bgcolor": palette.paper,
            "font": {"size": 11, "color": palette.ink},
        }
    ]


def _relative_margin_traces(
    comparison: Comparison, frame: ChartFrame, display: _DisplayFormat, margin: Margin, palette: Palette
) -> list[dict[str, Any]]:
    edge = comparison.values["baseline"] * margin.value / 100
    still = {"yaxis": "y2", "showlegend": False, "hoverinfo": "skip", "hovertemplate": None, "line": {"width": 0}}
    return [
        _trace(comparison, frame, display, -edge, "margin") | still,
        _trace(comparison, frame, display, edge, "margin") | still | {"fill": "tonexty", "fillcolor": palette.band},
    ]


def _margin_band(fixed: float, palette: Palette) -> list[dict[str, Any]]:
    if not fixed:
        return []
    return [
        {"type": "rect", "layer": "below", "xref": "paper", "x0": 0, "x1": 1, "yref": "y2", "y0": -fixed, "y1": fixed}
        | {"fillcolor": palette.band, "line": {"width": 0}}
    ]


def _margin_label(margin: Margin | None, palette: Palette) -> list[dict[str, Any]]:
    if margin is None:
        return []
    where = {"xref": "paper", "x": 0.005, "xanchor": "left", "yref": "y2 domain", "y": 1, "yanchor": "top"}
    return [
        where
        | {
            "text": _("margin ±{margin}").format(margin=margin),
            "showarrow": False,
            "font": {"size": 10, "color": palette.faint},
        }
    ]


def _provisional_shading(frame: ChartFrame, palette: Palette) -> list[dict[str, Any]]:
    if frame.provisional_from >= frame.window.end:
        return []
    start = max(frame.provisional_from, frame.window.start)
    return [
        {
            "type": "rect",
            "layer": "above",
            "xref": "x",
            "x0": axis_time(start, frame),
            "x1": axis_time(frame.window.end, frame),
        }
        | {
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "fillcolor": palette.provisional,
            "line": {"width": 0},
            "name": "provisional",
        }
    ]


def _provisional_label(frame: ChartFrame, palette: Palette) -> list[dict[str, Any]]:
    if frame.provisional_from >= frame.window.end:
        return []
    where = {
        "xref": "x",
        "x": axis_time(max(frame.provisional_from, frame.window.start), frame),
        "yref": "paper",
        "y": 0.31,
    }
    return [
        where
        | {"text": _("provisional"), "showarrow": False, "xanchor": "right", "yanchor": "middle"}
        | {"font": {"size": 10, "color": palette.faint}}
    ]


def _zone_label(frame: ChartFrame, palette: Palette) -> dict[str, Any]:
    where = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top", "yshift": -20}
    return where | {
        "text": frame.zone,
        "showarrow": False,
        "font": {"size": 10, "color": palette.faint},
        "name": "zone",
    }


def _layout(
    frame: ChartFrame, palette: Palette, display: _DisplayFormat, *, top: float, reach: float
) -> dict[str, Any]:
    shared = sheet.base_axis(palette) | {"automargin": False}
    key = f"{frame.window.start}-{frame.window.end}"
    return sheet.base_layout(palette) | {
        "height": frame.height_px,
        "margin": {"l": 52, "r": 12, "t": 8, "b": 34},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "dragmode": "zoom",
        "uirevision": "same",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
            "itemsizing": "trace",
        },
        "xaxis": {
            "type": "date",
            "range": [axis_time(frame.window.start, frame), axis_time(frame.window.end, frame)],
            "uirevision": key,
            "anchor": "y2",
            "showgrid": False,
            "tickfont": {"color": palette.faint},
            "tickformatstops": [
                {"dtickrange": [None, 86_400_000 - 1], "value": "%H:%M\n%-d %b"},
                {"dtickrange": [86_400_000, None], "value": "%-d %b"},
            ],
            "hoverformat": f"%-d %b %H:%M {frame.zone}",
        },
        "yaxis": shared
        | {
            "domain": [0.36, 1],
            "range": [0, top],
            "ticksuffix": f" {display.unit}" if display.unit == "%" else "",
            "nticks": 5,
        },
        "yaxis2": shared
        | {"domain": [0, 0.26], "range": [-reach, reach], "nticks": 4, "zeroline": True, "zerolinecolor": palette.faint}
        | {"zerolinewidth": 1, "tickformat": "+~g"},
    }
