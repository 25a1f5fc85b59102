"""The latency CDF chart."""

import pytest

from charts.base.palette import PALETTES, Theme
from charts.latency_cdf import latency_cdf_figure
from domain.latency import LatencySummary

EC2 = LatencySummary("baseline", "photo-ec2", 900, 860, 0.1, {"p50": 0.08, "p95": 0.3}, {0.02: 0.0, 0.1: 0.6, 1.0: 1.0})
ECS = LatencySummary("canary", "photo-ecs", 900, 860, 0.1, {"p50": 0.09}, {0.1: 0.55})
SILENT = LatencySummary("canary", "photo-idle", 4, None, None, {}, {})


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_baseline_is_solid_canary_dashed_each_in_its_colour(theme: Theme) -> None:
    traces = latency_cdf_figure([("EC2", EC2), ("ECS", ECS)], theme).data
    colours = PALETTES[theme].fleets
    assert [(trace.name, trace.line.dash, trace.line.color, trace.marker.symbol) for trace in traces] == [
        ("EC2", "solid", colours["baseline"], "circle"),
        ("ECS", "dash", colours["canary"], "diamond"),
    ]


def test_shares_and_percentiles_are_points_of_one_curve_in_milliseconds_and_percent() -> None:
    (ec2,) = latency_cdf_figure([("EC2", EC2)], "light").data
    assert list(ec2.x) == pytest.approx([20, 80, 100, 300, 1000])
    assert list(ec2.y) == pytest.approx([0, 50, 60, 95, 100])
    assert ec2.hovertemplate == "%{y:.4~g}% within %{x:,.4~g} ms"


def test_the_axis_is_logarithmic() -> None:
    layout = latency_cdf_figure([("EC2", EC2)], "light").layout
    assert (layout.xaxis.type, layout.xaxis.ticksuffix, layout.yaxis.ticksuffix) == ("log", " ms", "%")
    assert list(layout.yaxis.range) == [0, 102]


def test_groups_without_answers_have_no_curve_and_names_are_escaped() -> None:
    (only,) = latency_cdf_figure([("ECS <b>blue</b>", ECS), ("idle", SILENT)], "light").data
    assert only.name == "ECS &lt;b&gt;blue&lt;/b&gt;"
