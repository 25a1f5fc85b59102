"""Durations of a job's runs over time: one marker per run in its scheduler's colour, failures crossed, the typical range as a band."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import plotly.graph_objects as go

from analysis.batches.jobs import ScheduledRun
from analysis.batches.runs import Run, TypicalDuration
from charts.base.frame import HEIGHT_PX, plotly_text
from charts.base.layout import BAND, LEGEND, MARGIN_PX, TRANSPARENT, base_axis, base_layout, date_ticks
from charts.base.palette import PALETTES, Theme
from domain import FLEETS, FleetName, Window
from messages import batches as text
from messages.charts import day_format

_SYMBOLS: dict[FleetName, str] = {"baseline": "circle", "canary": "diamond"}
MAX_MARKERS = 1_500  # per scheduler; a browser draws no more in reasonable time


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
    """Runs reported from `canary_since` (epoch seconds) on are the canary's, to which `typical_duration` belongs.

    Runs without a duration are omitted, and thousands of runs are thinned out.
    """
    palette = PALETTES[theme]
    offset = window.ends_at.astimezone(zone).utcoffset()
    shift_s = int(offset.total_seconds()) if offset else 0

    def format_time(ts: int) -> str:
        return datetime.fromtimestamp(ts + shift_s, UTC).strftime("%Y-%m-%d %H:%M:%S")

    runs = [run for scheduled in scheduled_runs for run in scheduled.runs if run.duration_s is not None]
    data: list[dict[str, Any]] = []
    for fleet in FLEETS:
        of_fleet = [run for run in runs if (run.reported_at >= canary_since) == (fleet == "canary")]
        for failed in (False, True):
            shown = _downsample([run for run in of_fleet if (run.result == "failed") == failed])
            if shown:
                name = plotly_text(text.failures(labels[fleet]) if failed else labels[fleet])
                symbol, size = ("x", 10) if failed else (_SYMBOLS[fleet], 5 if len(shown) > 200 else 7)
                marker = {"color": palette.fleets[fleet], "symbol": symbol, "size": size}
                data.append(_markers(shown, format_time) | {"name": name, "marker": marker})
    band = BAND | {"fillcolor": palette.band}
    layout = base_layout(
        palette,
        height=HEIGHT_PX,
        margin=MARGIN_PX,
        showlegend=True,
        legend=LEGEND | {"bgcolor": TRANSPARENT},
        shapes=[band | {"y0": typical_duration.p10_s, "y1": typical_duration.p90_s}] if typical_duration else [],
        xaxis=base_axis(
            palette, type="date", range=[format_time(window.start), format_time(window.end)], **date_ticks()
        ),
        yaxis=base_axis(palette, rangemode="tozero", ticksuffix="s"),
    )
    return go.Figure(data=data, layout=layout)


def _downsample(runs: Sequence[Run]) -> list[Run]:
    """About MAX_MARKERS runs, evenly; slow ones are always included."""
    step = -(-len(runs) // MAX_MARKERS) or 1
    return [run for index, run in enumerate(runs) if run.is_slow or not index % step]


def _markers(runs: Sequence[Run], format_time: Callable[[int], str]) -> dict[str, Any]:
    points = {"x": [format_time(run.started_at) for run in runs], "y": [run.duration_s for run in runs]}
    return {
        "type": "scatter",
        "mode": "markers",
        **points,
        "hovertemplate": f"%{{x|{day_format()} %H:%M}} · %{{y:,.4~g}}s",
    }
