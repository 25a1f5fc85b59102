"""Direct labels: the fleets' names at the ends of their lines, right of the plot."""

from collections.abc import Mapping
from typing import Any

from charts.base.frame import ChartFrame, plotly_text
from charts.base.layout import label
from charts.base.text_width import text_width_px, truncate
from domain import FLEETS, FleetName

SIZE_PX = 11
MAX_WIDTH_PX = 64
LINE_PX = 13


def end_labels(
    ends: Mapping[FleetName, float | None], frame: ChartFrame, *, axis: str = "y", top: float, height_px: float
) -> list[dict[str, Any]]:
    """A label for each line with an end (its y), moved apart if they would overlap. The axis reaches from 0 to `top` over `height_px`."""
    known = sorted((y, fleet) for fleet in FLEETS if (y := ends[fleet]) is not None)
    shifts = [0.0] * len(known)
    if len(known) == 2:
        distance = (min(known[1][0], top) - min(known[0][0], top)) / top * height_px
        apart = max(0.0, LINE_PX - distance) / 2
        shifts = [-apart, apart]
    return [
        label(
            plotly_text(truncate(frame.labels[fleet], MAX_WIDTH_PX, SIZE_PX)),
            SIZE_PX,
            frame.palette.fleet_texts[fleet],
            {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 4, "yref": axis, "y": min(y, top)},
            yanchor="middle",
            yshift=round(shift, 1),
            name="end",
        )
        for (y, fleet), shift in zip(known, shifts, strict=True)
    ]


def end_margin_px(frame: ChartFrame) -> int:
    """The width that the labels need."""
    return 8 + max(
        round(text_width_px(truncate(frame.labels[fleet], MAX_WIDTH_PX, SIZE_PX), SIZE_PX)) for fleet in FLEETS
    )
