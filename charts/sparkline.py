"""A sparkline: both fleets' error rates as a small picture in a table."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from charts.base.palette import PALETTES, Theme
from domain import FLEETS, FleetName

WIDTH, HEIGHT, MARGIN = 96, 24, 2
MIN_SCALE = 0.01  # below one percent, chance would look like a change
LINE_WIDTHS: dict[FleetName, float] = {"baseline": 1.2, "canary": 2.0}

Trend = Mapping[FleetName, Sequence[float | None]]


def sparkline(trend: Trend, theme: Theme) -> str:
    """A data: URL of an SVG, because Streamlit removes SVG elements from HTML. Both fleets have one scale, from 0; "" without values."""
    values = [value for fleet in FLEETS for value in trend.get(fleet, ()) if value is not None]
    if not values:
        return ""
    scale = max(*values, MIN_SCALE)
    lines = "".join(
        f'<path d="{_path(trend.get(fleet, ()), scale)}" stroke="{PALETTES[theme].fleets[fleet]}" stroke-width="{LINE_WIDTHS[fleet]}"/>'
        for fleet in FLEETS
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke-linecap="round" '
        f'stroke-linejoin="round">{lines}</svg>'
    )
    return "data:image/svg+xml," + quote(svg, safe=" /:=")


def _path(values: Sequence[float | None], scale: float) -> str:
    """A line through the middles of equal parts; gaps stay open, and a value between two gaps is a dot."""
    step, path, is_open = WIDTH / max(len(values), 1), "", False
    for index, value in enumerate(values):
        if value is None:
            is_open = False
            continue
        x, y = (index + 0.5) * step, HEIGHT - MARGIN - value / scale * (HEIGHT - 2 * MARGIN)
        path += f"{'L' if is_open else 'M'}{x:g} {y:.1f}" + ("" if is_open else "h0")
        is_open = True
    return path
