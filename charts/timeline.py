"""A whole migration on one time axis: the weights as steps, below them the error rate and the latency of both fleets, and what happened as marks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.retrospective.timeline import Timeline
from charts.base import layout as sheet
from charts.base.events import EVENT_SYMBOLS, event_shapes
from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.palette import DASHES, PALETTES, Palette
from domain import FLEETS, Event, EventKind, FleetName
from messages import retrospective as words
from messages.events import title as said_of

HEIGHT_PX = 540
# Domains from the top: the strip of marks, the weights, the error rate, p95.
STRIP, WEIGHTS, ERRORS, LATENCY = (0.96, 1.0), (0.765, 0.91), (0.4, 0.71), (0.0, 0.345)
MIN_EXPECTED_ERRORS = 10
PEAK_CUTOFF = 6.0  # a peak that stands so many times above nearly everything else is cut off, and told in a number

# What matters most comes first where there is no room for all.
EVENT_PRIORITY: dict[EventKind, int] = {
    "rollback": 0,
    "note": 1,
    "alert": 2,
    "deployment": 3,
    "annotation": 4,
    "weight": 5,
}

ShareStep = tuple[int, float | None]  # from when (epoch seconds) the canary's told share held; None: nobody knows


def timeline_figure(
    timeline: Timeline,
    steps: Sequence[ShareStep],
    frame: ChartFrame,
    events: Sequence[Event],
    *,
    margin_pp: float | None = None,
) -> go.Figure:
    """Three panels on one x axis, and a strip of marks on top.

    The canary's told share as a filled step line with the share that was seen as a thin line; error rates in %; p95 in ms as a line with a ribbon
    from the smallest to the largest of the periods that a bucket merges, where it merges any. Baseline solid, canary dashed; gaps stay gaps.
    """
    palette = PALETTES[frame.theme]
    x = [axis_time(int(ts), frame) for ts in timeline.ts]
    share = timeline.canary_share * 100
    errors = {fleet: timeline.fleets[fleet].error_rate * 100 for fleet in FLEETS}
    p95 = {
        fleet: np.where(timeline.fleets[fleet].is_sufficient, timeline.fleets[fleet].p95, np.nan) * 1000
        for fleet in FLEETS
    }
    data = [
        *_weight_traces(steps, frame, palette),
        _line(x, share, words.OBSERVED, "y", palette.ink, 1, "dot", "%{y:.3~g} %"),
    ]
    data[-1]["showlegend"] = False
    for fleet in FLEETS:
        data += _error_rate_traces(x, timeline, fleet, frame, palette)
    for fleet in FLEETS:
        data += _p95_range(x, timeline, fleet, palette)
    for fleet in FLEETS:
        line = _fleet_line(x, p95[fleet], frame, fleet, "y3", palette, words.HOVER_P95) | {"showlegend": False}
        mine = timeline.fleets[fleet]
        line["customdata"] = np.column_stack((mine.p95_min * 1000, mine.p95_max * 1000, mine.periods)).astype("float32")
        data.append(line)
    data += _event_hover_traces(timeline, frame, events, palette)
    tops = {
        "y2": _axis_top([np.where(_is_low_sample(timeline, fleet), np.nan, errors[fleet]) for fleet in FLEETS]),
        "y3": _axis_top(p95.values()),
    }
    layout = _layout(frame, palette, steps, tops)
    layout["shapes"] = [
        one for one in event_shapes(frame, [event for event in events if event.kind in ("rollback", "note")], palette)
    ]
    layout["annotations"] = [
        *_panel_titles(palette),
        *_event_markers(frame, events, palette),
        *_peak_labels(
            x,
            {fleet: np.where(_is_low_sample(timeline, fleet), np.nan, errors[fleet]) for fleet in FLEETS},
            tops["y2"],
            palette,
        ),
        _zone_label(frame, palette),
    ]
    return go.Figure(data=data, layout=layout)


def _weight_traces(steps: Sequence[ShareStep], frame: ChartFrame, palette: Palette) -> list[dict[str, Any]]:
    """The steps as corners: each share from its beginning to the next one's, cut to the window."""
    x: list[str] = []
    y: list[float] = []
    ends = [*(start for start, _ in steps), frame.window.end][1:]
    for (start, share), end in zip(steps, ends, strict=True):
        first, last = max(start, frame.window.start), min(end, frame.window.end)
        if first < last:
            x += [axis_time(first, frame), axis_time(last, frame)]
            y += [np.nan if share is None else share * 100] * 2
    colour = palette.fleets["canary"]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": words.configured_share(plotly_text(frame.labels["canary"])),
            "x": x,
            "y": np.array(y, dtype="float32"),
            "line": {"color": colour, "width": 1.5},
            "fill": "tozeroy",
            "fillcolor": _with_opacity(colour, 0.22),
            "connectgaps": False,
            "showlegend": False,
            "hovertemplate": words.HOVER_SHARE,
        }
    ]


def _line(
    x: Sequence[str], y: npt.NDArray[Any], name: str, axis: str, colour: str, width: float, dash: str, hover: str
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": y.astype("float32"),
        "yaxis": axis,
        "line": {"color": colour, "width": width, "dash": dash},
        "connectgaps": False,
        "hovertemplate": hover,
    }


def _fleet_line(
    x: Sequence[str], y: npt.NDArray[Any], frame: ChartFrame, fleet: FleetName, axis: str, palette: Palette, hover: str
) -> dict[str, Any]:
    line = _line(x, y, plotly_text(frame.labels[fleet]), axis, palette.fleets[fleet], 1.6, DASHES[fleet], hover)
    return line | {"legendgroup": fleet}


def _error_rate_traces(
    x: Sequence[str], timeline: Timeline, fleet: FleetName, frame: ChartFrame, palette: Palette
) -> list[dict[str, Any]]:
    """A fleet's error rate; faint where so few requests were served that less than ten errors were to be expected."""
    mine, rate = timeline.fleets[fleet], timeline.fleets[fleet].error_rate * 100
    few = _is_low_sample(timeline, fleet)
    lines: list[dict[str, Any]] = []
    for chosen, more in ((~few, {}), (few, {"opacity": 0.3, "showlegend": False})):
        if (chosen & ~np.isnan(rate)).any() or not lines:
            line = _fleet_line(x, np.where(chosen, rate, np.nan), frame, fleet, "y2", palette, words.HOVER_RATE)
            lines.append(line | {"customdata": np.nan_to_num(mine.requests).astype("float32")} | more)
    return lines


def _is_low_sample(timeline: Timeline, fleet: FleetName) -> npt.NDArray[np.bool_]:
    both = [timeline.fleets[one] for one in FLEETS]
    total = sum(float(np.nansum(one.requests)) for one in both)
    usual = sum(float(np.nansum(one.errors)) for one in both) / total if total else 0.0
    few: npt.NDArray[np.bool_] = np.nan_to_num(timeline.fleets[fleet].requests) * usual < MIN_EXPECTED_ERRORS
    return few


def _p95_range(x: Sequence[str], timeline: Timeline, fleet: FleetName, palette: Palette) -> list[dict[str, Any]]:
    """From the smallest to the largest p95 that a bucket merges; nothing where every bucket is one period.

    One closed area a run: filled to another trace, plotly would bridge the gaps.
    """
    mine = timeline.fleets[fleet]
    places = np.flatnonzero(mine.is_sufficient & (mine.periods > 1))
    if not len(places):
        return []
    corners: list[str] = []
    heights: list[npt.NDArray[Any]] = []
    for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        there = [x[place] for place in run]
        corners += [*there, *reversed(there), there[0]]
        heights += [mine.p95_max[run], mine.p95_min[run][::-1], np.array([np.nan])]
    area = _line(corners, np.concatenate(heights) * 1000, "range", "y3", palette.fleets[fleet], 0, "solid", "")
    area |= {"hoverinfo": "skip", "hovertemplate": None, "showlegend": False}
    return [area | {"fill": "toself", "fillcolor": _with_opacity(palette.fleets[fleet], 0.16)}]


def _event_hover_traces(
    timeline: Timeline, frame: ChartFrame, events: Sequence[Event], palette: Palette
) -> list[dict[str, Any]]:
    """Invisible marks, so that the hover box of a bucket tells what happened in it."""
    inside = [event for event in events if frame.window.start <= event.ts < frame.window.end]
    if not inside:
        return []
    said: dict[int, list[str]] = {}
    for event in inside:
        bucket = event.ts - event.ts % timeline.bucket_s
        said.setdefault(max(bucket, int(timeline.ts[0]) if len(timeline.ts) else bucket), []).append(
            f"{EVENT_SYMBOLS[event.kind]} {plotly_text(said_of(event))}"
        )
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": words.EVENT,
            "yaxis": "y4",
            "showlegend": False,
            "x": [axis_time(ts, frame) for ts in said],
            "y": [0.5] * len(said),
            "marker": {"color": palette.event, "size": 1, "opacity": 0},
            "text": ["<br>".join(lines[:6]) for lines in said.values()],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _event_markers(frame: ChartFrame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """One mark an event in the strip. Where marks would cover each other, the one that matters most stands for them."""
    taken: list[float] = []
    marks = []
    length = frame.window.end - frame.window.start
    for event in sorted(
        (one for one in events if one.kind != "weight"), key=lambda one: (EVENT_PRIORITY[one.kind], one.ts)
    ):
        place = (event.ts - frame.window.start) / length
        if not 0 <= place < 1 or any(abs(place - other) < 0.011 for other in taken):
            continue
        taken.append(place)
        marks.append(
            {
                "x": axis_time(event.ts, frame),
                "xref": "x",
                "yref": "paper",
                "y": sum(STRIP) / 2,
                "yanchor": "middle",
                "xanchor": "center",
                "showarrow": False,
                "text": EVENT_SYMBOLS[event.kind],
                "name": event.kind,
                "font": {"size": 13, "color": palette.ink},
            }
        )
    return marks


def _axis_top(lines: Any) -> tuple[float, float]:
    """Where a panel ends, and its highest value: a peak that dwarfs everything else is cut off."""
    every = np.concatenate([line[~np.isnan(line)] for line in lines])
    if not len(every) or every.max() <= 0:
        return 1.0, 0.0
    usual, highest = float(np.quantile(every, 0.98)), float(every.max())
    return (2.5 * usual if usual > 0 and highest > PEAK_CUTOFF * usual else 1.18 * highest), highest


def _peak_labels(
    x: Sequence[str], errors: dict[FleetName, npt.NDArray[Any]], top: tuple[float, float], palette: Palette
) -> list[dict[str, Any]]:
    """A number at the top where a line leaves the panel: one a run of buckets, at its highest."""
    notes = []
    for fleet in FLEETS:
        above = np.flatnonzero(np.nan_to_num(errors[fleet]) > top[0])
        for run in np.split(above, np.flatnonzero(np.diff(above) > 1) + 1) if len(above) else ():
            peak = int(run[np.argmax(errors[fleet][run])])
            notes.append(
                {
                    "x": x[peak],
                    "xref": "x",
                    "yref": "y2 domain",
                    "y": 1,
                    "yanchor": "top",
                    "xanchor": "left",
                    "xshift": 4,
                    "showarrow": False,
                    "text": f"↑ {errors[fleet][peak]:.3g} %",
                    "name": "peak",
                    "font": {"size": 11, "color": palette.ink},
                }
            )
    return notes


def _panel_titles(palette: Palette) -> list[dict[str, Any]]:
    said = ((WEIGHTS, words.PANEL_WEIGHTS), (ERRORS, words.PANEL_ERRORS), (LATENCY, words.PANEL_LATENCY))
    return [
        {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": domain[1],
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "text": text,
            "name": "title",
            "font": {"size": 11, "color": palette.faint},
        }
        for domain, text in said
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
    frame: ChartFrame, palette: Palette, steps: Sequence[ShareStep], tops: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    shared = sheet.base_axis(palette)
    highest = max((share for _, share in steps if share is not None), default=1.0) * 100
    return sheet.base_layout(palette) | {
        "height": HEIGHT_PX,
        "margin": {"l": 58, "r": 12, "t": 6, "b": 58},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "dragmode": "zoom",
        "uirevision": "same",
        "legend": {"orientation": "h", "x": 0, "y": -0.1, "yanchor": "top"},
        "xaxis": {
            "type": "date",
            "range": [axis_time(frame.window.start, frame), axis_time(frame.window.end, frame)],
            "uirevision": f"{frame.window.start}-{frame.window.end}",
            "anchor": "y3",
            "showgrid": False,
            "tickfont": {"color": palette.faint},
            "tickformatstops": [
                {"dtickrange": [None, 86_400_000 - 1], "value": "%H:%M\n%-d %b"},
                {"dtickrange": [86_400_000, None], "value": "%-d %b"},
            ],
            "hoverformat": f"%-d %b %H:%M {frame.zone}",
        },
        "yaxis": shared | {"domain": WEIGHTS, "range": [0, max(highest * 1.12, 1.0)], "ticksuffix": " %", "nticks": 3},
        "yaxis2": shared | {"domain": ERRORS, "range": [0, tops["y2"][0]], "ticksuffix": " %", "nticks": 5},
        "yaxis3": shared | {"domain": LATENCY, "range": [0, tops["y3"][0]], "ticksuffix": " ms", "nticks": 5},
        "yaxis4": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    }


def _with_opacity(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
