"""From numbers to what the browser draws: the frame that all charts of a page share, and a figure as bytes for ui.components."""

from datetime import timedelta
from typing import Protocol

import orjson

from archive import MetricsResult
from charts.base.frame import ChartFrame
from charts.base.palette import Theme
from charts.base.plotlyjs import plotly_js
from domain import Migration, Window
from ui.components import PLOTLYJS_URL


class PlotlyFigure(Protocol):
    """A plotly figure, as far as this room knows one."""

    def to_json(self) -> str: ...


def chart_frame(migration: Migration, window: Window, result: MetricsResult, theme: Theme) -> ChartFrame:
    """What surrounds the lines of every chart of a page. The clock is that of the configured zone at the window's end."""
    at = window.ends_at.astimezone(migration.zone)
    offset = at.utcoffset() or timedelta()
    return ChartFrame(
        labels={"baseline": migration.fleets.baseline.label, "canary": migration.fleets.canary.label},
        window=window,
        utc_offset_s=int(offset.total_seconds()),
        zone=at.tzname() or migration.timezone,
        provisional_from=provisional_from(migration, result),
        theme=theme,
    )


def provisional_from(migration: Migration, result: MetricsResult) -> int:
    """From here on (epoch seconds) the numbers were last read when they were younger than the configuration trusts."""
    asked = result.last_asked_at or 0
    return asked - asked % 60 - migration.provisional_minutes * 60


def chart_payload(figure: PlotlyFigure, alt_text: str) -> bytes:
    """A figure as ui.components.overlay_chart takes it. `alternative`: what it shows, in words, for readers who do not see it."""
    version, _script = plotly_js()
    body = {"alt": alt_text, "library": PLOTLYJS_URL.format(version=version)}
    return orjson.dumps({"figure": orjson.Fragment(figure.to_json()), **body})
