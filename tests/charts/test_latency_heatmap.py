"""The latency heatmap: one scale for both fleets, cells where their latencies are, lines of p50 and p95, few bytes."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import numpy as np
import plotly.graph_objects as go
import pytest

from analysis.endpoints.heatmap import FleetHeatmap, LatencyHeatmap
from charts.base.frame import ChartFrame
from charts.base.palette import PALETTES, Palette
from charts.latency_heatmap import LEVELS, heatmap_svg, latency_heatmap_figure
from tests.factories.log_counts import START, first_minutes

FRAME = ChartFrame({"baseline": "EC2", "canary": "<b>ECS</b>"}, first_minutes(2), 32_400, "JST", START + 120)
COLOURS = [f"c{level}" for level, _ in enumerate(LEVELS)]
CELLS = FleetHeatmap(np.array([100, 0]), np.array([[95, 5], [0, 0]]), np.array([0.02, np.nan]), np.array([0.2, np.nan]))
FASTER = FleetHeatmap(np.array([100, 20]), np.array([[100, 0], [20, 0]]), np.array([0.02, 0.03]), np.array([0.1, 0.1]))
HEATMAP = LatencyHeatmap(60, np.array([START, START + 60]), np.array([10, 100, 1000]), {"baseline": CELLS, "canary": FASTER})  # fmt: skip


def drawn() -> dict[str, Any]:
    figure = latency_heatmap_figure(HEATMAP, FRAME).to_plotly_json()
    go.Figure(**figure)  # plotly accepts it
    return figure


def paths(shares: list[list[float]]) -> dict[str, str]:
    svg = unquote(heatmap_svg(np.array(shares), np.array([1.0, 2.0, 3.0]), COLOURS))
    return dict(re.findall(r'fill="(c\d)" d="([^"]*)"', svg))


def test_cells_of_one_level_that_touch_in_time_are_one_rectangle() -> None:
    assert paths([[0.9, 0.0], [0.4, 0.05], [0.0, 0.05]]) == {"c5": "M0 1000H2V2000H0z", "c3": "M1 0H3V1000H1z"}


def test_the_levels_are_logarithmic_and_nothing_has_no_colour() -> None:
    assert set(paths([[0.0005, 0.001], [0.01, 0.03], [0.1, 0.3]])) == set(COLOURS)
    assert paths([[0.0, 0.0]]) == {}
    assert set(paths([[float(np.nextafter(0.3, 0)), 0.0]])) == {"c5"}, "30% of a division that is not exact"


def test_both_fleets_have_one_axis_of_latency_and_their_own_hue() -> None:
    figure = drawn()
    layout = figure["layout"]
    assert layout["yaxis"]["range"] == layout["yaxis2"]["range"] == [1.0, 3.0]
    first, second = layout["images"]
    assert (first["yref"], second["yref"]) == ("y", "y2")
    assert (first["x"], first["sizex"], first["y"], first["sizey"]) == ("2026-09-21 21:00:00", 120_000, 3.0, 2.0)
    heat = PALETTES["light"].heat
    dark = [
        f'fill="{heat[fleet][-1]}" d="{path}"'
        for fleet, path in (("baseline", "M0 1000H1V2000H0z"), ("canary", "M0 1000H2V2000H0z"))
    ]
    assert dark[0] in unquote(first["source"]) and dark[1] in unquote(second["source"])


@pytest.mark.parametrize(("slowest_ms", "dtick"), [(1000, "D2"), (10_000, 1)])
def test_a_long_axis_has_fewer_ticks(slowest_ms: int, dtick: object) -> None:
    edges = np.array([10, 100, slowest_ms])
    layout = latency_heatmap_figure(replace(HEATMAP, edges_ms=edges), FRAME).layout
    assert (layout["yaxis"]["dtick"], layout["yaxis2"]["dtick"]) == (dtick, dtick)


def test_the_table_has_the_percentiles_of_each_block() -> None:
    traces = [trace for trace in drawn()["data"] if "meta" in trace]
    assert [(trace["meta"]["panel"], trace["name"]) for trace in traces] == [
        (fleet, name) for fleet in ("EC2", "&lt;b&gt;ECS&lt;/b&gt;") for name in ("p50", "p95")
    ]
    assert {trace["meta"]["unit"] for trace in traces} == {"milliseconds"}
    assert traces[1]["y"].tolist() == pytest.approx([200.0, np.nan], nan_ok=True)


def test_each_line_has_an_outline_in_the_papers_colour() -> None:
    outline, line, *_ = drawn()["data"]
    assert outline["line"]["color"] == PALETTES["light"].paper and outline["y"].tolist()[0] == line["y"].tolist()[0]
    assert outline["line"]["width"] > line["line"]["width"]
    assert not outline["showlegend"], "a PNG has a legend"
    assert outline["line"]["shape"] == line["line"]["shape"] == "hv", "a block lasts"
    assert [trace["line"].get("dash") for trace in drawn()["data"]] == [None, "solid", None, "dot"] * 2


def test_the_legend_names_each_level() -> None:
    legends = [item["text"] for item in drawn()["layout"]["annotations"] if item.get("name") == "legend"]
    assert [re.sub("<[^>]*>", "", text) for text in legends] == ["■ >0  ■ 0.1  ■ 1  ■ 3  ■ 10  ■ 30%"] * 2


def test_the_worst_picture_is_small() -> None:
    shares = np.random.default_rng(3).choice(LEVELS, (120, 24)) + 1e-6
    assert len(heatmap_svg(shares, np.linspace(0, 3, 25), COLOURS)) < 80_000


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES.keys())
def test_each_level_has_one_luminance_and_they_lead_away_from_the_paper(palette: Palette) -> None:
    baseline, canary = ([luminance(colour) for colour in palette.heat[fleet]] for fleet in ("baseline", "canary"))
    assert baseline == pytest.approx(canary, rel=0.05)
    distances = [abs(level - luminance(palette.paper)) for level in baseline]
    assert distances == sorted(distances) and len(baseline) == len(LEVELS)


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
