"""Colours and lines of all charts, in the light and the dark theme."""

from dataclasses import dataclass
from typing import Any, Literal

from domain import FleetName

Theme = Literal["light", "dark"]

# A line of few points is dashed for the canary. With more, dashes hide what a line does: there the weight and the luminance differ.
DASHES: dict[FleetName, str] = {"baseline": "solid", "canary": "dash"}
MAX_DASHED_POINTS = 60
MANY_POINTS = 600  # of a line: about one a pixel
_WIDTHS: dict[FleetName, float] = {
    "baseline": 2.8,
    "canary": 1.5,
}  # the canary's lies on top: both are seen where they coincide


@dataclass(frozen=True, slots=True)
class Palette:
    """CSS colours. `fleets` are used for data series only, and verdict colours never for data series.

    They have a contrast of at least 3:1, are distinguishable with every kind of colour blindness, and differ in luminance: the baseline's is
    always the darker one. `fleet_texts`: the same for words, at least 4.5:1. `heat`: a ramp of each fleet's hue, from little to much, away from
    the paper; at each level both fleets have one luminance.
    """

    fleets: dict[FleetName, str]
    fleet_texts: dict[FleetName, str]
    heat: dict[FleetName, tuple[str, ...]]
    ink: str
    faint: str
    grid: str
    paper: str
    provisional: str
    band: str
    unattributed: str
    event: str


PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        fleets={"baseline": "#005A9C", "canary": "#E06C00"},
        fleet_texts={"baseline": "#005A9C", "canary": "#B85100"},
        heat={
            "baseline": ("#D7EAFF", "#ABCDF0", "#82ACD8", "#578ABD", "#2A69A3", "#02467B"),
            "canary": ("#FFE3D3", "#F7BD9B", "#E0986D", "#C5713B", "#A34D04", "#703302"),
        },
        ink="#31333F",
        faint="#5F6270",
        grid="rgba(49,51,63,0.12)",
        paper="#FFFFFF",
        provisional="rgba(255,255,255,0.62)",
        band="rgba(49,51,63,0.09)",
        unattributed="rgba(110,112,125,0.38)",
        event="#5F6270",
    ),
    "dark": Palette(
        fleets={"baseline": "#3D9ADB", "canary": "#FFB84D"},
        fleet_texts={"baseline": "#56B4E9", "canary": "#FFB84D"},
        heat={
            "baseline": ("#1A3345", "#2D516D", "#417297", "#5896C6", "#74C0FA", "#C8E6FF"),
            "canary": ("#402D10", "#65481E", "#8D662D", "#B9873F", "#EAAD55", "#FEDDB3"),
        },
        ink="#EDEAE4",
        faint="#A6A29A",
        grid="rgba(237,234,228,0.14)",
        paper="#171614",
        provisional="rgba(23,22,20,0.62)",
        band="rgba(237,234,228,0.10)",
        unattributed="rgba(166,162,154,0.42)",
        event="#A6A29A",
    ),
}


def fleet_line(palette: Palette, fleet: FleetName, n_points: int) -> dict[str, Any]:
    """The line of a fleet with so many points."""
    if n_points < MAX_DASHED_POINTS:
        return {"color": palette.fleets[fleet], "width": 2, "dash": DASHES[fleet]}
    width = _WIDTHS[fleet] if n_points < MANY_POINTS else _WIDTHS[fleet] * 0.7
    return {"color": palette.fleets[fleet], "width": round(width, 2), "dash": "solid"}
