"""The scatter chart of routes, and the timeline of one route."""

import numpy as np

from analysis.endpoints.route import RouteTimeline
from charts.base.frame import ChartFrame
from charts.base.palette import PALETTES
from charts.route import route_timeline_figure
from charts.route_scatter import RoutePoint, route_scatter_figure
from tests.factories.log_counts import START, first_minutes

LABELS = {"baseline": "EC2", "canary": "ECS"}
EVIL = "/search/<script>alert(1)</script>%{x}"
POINTS = [
    RoutePoint("/share", 120.0, 2.4, "regression", "+2.4 pp"),
    RoutePoint(EVIL, 3.0, 0.1, "undecided", "+0.1 pp"),
    RoutePoint("/", 900.0, 0.0, "parity", "±0 pp"),
]


def drawn_json(points: list[RoutePoint], margin: float | None = 0.05) -> dict[str, object]:
    figure = route_scatter_figure(
        points, "light", difference_title="ECS − EC2", traffic_title="requests", suffix="pp", margin=margin
    )
    return figure.to_plotly_json()  # type: ignore[no-any-return]


def test_each_verdict_has_its_symbol_and_name_and_no_fleet_colour() -> None:
    traces = drawn_json(POINTS)["data"]
    symbols = {trace["name"]: trace["marker"]["symbol"] for trace in traces}  # type: ignore[attr-defined]
    assert symbols == {"inconclusive": "circle-open-dot", "regression": "triangle-up", "parity": "circle"}
    colours = {trace["marker"]["color"] for trace in traces}  # type: ignore[attr-defined]
    assert not colours & set(PALETTES["light"].fleets.values())


def test_a_regression_is_labelled() -> None:
    (share,) = (trace for trace in drawn_json(POINTS)["data"] if trace["name"] == "regression")  # type: ignore[attr-defined]
    assert (share["x"], share["y"], share["text"]) == ([120.0], [2.4], ["/share  "])


def test_the_margin_is_a_band_and_traffic_is_logarithmic() -> None:
    layout = drawn_json(POINTS)["layout"]
    assert layout["xaxis"]["type"] == "log"  # type: ignore[index]
    (band,) = layout["shapes"]  # type: ignore[index]
    assert (band["y0"], band["y1"]) == (-0.05, 0.05)
    assert "shapes" not in drawn_json(POINTS, margin=None)["layout"]  # type: ignore[operator]


def test_route_names_are_escaped() -> None:
    text = str(drawn_json([RoutePoint(EVIL, 3.0, 0.1, "regression", "")]))
    assert "<script>" not in text and "alert(1)%{" not in text and "&lt;script&gt;" in text


def test_the_timeline_has_three_panels_of_both_fleets() -> None:
    course = RouteTimeline(
        60, np.array([START, START + 60]), np.array([90.0, 0.0]), np.array([0.1, np.nan]), np.array([0.2, np.nan])
    )
    frame = ChartFrame(LABELS, first_minutes(2), 32_400, "JST", START + 120)  # type: ignore[arg-type]
    figure = route_timeline_figure(
        {"baseline": course, "canary": course}, frame, ("requests", "errors", "p95")
    ).to_plotly_json()
    assert [(trace["name"], trace["yaxis"]) for trace in figure["data"]] == [
        (n, y) for n in ("EC2", "ECS") for y in ("y", "y2", "y3")
    ]
    assert figure["data"][0]["x"] == ["2026-09-21 21:00:00", "2026-09-21 21:01:00"]
    assert sum(trace["showlegend"] for trace in figure["data"]) == 2
    assert [trace["text"] for trace in figure["layout"]["annotations"]] == ["requests", "errors", "p95"]
