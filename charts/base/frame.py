"""The frame of a chart (labels, window, time zone, theme), and the text formats that plotly needs."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from charts.base.palette import PALETTES, Palette, Theme
from domain import FleetName, Migration, Window
from messages.times import zone_name

HEIGHT_PX = 300


@dataclass(frozen=True, slots=True)
class ChartFrame:
    """What charts need besides their data. `provisional_from` (epoch seconds): data from here on may still change.

    One UTC offset holds for the whole chart, and `zone` names it on the axis, so that a clock change in the window neither repeats nor skips
    an hour.
    """

    labels: Mapping[FleetName, str]
    window: Window
    utc_offset_s: int
    zone: str
    provisional_from: int
    theme: Theme = "light"
    height_px: int = HEIGHT_PX

    @property
    def palette(self) -> Palette:
        return PALETTES[self.theme]


def chart_frame(
    migration: Migration, window: Window, *, provisional_from: int | None = None, theme: Theme = "light"
) -> ChartFrame:
    """The frame of a chart of `window`, with the UTC offset at its end. `provisional_from=None`: all data is final."""
    end = window.ends_at.astimezone(migration.zone)
    return ChartFrame(
        labels=migration.labels,
        window=window,
        utc_offset_s=int((end.utcoffset() or timedelta()).total_seconds()),
        zone=zone_name(end),
        provisional_from=window.end if provisional_from is None else provisional_from,
        theme=theme,
    )


def axis_time(epoch_s: int, frame: ChartFrame) -> str:
    """A time on the chart's axis: the wall clock of the frame's zone, because plotly knows no time zones."""
    return (datetime.fromtimestamp(epoch_s, UTC) + timedelta(seconds=frame.utc_offset_s)).strftime("%Y-%m-%d %H:%M:%S")


def plotly_text(text: str) -> str:
    """Escapes external text: plotly interprets some HTML tags, and `%{…}` in templates."""
    return html.escape(text, quote=False).replace("%{", "% {")
