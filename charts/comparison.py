"""The one chart of this house: both fleets overlaid, and their difference below on the same time axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis import Overlay
from charts.base import layout as sheet
from charts.base.events import event_lines, event_traces, event_words
from charts.base.figure import Figure
from charts.base.frame import Frame, local, plain
from charts.base.palette import DASHES, PALETTES, Palette
from domain import FLEETS, Event, FleetName, Margin
from messages import times
from messages.i18n import _


def overlay_figure(
    overlay: Overlay, frame: Frame, *, margin: Margin | None = None, events: Sequence[Event] = ()
) -> Figure:
    """Two panels on one x axis. Rates are drawn in %, their difference in percentage points; latency in ms; counts a minute.

    Traces by name: the fleets' labels (baseline solid, canary dashed; gaps stay gaps), the parts of the error rate that stand out, the load
    balancer's own share as a grey band, and the difference. Values that stand on too few samples are separate and faint; provisional minutes lie
    under a veil. Events are vertical lines with words on top. One hover box reads them all.
    """
    palette, show = PALETTES[frame.theme], _Show.of(overlay)
    firm_until = overlay.ends <= frame.provisional_from
    data: list[dict[str, Any]] = []
    if overlay.unattributed is not None and np.nanmax(np.nan_to_num(overlay.unattributed), initial=0) > 0:
        data.append(
            _trace(overlay, frame, show, overlay.unattributed, _("ALB's own 5xx, of either side"))
            | {"line": {"width": 0}, "fill": "tozeroy", "fillcolor": palette.unattributed, "mode": "lines"}
        )
    for fleet in FLEETS:
        data += _fleet_traces(overlay, frame, show, fleet, palette)
    difference = np.where(overlay.low["baseline"] | overlay.low["canary"], np.nan, overlay.difference)
    name = _("{canary} − {baseline}").format(**{fleet: plain(frame.labels[fleet]) for fleet in FLEETS})
    data.append(
        _trace(overlay, frame, show, difference, name)
        | {"yaxis": "y2", "showlegend": False, "line": {"color": palette.ink, "width": 1.5}}
        | {"hovertemplate": f"%{{y:{show.signed}}} {show.difference_unit}"}
    )
    if margin and margin.unit == "%":
        data += _relative_margin(overlay, frame, show, margin, palette)
    data += event_traces(overlay.ts, frame, events, palette)

    drawn = [overlay.lines[fleet] for fleet in FLEETS]
    drawn += [overlay.unattributed] if overlay.unattributed is not None else []
    top = _highest(drawn, firm_until, overlay) * show.scale
    spread = _highest([np.abs(difference)], firm_until, overlay) * show.scale
    fixed = margin.value if margin and margin.unit != "%" else 0.0
    reach = max(spread * 1.1, _widest(margin, overlay, show) * 1.25) or 1.0
    words = event_words(frame, events, palette)
    layout = _layout(frame, palette, show, top=top * (1.3 if words else 1.12) or 1.0, reach=reach)
    layout["shapes"] = [
        *_margin_band(fixed, palette),
        *event_lines(frame, events, palette),
        *_veil(frame, palette),
        *_border_lines(overlay, frame, palette),
    ]
    layout["annotations"] = [
        *words,
        *_margin_words(margin, palette),
        *_no_difference_words(overlay, difference, palette),
        *_veil_words(frame, palette),
        *_border_words(overlay, frame, palette),
        _zone_words(frame, palette),
    ]
    return Figure(data, layout)


@dataclass(frozen=True, slots=True)
class _Show:
    """How a quantity is written: the factor from the frame's unit to the chart's, units, and d3 number formats."""

    scale: float
    unit: str
    difference_unit: str
    plain: str
    signed: str

    @classmethod
    def of(cls, overlay: Overlay) -> "_Show":
        if overlay.quantity == "rate":
            return cls(100.0, "%", "pp", ".3~g", "+.2~g")
        if overlay.quantity == "latency":
            return cls(1000.0, "ms", "ms", ",.0f", "+,.0f")
        return cls(1.0, "", "", ",.0f", "+,.0f")


def _trace(overlay: Overlay, frame: Frame, show: _Show, values: np.ndarray, name: str) -> dict[str, Any]:
    return _where(overlay, frame) | {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "y": (values * show.scale).astype("float32"),
        "connectgaps": False,
        "hovertemplate": f"%{{y:{show.plain}}} {show.unit}".rstrip(),
    }


def _where(overlay: Overlay, frame: Frame) -> dict[str, Any]:
    """The periods' starts. Where all are of one length a start and a step say it: a thousand time stamps less to send."""
    if not len(overlay.ts):
        return {"x0": 0, "dx": 60_000}
    if len(_borders(overlay)):
        return {"x": [local(int(ts), frame) for ts in overlay.ts]}
    return {"x0": local(int(overlay.ts[0]), frame), "dx": int(overlay.lengths[0]) * 1000}


def _borders(overlay: Overlay) -> list[int]:
    """The places where periods of another length begin."""
    return [int(place) + 1 for place in np.flatnonzero(np.diff(overlay.lengths))]


def _border_lines(overlay: Overlay, frame: Frame, palette: Palette) -> list[dict[str, Any]]:
    line = {"type": "line", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "name": "resolution"}
    line |= {"line": {"width": 1, "dash": "dot", "color": palette.faint}}
    starts = [local(int(overlay.ts[place]), frame) for place in _borders(overlay)]
    return [line | {"xref": "x", "x0": start, "x1": start} for start in starts]


def _border_words(overlay: Overlay, frame: Frame, palette: Palette) -> list[dict[str, Any]]:
    """Which resolution ends and which begins: a percentile of five minutes is another number than one of a minute."""
    where = {"xref": "x", "yref": "paper", "y": 0.31, "showarrow": False, "xanchor": "center", "yanchor": "middle"}
    where |= {"name": "resolution", "font": {"size": 10, "color": palette.faint}, "bgcolor": palette.paper}
    return [
        where
        | {"x": local(int(overlay.ts[place]), frame)}
        | {"text": f"{times.duration(overlay.lengths[place - 1])} ◂ ▸ {times.duration(overlay.lengths[place])}"}
        for place in _borders(overlay)
    ]


def _fleet_traces(
    overlay: Overlay, frame: Frame, show: _Show, fleet: FleetName, palette: Palette
) -> list[dict[str, Any]]:
    label, values, low = plain(frame.labels[fleet]), overlay.lines[fleet], overlay.low[fleet]
    stroke = {"color": palette.fleets[fleet], "width": 2, "dash": DASHES[fleet]}
    firm = np.where(low, np.nan, values)
    of = "" if overlay.quantity == "count" else _(" of %{customdata:,.0f}")
    line = _trace(overlay, frame, show, firm, label)
    line |= {
        "line": stroke,
        "legendgroup": fleet,
        "customdata": np.nan_to_num(overlay.samples[fleet]).astype("float32"),
    }
    line["hovertemplate"] += of
    alone = _alone(firm)
    if alone.any():  # a minute between two gaps has no line to be seen by
        line |= {
            "mode": "lines+markers",
            "marker": {"size": np.where(alone, 5, 0).astype("int8"), "color": stroke["color"]},
        }
    traces = [line]
    if (low & ~np.isnan(values)).any():
        faint = _trace(overlay, frame, show, np.where(low, values, np.nan), label)
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
        values = overlay.parts.get(part, {}).get(fleet, np.array([]))
        if np.nan_to_num(values).any():
            words = {"unanswered": _("{fleet} unanswered"), "connection_errors": _("{fleet} connection errors")}[part]
            dash = "dot" if part == "unanswered" else "dashdot"
            traces.append(
                _trace(overlay, frame, show, values, words.format(fleet=label))
                | {
                    "line": {"color": stroke["color"], "width": 1, "dash": dash},
                    "legendgroup": fleet,
                    "showlegend": False,
                }
            )
    return traces


def _alone(values: np.ndarray) -> np.ndarray:
    """Where a value has a gap on both sides."""
    there = np.concatenate(([False], ~np.isnan(values), [False]))
    alone: np.ndarray = there[1:-1] & ~there[:-2] & ~there[2:]
    return alone


def _highest(lines: Sequence[np.ndarray], firm_until: np.ndarray, overlay: Overlay) -> float:
    """The highest value worth scaling to: of firm minutes with samples enough, else of whatever is there."""
    trusted = firm_until & ~overlay.low["baseline"] & ~overlay.low["canary"]
    for mask in (trusted, firm_until, np.ones_like(firm_until)):
        found = [float(np.nanmax(line[mask])) for line in lines if mask.any() and not np.isnan(line[mask]).all()]
        if found and max(found) > 0:
            return max(found)
    return 0.0


def _widest(margin: Margin | None, overlay: Overlay, show: _Show) -> float:
    """How far the margin reaches on the lower axis: a band that filled the whole panel would look like a difference that is surely inside."""
    if margin is None:
        return 0.0
    if margin.unit != "%":
        return margin.value
    baseline = overlay.lines["baseline"]
    known = baseline[~np.isnan(baseline)]
    return float(np.median(known)) * margin.value / 100 * show.scale if len(known) else 0.0


def _no_difference_words(overlay: Overlay, difference: np.ndarray, palette: Palette) -> list[dict[str, Any]]:
    """Says why the lower panel is empty: its zero line alone looks like two fleets that are equal."""
    if not np.isnan(difference).all():
        return []
    scarce = any((overlay.low[fleet] & ~np.isnan(overlay.lines[fleet])).any() for fleet in FLEETS)
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


def _relative_margin(
    overlay: Overlay, frame: Frame, show: _Show, margin: Margin, palette: Palette
) -> list[dict[str, Any]]:
    edge = overlay.lines["baseline"] * margin.value / 100
    still = {"yaxis": "y2", "showlegend": False, "hoverinfo": "skip", "hovertemplate": None, "line": {"width": 0}}
    return [
        _trace(overlay, frame, show, -edge, "margin") | still,
        _trace(overlay, frame, show, edge, "margin") | still | {"fill": "tonexty", "fillcolor": palette.band},
    ]


def _margin_band(fixed: float, palette: Palette) -> list[dict[str, Any]]:
    if not fixed:
        return []
    return [
        {"type": "rect", "layer": "below", "xref": "paper", "x0": 0, "x1": 1, "yref": "y2", "y0": -fixed, "y1": fixed}
        | {"fillcolor": palette.band, "line": {"width": 0}}
    ]


def _margin_words(margin: Margin | None, palette: Palette) -> list[dict[str, Any]]:
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


def _veil(frame: Frame, palette: Palette) -> list[dict[str, Any]]:
    if frame.provisional_from >= frame.window.end:
        return []
    start = max(frame.provisional_from, frame.window.start)
    return [
        {"type": "rect", "layer": "above", "xref": "x", "x0": local(start, frame), "x1": local(frame.window.end, frame)}
        | {"yref": "paper", "y0": 0, "y1": 1, "fillcolor": palette.veil, "line": {"width": 0}, "name": "provisional"}
    ]


def _veil_words(frame: Frame, palette: Palette) -> list[dict[str, Any]]:
    if frame.provisional_from >= frame.window.end:
        return []
    where = {
        "xref": "x",
        "x": local(max(frame.provisional_from, frame.window.start), frame),
        "yref": "paper",
        "y": 0.31,
    }
    return [
        where
        | {"text": _("provisional"), "showarrow": False, "xanchor": "right", "yanchor": "middle"}
        | {"font": {"size": 10, "color": palette.faint}}
    ]


def _zone_words(frame: Frame, palette: Palette) -> dict[str, Any]:
    where = {"xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 0, "yanchor": "top", "yshift": -20}
    return where | {
        "text": frame.zone,
        "showarrow": False,
        "font": {"size": 10, "color": palette.faint},
        "name": "zone",
    }


def _layout(frame: Frame, palette: Palette, show: _Show, *, top: float, reach: float) -> dict[str, Any]:
    shared = sheet.axis(palette) | {"automargin": False}
    key = f"{frame.window.start}-{frame.window.end}"
    return sheet.layout(palette) | {
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
            "range": [local(frame.window.start, frame), local(frame.window.end, frame)],
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
            "ticksuffix": f" {show.unit}" if show.unit == "%" else "",
            "nticks": 5,
        },
        "yaxis2": shared
        | {"domain": [0, 0.26], "range": [-reach, reach], "nticks": 4, "zeroline": True, "zerolinecolor": palette.faint}
        | {"zerolinewidth": 1, "tickformat": "+~g"},
    }
