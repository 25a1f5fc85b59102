"""What surrounds the lines of a chart, and how moments and somebody's words get onto it."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from charts.base.palette import Theme
from domain import FLEETS, FleetName, Migration, Window
from messages.times import zone_name

HEIGHT_PX = 300


@dataclass(frozen=True, slots=True)
class ChartFrame:
    """What surrounds the lines: who they are, when, in which zone, what is provisional, what margin was fixed.

    `utc_offset_s` and `zone`: one offset for the whole chart, named on its axis, so that a change of the clocks inside the window neither
    repeats nor skips an hour. `provisional_from` (epoch seconds): from here on the numbers still change.
    """

    labels: Mapping[FleetName, str]
    window: Window
    utc_offset_s: int
    zone: str
    provisional_from: int
    theme: Theme = "light"
    height_px: int = HEIGHT_PX


def chart_frame(
    migration: Migration, window: Window, *, provisional_from: int | None = None, theme: Theme = "light"
) -> ChartFrame:
    """The frame of a chart of `window`, with the UTC offset at its end. `provisional_from=None`: all data is final."""
    end = window.ends_at.astimezone(migration.zone)
    return ChartFrame(
        labels={fleet: migration.fleets[fleet].label for fleet in FLEETS},
        window=window,
        utc_offset_s=int((end.utcoffset() or timedelta()).total_seconds()),
        zone=zone_name(end),
        provisional_from=window.end if provisional_from is None else provisional_from,
        theme=theme,
    )


def axis_time(epoch_s: int, frame: ChartFrame) -> str:
    """A moment as the chart's axis wants it: the wall clock of the frame's zone, which plotly takes as it stands."""
    return (datetime.fromtimestamp(epoch_s, UTC) + timedelta(seconds=frame.utc_offset_s)).strftime("%Y-%m-%d %H:%M:%S")


def plotly_text(text: str) -> str:
    """Somebody's words as plain text: plotly reads a little HTML, and `%{…}` in templates."""
    return html.escape(text, quote=False).replace("%{", "% {")
