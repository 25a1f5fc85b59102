"""SVG of a fixed width in the colours of the pages: light or dark as the reader's browser prefers."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from charts.base.palette import DASHES, PALETTES, Theme
from domain import FleetName

WIDTH = 1200
PAGE_CSS = Path(__file__).parents[2] / "ui" / "page.css"

Points = Iterable[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low` … `high` to pixels."""

    low: float
    high: float
    start_px: float
    end_px: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start_px + min(max(share, 0.0), 1.0) * (self.end_px - self.start_px)


class Picture:
    """Collects elements. `colour`: a variable of the style, such as "ink", "baseline" or "good"."""

    def __init__(self, height: int, title: str, subtitle: str) -> None:
        self._height, self._title, self._elements = height, title, list[str]()
        self.text(40, 58, title, size=32, bold=True)
        self.text(40, 94, subtitle, colour="faint")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = "ink",
        size: int = 20,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="650"' if bold else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight} fill="var(--{colour})">{html.escape(text)}</text>'
        )

    def rect(self, x0: float, y0: float, x1: float, y1: float, colour: str, *, opacity: float = 1.0) -> None:
        self._elements.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" rx="2" fill="var(--{colour})" opacity="{opacity}"/>'
        )

    def line(self, points: Points, colour: str, *, width: float = 2.0, dash: str = "") -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._elements.append(
            f'<path d="{_path(points)}" fill="none" stroke="var(--{colour})" stroke-width="{width}" stroke-linejoin="round"{dashes}/>'
        )

    def fleet_line(self, points: Points, fleet: FleetName) -> None:
        self.line(points, fleet, width=2.5, dash="9 5" if DASHES[fleet] == "dash" else "")

    def area(self, points: Points, colour: str, *, opacity: float = 0.3) -> None:
        self._elements.append(f'<path d="{_path(points)}Z" fill="var(--{colour})" opacity="{opacity}"/>')

    def dot(self, x: float, y: float, colour: str, *, radius: float = 7.0) -> None:
        self._elements.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="var(--{colour})" stroke="var(--paper)" stroke-width="2"/>'
        )

    def diamond(self, x: float, y: float) -> None:
        corners = ((x - 9, y), (x, y - 9), (x + 9, y), (x, y + 9))
        self._elements.append(
            f'<path d="{_path(corners)}Z" fill="var(--paper)" stroke="var(--ink)" stroke-width="2.5"/>'
        )

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" width="{WIDTH}" height="{self._height}" role="img"'
            f' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">\n<title>{html.escape(self._title)}</title>\n'
            f'<style>{_style()}</style>\n<rect width="{WIDTH}" height="{self._height}" rx="10" fill="var(--paper)"/>\n'
            + "\n".join(self._elements)
            + "\n</svg>\n"
        )


def _path(points: Points) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _style() -> str:
    """The variables of `ui/page.css` and the palette of the charts, for both themes."""
    css = PAGE_CSS.read_text(encoding="utf-8")
    selectors: dict[Theme, str] = {"light": ":root", "dark": ".dark"}
    themes = {}
    for theme, selector in selectors.items():
        variables = re.search(rf"(?m)^{re.escape(selector)} {{ (.*) }}$", css)
        assert variables, f"{PAGE_CSS.name} has no variables for {selector}"
        palette = PALETTES[theme]
        own = {name: getattr(palette, name) for name in ("ink", "faint", "grid", "paper", "band")}
        themes[theme] = (
            f":root {{ {variables[1]} " + " ".join(f"--{name}: {value};" for name, value in own.items()) + " }"
        )
    return f"{themes['light']} @media (prefers-color-scheme: dark) {{ {themes['dark']} }}"
