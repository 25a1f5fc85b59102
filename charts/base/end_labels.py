"""Direct labels: names at the ends of lines, right of the plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from charts.base.frame import ChartFrame, plotly_text
from charts.base.layout import label
from charts.base.text_width import text_width_px, truncate
from domain import FleetName

SIZE_PX = 11
MAX_WIDTH_PX = 64
LINE_PX = 13


@dataclass(frozen=True, slots=True)
class EndLabel:
    """`text` is not escaped; `y` is the end of its line, None without one."""

    text: str
    colour: str
    y: float | None


def fleet_label(frame: ChartFrame, fleet: FleetName, y: float | None, suffix: str = "") -> EndLabel:
    """A fleet's name, truncated, and what its line is of: "ECS p99"."""
    suffix = f" {suffix}" if suffix else ""
    name = truncate(frame.labels[fleet], MAX_WIDTH_PX - text_width_px(suffix, SIZE_PX), SIZE_PX)
    return EndLabel(name + suffix, frame.palette.fleet_texts[fleet], y)


def end_labels(labels: Sequence[EndLabel], *, axis: str = "y", top: float, height_px: float) -> list[dict[str, Any]]:
    """The labels of lines with an end, moved apart if they would overlap. The axis reaches from 0 to `top` over `height_px`."""
    known = sorted(((min(item.y, top), item) for item in labels if item.y is not None), key=lambda pair: pair[0])
    shifts = _shifts([y / top * height_px for y, _item in known])
    return [
        label(
            plotly_text(item.text),
            SIZE_PX,
            item.colour,
            {"xref": "paper", "x": 1, "xanchor": "left", "xshift": 4, "yref": axis, "y": y},
            yanchor="middle",
            yshift=round(shift, 1),
            name="end",
        )
        for (y, item), shift in zip(known, shifts, strict=True)
    ]


def _shifts(positions: Sequence[float]) -> list[float]:
    """How far to move labels at ascending positions (px) so that they are LINE_PX apart: a group that would overlap stands around its mean.

    This is the least-squares solution, by pooling adjacent violators.
    """
    groups: list[list[float]] = []
    for index, position in enumerate(positions):
        groups.append([position - index * LINE_PX])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [fmean(group) - offset for group in groups for offset in group]


def end_margin_px(labels: Sequence[EndLabel]) -> int:
    """The width that the labels need."""
    return 8 + max(round(text_width_px(item.text, SIZE_PX)) for item in labels)
