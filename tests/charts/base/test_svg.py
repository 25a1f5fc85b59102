"""A figure as SVG: lines with gaps, fills, markers, and escaped text."""

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis import Comparison
from charts.base.frame import ChartFrame, plotly_text
from charts.base.palette import PALETTES
from charts.base.svg import figure_svg
from charts.comparison import comparison_figure
from charts.interval_trace import interval_trace_figure
from domain import Event, Margin, Window
from tests.factories.frames import START

NAN = np.nan
WINDOW = Window(START, START + 6 * 60)
MARGINS = {"l": 60, "r": 0, "t": 0, "b": 0}  # 700 px wide, 100 px high
AXIS = {"gridcolor": "grey", "tickfont": {"color": "grey"}, "range": [0, 10]}
FRAME = ChartFrame({"baseline": "EC2", "canary": "<b>ECS</b>"}, WINDOW, 32_400, "JST", WINDOW.end)


class ParsedSvg(HTMLParser):
    """The elements of an SVG in order, and its texts."""

    def __init__(self, svg: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(svg)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def paths(self, **having: str) -> list[str]:
        """The data of the paths with these attributes."""
        return [at["d"] for tag, at in self.elements if tag == "path" and having.items() <= at.items()]


def figure(*traces: dict[str, Any], **layout: Any) -> go.Figure:
    """Traces over seven minutes, 100 px a minute; values from 0 at 100 px to 10 at 0 px."""
    defaults = {
        "x0": "2026-11-23 20:00:00",
        "dx": 60_000,
        "mode": "lines",
        "showlegend": False,
        "line": {"color": "red"},
    }
    data = [{"type": "scatter"} | defaults | trace for trace in traces]
    x = {"type": "date", "range": ["2026-11-23 20:00:00", "2026-11-23 20:07:00"], "tickfont": {"color": "grey"}}
    place = {"height": 100, "margin": MARGINS, "font": {"color": "black"}, "xaxis": x, "yaxis": AXIS}
    return go.Figure(data=data, layout=place | layout)


def drawn_svg(*traces: dict[str, Any], **layout: Any) -> ParsedSvg:
    return ParsedSvg(figure_svg(figure(*traces, **layout), "what it shows"))


def test_a_line_has_gaps() -> None:
    svg = drawn_svg({"y": np.array([0, 5, NAN, 10, 7.5])})
    assert svg.paths(stroke="red") == ["M0.0,100.0L100.0,50.0M300.0,0.0L400.0,25.0"]


def test_single_precision_and_lists_of_times_are_supported() -> None:
    times = ["2026-11-23 20:00:00", "2026-11-23 20:02:00"]
    assert drawn_svg({"x": times, "y": np.array([2.5, 5], dtype="float32")}).paths(stroke="red") == [
        "M0.0,75.0L200.0,50.0"
    ]


@pytest.mark.parametrize(
    ("dash", "stroke"), [("solid", ""), ("dash", "7 4"), ("dot", "1.5 3"), ("dashdot", "7 3 1.5 3")]
)
def test_dashes_tell_the_fleets_apart_in_print(dash: str, stroke: str) -> None:
    svg = drawn_svg({"y": [1, 2], "line": {"color": "red", "dash": dash}})
    (line,) = [at for tag, at in svg.elements if at.get("stroke") == "red"]
    assert line.get("stroke-dasharray", "") == stroke


def test_fills_extend_to_zero_or_to_the_previous_line() -> None:
    bare = {"line": {"width": 0}}
    to_zero = drawn_svg({"y": [5, 10], "fill": "tozeroy", "fillcolor": "blue"} | bare)
    assert to_zero.paths(fill="blue") == ["M0.0,50.0L100.0,0.0L100.0,100.0L0.0,100.0Z"]
    between = drawn_svg({"y": [0, 0, 0]} | bare, {"y": [5, NAN, 10], "fill": "tonexty", "fillcolor": "blue"} | bare)
    assert between.paths(fill="blue") == ["M0.0,50.0L0.0,100.0ZM200.0,0.0L200.0,100.0Z"]
    assert between.paths(fill="none") == []


def test_an_isolated_minute_is_a_dot() -> None:
    svg = drawn_svg(
        {"y": [5, NAN, 10], "mode": "lines+markers", "marker": {"size": np.array([4, 4, 0]), "color": "red"}}
    )
    assert [at for tag, at in svg.elements if tag == "circle"] == [
        {"cx": "0.0", "cy": "50.0", "r": "2.0", "fill": "red"}
    ]


def test_panels_are_clipped() -> None:
    svg = drawn_svg({"y": [0, 1000]})
    frames = [at for tag, at in svg.elements if tag == "svg"]
    assert frames[1] == {"role": "none", "x": "60", "y": "0.0", "width": "700", "height": "100.0"}


def test_axes_are_labelled_in_round_steps_and_days() -> None:
    late = {"type": "date", "range": ["2026-11-23 22:00:00", "2026-11-24 02:00:00"], "tickfont": {"color": "grey"}}
    words = " ".join(word for word in drawn_svg({"y": [1]}, xaxis=late).words if word)
    assert words == "0 2 4 6 8 10 22:00 23 Nov 22:30 23:00 23:30 00:00 24 Nov 00:30 01:00 01:30 02:00"
    signed = AXIS | {"range": [-0.1, 0.1], "nticks": 4, "tickformat": "+~g", "ticksuffix": " pp"}
    words = [word for word in drawn_svg({"y": [1]}, yaxis=signed).words if "pp" in word]
    assert words == ["−0.10 pp", "−0.05 pp", "0.00 pp", "+0.05 pp", "+0.10 pp"]


def test_a_comparison_has_its_lines_and_events() -> None:
    values = {"baseline": np.full(6, 0.002), "canary": np.array([0.001, 0.003, NAN, 0.003, 0.003, 0.003])}
    samples = {"baseline": np.full(6, 1000.0), "canary": np.full(6, 500.0)}
    few = dict.fromkeys(values, np.zeros(6, dtype=bool))
    overlay = Comparison(START + np.arange(6) * 60, np.full(6, 60), "rate", values, samples, few)  # type: ignore[arg-type]
    event = Event(START + 120, START + 180, "alert", "5xx <above> 1%", "", "", "", "test", "1")
    made = comparison_figure(overlay, FRAME, margin=Margin(value=0.05, unit="pp"), events=(event,), with_labels=True)
    svg = ParsedSvg(figure_svg(made, 'the "error rate"'))
    fleets = PALETTES["light"].fleets
    assert [path.count("M") for path in svg.paths(stroke=fleets["baseline"], fill="none")] == [1]
    assert [path.count("M") for path in svg.paths(stroke=fleets["canary"], fill="none")] == [2]
    assert {"EC2", "<b>ECS</b>", "● 5xx <above> 1%", "<b>ECS</b> − EC2, each period", "JST"} <= set(svg.words)
    assert "b" not in {tag for tag, _ in svg.elements}
    assert svg.elements[0][1]["aria-label"] == 'the "error rate"'
    assert len([at for tag, at in svg.elements if tag == "rect"]) == 1  # how long the alert lasted


def test_an_interval_trace_has_margin_bounds_and_estimate() -> None:
    ts = pd.to_datetime(START + np.arange(6) * 60, unit="s", utc=True)
    bounds = {"lower": -0.002, "upper": 0.003, "estimate": 0.0005, "margin_lower": -0.001, "margin": 0.001}
    trace = pd.DataFrame({"ts": ts, **{name: [NAN, *[value] * 5] for name, value in bounds.items()}})
    svg = ParsedSvg(figure_svg(interval_trace_figure(trace, FRAME, quantity="rate"), "interval trace"))
    palette = PALETTES["light"]
    assert [len(svg.paths(fill=fill)) for fill in (palette.band, palette.unattributed)] == [1, 1]
    assert len(svg.paths(stroke=palette.ink, fill="none")) == 3
    assert all(re.fullmatch(r"(M[\d.,-]+(L[\d.,-]+)*Z?)*", path) for path in svg.paths(fill="none"))


def test_escaped_text_is_escaped_once() -> None:
    note = {"x": 0.5, "xref": "paper", "y": 1, "yref": "paper", "font": {"size": 10, "color": "grey"}}
    svg = figure_svg(figure({"y": [1]}, annotations=[note | {"text": plotly_text("a <b> & %{c}")}]), "x")
    assert ">a &lt;b&gt; &amp; % {c}</text>" in svg
