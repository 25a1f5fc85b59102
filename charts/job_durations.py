"""How long each run of a job took, over time: one mark a run in its era's colour, failures crossed, the usual range as a band."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import plotly.graph_objects as go

from analysis.batches.jobs import ScheduledRun
from analysis.batches.runs import Run, TypicalDuration
from charts.base import layout
from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.palette import PALETTES, Theme
from domain import FLEETS, FleetName, Window
from messages import batches as words

_SYMBOLS: dict[FleetName, str] = {"baseline": "circle", "canary": "diamond"}
MAX_MARKERS = 1_500  # of an era; a browser draws no more of them in good time


def job_durations_figure(
    scheduled_runs: Sequence[ScheduledRun],
    *,
    canary_since: int,
    typical_duration: TypicalDuration | None,
    labels: Mapping[FleetName, str],
    window: Window,
    zone: tzinfo,
    theme: Theme,
) -> go.Figure:
    """`since`: from then on (epoch seconds) runs are of the new era, whose usual range is the band. Runs without a duration are left out, and of
    thousands only some are drawn.
    """
    palette = PALETTES[theme]
    offset = window.ends_at.astimezone(zone).utcoffset()
    shift_s = int(offset.total_seconds()) if offset else 0

    def clock(at: int) -> str:
        return datetime.fromtimestamp(at + shift_s, UTC).strftime("%Y-%m-%d %H:%M:%S")

    runs = [run for slot in scheduled_runs for run in slot.runs if run.duration_s is not None]
    data: list[dict[str, Any]] = []
    for era in FLEETS:
        of_era = [run for run in runs if (run.reported_at >= canary_since) == (era == "canary")]
        for failed in (False, True):
            marks = _downsample([run for run in of_era if (run.result == "failed") == failed])
            if marks:
                data.append(_markers(marks, era, labels[era], palette.fleets[era], clock, failed=failed))
    axis = layout.base_axis(palette)
    band = {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "layer": "below", "line": {"width": 0}, "fillcolor": palette.band,
    }  # fmt: skip
    return go.Figure(
        data=data,
        layout=layout.base_layout(palette)
        | {
            "height": HEIGHT_PX,
            "margin": {"l": 60, "r": 12, "t": 8, "b": 34},
            "showlegend": True,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
            "shapes": [band | {"y0": typical_duration.p10_s, "y1": typical_duration.p90_s}] if typical_duration else [],
            "xaxis": axis | {"type": "date", "range": [clock(window.start), clock(window.end)]},
            "yaxis": axis | {"rangemode": "tozero", "ticksuffix": " s"},
        },
    )


def _downsample(runs: Sequence[Run]) -> list[Run]:
    """At most about MOST_MARKS of them, evenly; a slow one is never left out."""
    step = -(-len(runs) // MAX_MARKERS) or 1
    return [run for place, run in enumerate(runs) if run.is_slow or not place % step]


def _markers(
    runs: Sequence[Run], scheduler: FleetName, name: str, colour: str, format_time: Any, *, failed: bool
) -> dict[str, Any]:
    label = plotly_text(words.failures(name) if failed else name)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [format_time(run.started_at) for run in runs],
        "y": [run.duration_s for run in runs],
        "marker": {
            "color": colour,
            "size": 10 if failed else 5 if len(runs) > 200 else 7,
            "symbol": "x" if failed else _SYMBOLS[scheduler],
        },
        "hovertemplate": "%{x|%-d %b %H:%M} · %{y:,.4~g} s",
    }
