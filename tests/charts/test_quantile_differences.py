"""Differences of percentiles: estimates, CIs and margins in percent, in no fleet's colour."""

from typing import Any

import pytest

from analysis.series.quantiles import RelativeDifference
from charts.base.palette import PALETTES, Theme
from charts.quantile_differences import quantile_differences_figure

P50 = ("p50", RelativeDifference(0.02, -0.01, 0.06), "p50 +2.0%")
P99 = ("p99", RelativeDifference(-0.1, None, None), "p99 −10.0%")
MARGINS = {"p50": (-1 / 11, 0.1), "p95": (-0.5, 0.5)}


def drawn(*differences: Any, margins: Any = MARGINS, theme: Theme = "light") -> dict[str, Any]:
    return quantile_differences_figure(differences, margins, theme).to_plotly_json()


def test_each_mark_has_its_interval() -> None:
    (trace,) = drawn(P50, P99)["data"]
    assert trace["x"] == ["p50", "p99"] and trace["y"].tolist() == pytest.approx([2.0, -10.0])
    bars = trace["error_y"]
    assert bars["array"].tolist() == pytest.approx([4.0, 0.0]) and bars["arrayminus"].tolist() == pytest.approx(
        [3.0, 0.0]
    )
    assert bars["symmetric"] is False
    assert trace["customdata"] == ["p50 +2.0%", "p99 −10.0%"]


def test_a_mark_without_an_interval_is_open() -> None:
    (trace,) = drawn(P50, P99)["data"]
    assert trace["marker"]["symbol"] == ["circle", "circle-open"]


def test_a_margin_is_a_band_behind_its_percentile_alone() -> None:
    (band,) = drawn(P99, P50)["layout"]["shapes"]
    assert (band["x0"], band["x1"], band["layer"]) == (0.6, 1.4, "below")
    assert drawn(P99, P50)["layout"]["xaxis"]["range"] == [-0.5, 1.5], "a place for each"
    assert (band["y0"], band["y1"]) == pytest.approx((-9.0909, 10.0), abs=1e-4)
    assert drawn(P50, margins={})["layout"]["shapes"] == []


def test_zero_is_in_the_middle_and_a_very_wide_interval_is_cut_off() -> None:
    axis = drawn(P50)["layout"]["yaxis"]
    assert axis["zeroline"] and axis["range"] == pytest.approx([-15.0, 15.0])
    assert axis["ticktext"] == ["−10%", "0%", "+10%"]
    far = ("p50", RelativeDifference(0.5, 0.45, 0.5), "")
    assert drawn(far)["layout"]["yaxis"]["range"] == pytest.approx([-60.0, 60.0]), "no mark at the edge"
    wide = ("p99", RelativeDifference(0.1, -0.9, 40.0), "")
    assert drawn(P50, wide)["layout"]["yaxis"]["range"] == pytest.approx([-45.0, 45.0])
    equal = ("p50", RelativeDifference(0.0, 0.0, 0.0), "")
    assert drawn(equal, margins={})["layout"]["yaxis"]["range"] == [-5.0, 5.0]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_difference_has_the_colour_of_no_fleet(theme: Theme) -> None:
    assert not any(colour in str(drawn(P50, theme=theme)) for colour in PALETTES[theme].fleets.values())
