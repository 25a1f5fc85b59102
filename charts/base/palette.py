"""Colours and dashes of all charts, in the light and the dark theme."""

from dataclasses import dataclass
from typing import Literal

from domain import FleetName

Theme = Literal["light", "dark"]

# Okabe–Ito pairs: contrast of at least 3:1, distinguishable with every kind of colour blindness. Their lightness is nearly equal, so that in
# print the dash tells them apart.
DASHES: dict[FleetName, str] = {"baseline": "solid", "canary": "dash"}


@dataclass(frozen=True, slots=True)
class Palette:
    """CSS colours. `fleets` are used for data series only, and verdict colours never for data series."""

    fleets: dict[FleetName, str]
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
        fleets={"baseline": "#0072B2", "canary": "#D55E00"},
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
        fleets={"baseline": "#56B4E9", "canary": "#E69F00"},
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
