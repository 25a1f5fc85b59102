"""Differences of both fleets' latency percentiles with their CIs, around zero and within the margins."""

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.series.quantiles import RelativeDifference
from charts.base.figure import Figure
from charts.base.frame import HEIGHT_PX
from charts.base.layout import MARGIN_PX, base_axis, base_layout
from charts.base.palette import PALETTES, Theme
from charts.base.ticks import value_ticks

BAND_HALF_WIDTH = 0.4  # of a percentile's place on the axis
MIN_REACH_PERCENT = 5.0  # below, chance would look like a difference
MAX_REACH_FACTOR = 3.0  # a wider CI is cut off: the others would become dots

Band = tuple[float, float]  # the margin's lower and upper end


def quantile_differences_figure(
    differences: Sequence[tuple[str, RelativeDifference, str]], margins: Mapping[str, Band], theme: Theme
) -> Figure:
    """One mark for each (name, difference, text of its hover box), open without a CI. Fractions, drawn in %; `margins`: by name."""
    palette = PALETTES[theme]
    estimates = np.array([difference.estimate * 100 for _, difference, _ in differences])
    lower, upper = (
        np.array([np.nan if bound is None else bound * 100 for bound in bounds])
        for bounds in zip(*((item.lower, item.upper) for _, item, _ in differences), strict=True)
    )
    names = [name for name, *_ in differences]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": names,
        "y": estimates,
        "marker": {
            "size": 9,
            "color": palette.ink,
            "symbol": ["circle-open" if np.isnan(bound) else "circle" for bound in lower],
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(upper - estimates),
            "arrayminus": np.nan_to_num(estimates - lower),
            "color": palette.ink,
            "thickness": 1.5,
            "width": 6,
        },
        "customdata": [hover for *_, hover in differences],
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    shown = {name: margin for name, margin in margins.items() if name in names}
    bands = [
        {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": palette.band}
        | {"x0": index - BAND_HALF_WIDTH, "x1": index + BAND_HALF_WIDTH}
        | {"y0": shown[name][0] * 100, "y1": shown[name][1] * 100}
        for index, name in enumerate(names)
        if name in shown
    ]
    reach = _reach(estimates, np.concatenate((lower, upper)), [band[1] * 100 for band in shown.values()])
    layout = base_layout(
        palette,
        height=HEIGHT_PX,
        margin=MARGIN_PX,
        showlegend=False,
        shapes=bands,
        xaxis=base_axis(palette, type="category", showgrid=False, range=[-0.5, len(names) - 0.5]),
        yaxis=base_axis(palette, range=[-reach, reach])
        | value_ticks(-reach, reach, "%", signed=True)
        | {"zeroline": True, "zerolinecolor": palette.faint},
    )
    return Figure([trace], layout)


def _reach(estimates: np.ndarray, bounds: np.ndarray, margins: Sequence[float]) -> float:
    """Every estimate, every margin, and the bounds unless they are far out; in %."""
    estimated = max(1.2 * float(np.abs(estimates).max()), 1.5 * max(margins, default=0.0), MIN_REACH_PERCENT)
    widest = 1.1 * float(np.abs(bounds[~np.isnan(bounds)]).max(initial=0.0))
    return max(estimated, min(widest, MAX_REACH_FACTOR * estimated))
