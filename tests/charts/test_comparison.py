"""The comparison chart: names, dashes, values, gaps, bands, and events."""

from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.testing import assert_allclose

from analysis import Comparison, EarlierLine
from analysis.parity.estimates import RunningEstimate
from charts.base.frame import ChartFrame
from charts.base.palette import PALETTES, Theme, fleet_line
from charts.comparison import comparison_figure as drawn_figure
from domain import FLEETS, Event, Margin, Window
from tests.factories.frames import START

NAN = np.nan
WINDOW = Window(START, START + 6 * 60)
FEW = np.zeros(6, dtype=bool)


def frame(theme: Theme = "light", *, provisional_from: int = WINDOW.end, **labels: str) -> ChartFrame:
    return ChartFrame({"baseline": "EC2", "canary": "ECS"} | labels, WINDOW, 32_400, "JST", provisional_from, theme)  # type: ignore[arg-type]


def rate_comparison(baseline: list[float], canary: list[float], **options: object) -> Comparison:
    samples = {"baseline": np.full(6, 1000.0), "canary": np.full(6, 500.0)}
    lines = {"baseline": np.array(baseline), "canary": np.array(canary)}
    fields = {"low_sample": {"baseline": FEW, "canary": FEW}} | options
    return Comparison(START + np.arange(6) * 60, np.full(6, 60), "rate", lines, samples, **fields)  # type: ignore[arg-type]


CALM = rate_comparison([0.002] * 6, [0.001, 0.003, NAN, 0.003, 0.003, 0.003])


def comparison_figure(*given: Any, **more: Any) -> go.Figure:
    """The figure, validated by plotly's Python library, which rejects unknown names and values."""
    return go.Figure(**drawn_figure(*given, **more).to_plotly_json())


def traces_by_name(figure) -> dict[str, object]:  # type: ignore[no-untyped-def]
    return {trace.name: trace for trace in figure.data}


def test_long_lines_are_solid_and_differ_in_weight_and_luminance() -> None:
    """Dashes of 180 points hide what a line does. The canary's line is thin and on top, so that both are seen where they coincide."""
    for theme in ("light", "dark"):
        palette = PALETTES[theme]
        baseline, canary = (fleet_line(palette, fleet, 180) for fleet in FLEETS)
        assert (baseline["dash"], canary["dash"]) == ("solid", "solid")
        assert baseline["width"] > 1.5 * canary["width"]
        assert _luminance(canary["color"]) > 1.8 * _luminance(baseline["color"])
        assert fleet_line(palette, "baseline", 1440)["width"] < baseline["width"], "one point a pixel"


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "paper"), [("light", "#FFFFFF"), ("dark", "#171614")])
def test_colours_of_fleets_have_contrast(theme: Theme, paper: str) -> None:
    def contrast(colour: str) -> float:
        low, high = sorted((_luminance(colour), _luminance(paper)))
        return (high + 0.05) / (low + 0.05)

    palette = PALETTES[theme]
    assert min(map(contrast, palette.fleets.values())) >= 3
    assert min(map(contrast, palette.fleet_texts.values())) >= 4.5


def test_names_stand_at_the_ends_of_the_lines_and_never_on_each_other() -> None:
    apart = rate_comparison([0.002] * 6, [0.001, 0.003, 0.003, 0.003, NAN, NAN])
    close = rate_comparison([0.0021] * 6, [0.002] * 6)
    for overlay, expected in (
        (apart, [("EC2", 0.2, 0), ("ECS", 0.3, 0)]),
        (close, [("ECS", 0.2, -2.0), ("EC2", 0.21, 2.0)]),
    ):
        names = [words for words in comparison_figure(overlay, frame()).layout.annotations if words.name == "end"]
        assert [(words.text, round(words.y, 6)) for words in names] == [item[:2] for item in expected]
        assert all(words.x == 1 and words.xref == "paper" for words in names)
        shifts = [words.yshift for words in names]
        assert shifts == [0, 0] if overlay is apart else shifts[0] < 0 < shifts[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_of_few_points_baseline_is_solid_and_canary_dashed(theme: Theme) -> None:
    traces = traces_by_name(comparison_figure(CALM, frame(theme)))
    assert [(name, traces[name].line.dash, traces[name].line.color) for name in ("EC2", "ECS")] == [
        ("EC2", "solid", PALETTES[theme].fleets["baseline"]),
        ("ECS", "dash", PALETTES[theme].fleets["canary"]),
    ]


def test_rates_are_percent_and_their_difference_percentage_points() -> None:
    traces = traces_by_name(comparison_figure(CALM, frame()))
    assert_allclose(traces["EC2"].y, [0.2] * 6, rtol=1e-6)
    assert_allclose(traces["ECS − EC2"].y, [-0.1, 0.1, NAN, 0.1, 0.1, 0.1], rtol=1e-5)
    assert traces["ECS − EC2"].yaxis == "y2"
    assert (traces["EC2"].meta["unit"], traces["ECS − EC2"].meta["unit"]) == ("percent", "points")


def test_a_gap_stays_a_gap_and_a_minute_between_gaps_is_a_dot() -> None:
    lonely = rate_comparison([0.002] * 6, [NAN, 0.003, NAN, 0.003, 0.003, 0.003])
    traces = traces_by_name(comparison_figure(lonely, frame()))["ECS"]
    assert traces.connectgaps is False
    assert traces.mode == "lines+markers"
    assert list(traces.marker.size) == [0, 5, 0, 0, 0, 0]


def test_the_axis_shows_the_wall_clock_of_the_zone_and_names_it() -> None:
    figure = comparison_figure(CALM, frame())
    assert "JST" in [words.text for words in figure.layout.annotations]
    # START is 2026-09-21 14:10 UTC; Tokyo is nine hours ahead.
    assert figure.data[0].x0 == figure.layout.xaxis.range[0] == "2026-09-21 23:10:00"
    assert figure.data[0].dx == 60_000


def test_provisional_minutes_are_shaded() -> None:
    figure = comparison_figure(CALM, frame(provisional_from=WINDOW.end - 180))
    shading = next(shape for shape in figure.layout.shapes if shape.name == "provisional")
    assert (shading.x0, shading.x1, shading.layer) == ("2026-09-21 23:13:00", "2026-09-21 23:16:00", "above")
    assert "provisional" in [words.text for words in figure.layout.annotations]
    assert not [shape for shape in comparison_figure(CALM, frame()).layout.shapes if shape.name == "provisional"]


def test_an_extreme_provisional_minute_does_not_set_the_scale() -> None:
    wild = rate_comparison([0.002] * 6, [0.001] * 5 + [0.9])
    assert comparison_figure(wild, frame(provisional_from=WINDOW.end - 180)).layout.yaxis.range[1] < 0.5


def test_the_load_balancers_own_5xx_have_a_scale_of_their_own() -> None:
    """A fleet without targets, or another service behind the same load balancer: 5,000 errors a minute are no rate of these fleets."""
    outage = rate_comparison([0.002] * 6, [0.001, 0.001, NAN, NAN, NAN, NAN], alb_5xx=np.array([0, 0] + [5000] * 4))
    layout = comparison_figure(outage, frame()).layout
    assert_allclose((layout.yaxis.range[1], layout.yaxis3.range[1]), (0.2 * 1.12, 5600))
    assert layout.yaxis3.showticklabels


def test_few_errors_of_the_load_balancer_look_like_few() -> None:
    """One among 1,500 requests a minute, where the axis of the fleets' rates ends at 11.2%: that is 168 requests."""
    calm = rate_comparison([0.1] * 6, [0.1] * 6, alb_5xx=np.array([0, 1.0, 0, 0, 0, 0]))
    axis = comparison_figure(calm, frame()).layout.yaxis3
    assert_allclose(axis.range, (0, 168))
    assert (axis.visible, axis.showticklabels) == (True, False)


def test_low_samples_are_faint_and_have_no_difference() -> None:
    low = np.array([False, False, True, True, False, False])
    overlay = rate_comparison([0.1] * 6, [0.2] * 6, low_sample={"baseline": FEW, "canary": low})
    firm, faint = [trace for trace in comparison_figure(overlay, frame()).data if trace.name == "ECS"]
    assert_allclose(firm.y, [20, 20, NAN, NAN, 20, 20])
    assert_allclose(faint.y, [NAN, NAN, 20, 20, NAN, NAN])
    assert faint.opacity < 0.5
    assert (firm.meta, faint.meta) == ({"unit": "percent"}, {"unit": "percent", "note": "low sample"})
    assert_allclose(
        traces_by_name(comparison_figure(overlay, frame()))["ECS − EC2"].y, [10, 10, NAN, NAN, 10, 10], rtol=1e-6
    )


def running(**more: Any) -> RunningEstimate:
    """Every other minute from the third on: +0.01 pp (−0.02 … +0.04), in a margin of ±0.05 pp; nothing is known at first."""
    fields = {"estimate": 0.0001, "lower": -0.0002, "upper": 0.0004, "margin_lower": -0.0005, "margin": 0.0005} | more
    ts = START + np.array([120, 240])
    return RunningEstimate(ts, 120, **{name: np.array([NAN, value]) for name, value in fields.items()})


def test_the_lower_panel_has_the_running_estimate_with_its_ci_in_the_margin() -> None:
    figure = comparison_figure(CALM, frame(), estimate=running(), margin=Margin.model_validate("0.05pp"))
    lower = [trace for trace in figure.data if trace.yaxis == "y2"]
    assert [(trace.name, trace.fill, trace.opacity) for trace in lower] == [
        ("margin", None, None),
        ("margin", "tonexty", None),
        ("ECS − EC2", None, 0.3),  # what single minutes say is faint behind it
        ("lower", None, None),
        ("upper", "tonexty", None),
        ("estimate", None, None),
    ]
    assert_allclose([trace.y[1] for trace in (*lower[:2], *lower[3:])], [-0.05, 0.05, -0.02, 0.04, 0.01], rtol=1e-6)
    assert (lower[5].x0, lower[5].dx) == ("2026-09-21 23:12:00", 120_000)
    assert [trace.meta for trace in lower[3:]] == [{"bound": "lower"}, {"bound": "upper"}, {"unit": "points"}]
    titles = [words.text for words in figure.layout.annotations if words.name == "difference"]
    assert titles == ["ECS − EC2 so far, 95% CI; margin ±0.05 pp; faint: each period"]


def test_the_noise_of_single_minutes_does_not_set_the_scale_of_the_estimate() -> None:
    """±0.1 pp a minute beside a margin of ±0.05 pp: the panel reaches to twice the margin, or as far as the CI."""
    for widest, reach in ((0.0004, 0.1), (0.004, 0.44)):
        layout = comparison_figure(CALM, frame(), estimate=running(upper=widest)).layout
        assert_allclose(layout.yaxis2.range, (-reach, reach))


def test_without_an_estimate_there_is_no_margin_beside_single_minutes() -> None:
    unknown = running(lower=NAN, upper=NAN, estimate=NAN)
    for figure in (
        comparison_figure(CALM, frame(), margin=Margin.model_validate("0.05pp")),
        comparison_figure(CALM, frame(), margin=Margin.model_validate("0.05pp"), estimate=unknown),
    ):
        assert [trace.name for trace in figure.data if trace.yaxis == "y2"] == ["ECS − EC2"]
        assert [words.text for words in figure.layout.annotations if words.name == "difference"] == [
            "ECS − EC2, each period"
        ]
        assert_allclose(figure.layout.yaxis2.range, (-0.11, 0.11), rtol=1e-6)


def test_requests_are_compared_by_the_canarys_share() -> None:
    """A difference of counts is that of the weights: what matters is whether the traffic follows them."""
    lines = {"baseline": np.array([90.0] * 5 + [NAN]), "canary": np.array([10.0] * 4 + [NAN] * 2)}
    counts = Comparison(
        START + np.arange(6) * 60, np.full(6, 60), "count", lines, lines, dict.fromkeys(("baseline", "canary"), FEW)
    )
    figure = comparison_figure(counts, frame(), steps=((START - 60, 0.05), (START + 90, 0.1)))
    lower = {trace.name: trace for trace in figure.data if trace.yaxis == "y2"}
    assert list(lower) == ["configured", "observed"]
    assert (lower["configured"].fill, lower["configured"].line.shape) == ("tozeroy", "hv")
    assert_allclose(lower["configured"].y, [5, 7.5, 10, 10, 10, 10])
    assert_allclose(lower["observed"].y, [10, 10, 10, 10, 0, NAN])
    assert [trace.meta["unit"] for trace in lower.values()] == ["share", "share"]


def latency_comparison(canary: float = 0.210, **options: object) -> Comparison:
    lines = {"baseline": np.full(6, 0.200), "canary": np.full(6, canary)}
    fields = {"low_sample": {"baseline": FEW, "canary": FEW}} | options
    return Comparison(START + np.arange(6) * 60, np.full(6, 60), "latency", lines, lines, **fields)  # type: ignore[arg-type]


def latency_fan() -> Comparison:
    """p95 among p50 and p99; the canary's p99 is unknown in one minute, and of too few responses in the next."""
    p50 = replace(latency_comparison(0.110), values={fleet: np.full(6, 0.1) for fleet in FLEETS}, percentile="p50")
    p99_values = {"baseline": np.full(6, 0.4), "canary": np.array([0.5, NAN, 0.5, 0.5, 0.5, 0.5])}
    low = {"baseline": FEW, "canary": np.array([False, False, True, False, False, False])}
    p99 = replace(latency_comparison(), values=p99_values, low_sample=low, percentile="p99")
    return replace(latency_comparison(), percentile="p95", others=(p50, p99))


def test_a_fan_has_a_line_for_each_percentile_and_a_band_between_the_outer_ones() -> None:
    figure = comparison_figure(latency_fan(), frame())
    upper = [trace for trace in figure.data if trace.yaxis is None]
    bands, lines = upper[:4], [trace for trace in upper[4:] if trace.opacity is None]
    assert [(trace.name, trace.line.width, trace.y[0]) for trace in lines] == [
        ("EC2 p50", 1, 100),
        ("ECS p50", 1, 100),
        ("EC2 p95", 2, 200),
        ("ECS p95", 2, 210),
        ("EC2 p99", 1, 400),
        ("ECS p99", 1, 500),
    ]
    assert [(trace.fill, trace.line.width, trace.meta) for trace in bands] == 2 * [
        (None, 0, None),
        ("tonexty", 0, None),
    ]
    assert_allclose([trace.y for trace in bands[2:]], [[100] * 6, [500, 100, 500, 500, 500, 500]], rtol=1e-6)
    assert [bands[at].fillcolor for at in (1, 3)] == [f"{PALETTES['light'].fleets[fleet]}1c" for fleet in FLEETS]
    assert not any(band.showlegend for band in bands), "a PNG has a legend"
    assert_allclose(figure.layout.yaxis.range[1], 500 * 1.12)


def test_a_fleet_without_values_has_no_area() -> None:
    nothing = {"baseline": np.full(6, 0.2), "canary": np.full(6, NAN)}
    fan = latency_fan()
    fan = replace(fan, values=nothing, others=tuple(replace(line, values=nothing) for line in fan.others))
    areas = [trace for trace in comparison_figure(fan, frame()).data if trace.name == "fan"]
    assert [trace.legendgroup for trace in areas] == ["baseline", "baseline"]


def test_the_difference_beside_a_fan_is_that_of_the_compared_percentile() -> None:
    figure = comparison_figure(latency_fan(), frame())
    (difference,) = [trace for trace in figure.data if trace.yaxis == "y2"]
    assert difference.name == "p95 ECS − EC2"
    assert_allclose(difference.y, [10] * 6, rtol=1e-5)


def test_the_labels_of_a_fan_are_moved_apart_in_the_order_of_their_lines() -> None:
    layout = comparison_figure(latency_fan(), frame()).layout
    names = [words for words in layout.annotations if words.name == "end"]
    assert [words.text for words in names] == ["EC2 p50", "ECS p50", "EC2 p95", "ECS p95", "EC2 p99", "ECS p99"]
    px_per_ms = (300 - 8 - 34) * 0.64 / layout.yaxis.range[1]
    positions = [words.y * px_per_ms + words.yshift for words in names]
    assert min(np.diff(positions)) >= 12.9


def test_an_empty_difference_has_a_reason() -> None:
    def reasons(overlay: Comparison) -> list[str]:
        return [
            annotation.text
            for annotation in comparison_figure(overlay, frame()).layout.annotations
            if annotation.name == "no difference"
        ]

    assert reasons(latency_comparison(low_sample={"baseline": FEW, "canary": ~FEW})) == [
        "Too few responses per minute; try a lower percentile"
    ]
    assert reasons(latency_comparison(NAN)) == ["No data for one fleet"]
    assert reasons(latency_comparison()) == []


def test_unanswered_connection_errors_and_the_load_balancers_own_5xx_are_shown() -> None:
    nothing, half = np.zeros(6), np.full(6, 0.5)
    parts = {
        "unanswered": {"baseline": nothing, "canary": half},
        "connection_errors": {"baseline": nothing, "canary": half},
    }
    dead = rate_comparison([0.002] * 6, [0.5] * 6, components=parts, alb_5xx=np.array([NAN, 0, 5000, 100, 0, 0]))
    figure = comparison_figure(dead, frame())
    traces = traces_by_name(figure)
    assert set(traces) == {
        "EC2",
        "ECS",
        "ECS no response",
        "ECS connection errors",
        "ALB-generated 5xx, whole load balancer",
        "ECS − EC2",
    }
    # A count on an axis of its own, never a percentage of the fleets' requests.
    area = traces["ALB-generated 5xx, whole load balancer"]
    assert (area.fill, area.yaxis, area.meta["unit"]) == ("tozeroy", "y3", "per_minute")
    assert_allclose(area.y, [NAN, 0, 5000, 100, 0, 0])
    assert_allclose(figure.layout.yaxis3.range, (0, 5600))
    axis = figure.layout.yaxis3
    assert (axis.side, axis.visible, axis.ticktext) == ("right", True, ("0/min", "2,000/min", "4,000/min"))
    assert_allclose(figure.layout.yaxis.range, (0, 56))


def test_the_load_balancers_axis_does_not_come_and_go_with_its_errors() -> None:
    """plotly.js rebuilds a chart, and closes the hover box, when an axis comes or goes."""
    layout = comparison_figure(rate_comparison([0.002] * 6, [0.5] * 6, alb_5xx=np.zeros(6)), frame()).layout
    assert (layout.yaxis3.overlaying, layout.yaxis3.visible) == ("y", False)


def test_external_names_are_escaped() -> None:
    figure = comparison_figure(
        CALM,
        frame(canary="<img src=x onerror=alert(1)>%{y}"),
        events=[Event(START + 60, None, "alert", "<b>x</b>%{customdata}", "<i>why</i>", "", "", "test", "1")],
    )
    traces = figure.to_json()
    assert "<img" not in traces
    assert "<b>x" not in traces and "<i>why" not in traces
    assert "%{customdata}" not in traces


def test_values_are_read_above_the_plot_and_not_in_a_box() -> None:
    layout = comparison_figure(CALM, frame(provisional_from=WINDOW.end - 180)).layout
    assert (layout.hovermode, layout.showlegend) == (False, False)
    assert layout.meta == {"zone": "JST", "provisional_from": "2026-09-21 23:13:00", "provisional": "provisional"}


def test_a_chart_without_any_value_can_still_be_drawn() -> None:
    assert (
        len(comparison_figure(rate_comparison([NAN] * 6, [NAN] * 6), frame(), margin=Margin.model_validate("10%")).data)
        > 0
    )


def test_a_change_of_resolution_is_marked() -> None:
    """A five-minute period, then five one-minute periods."""
    window = Window(START, START + 600)
    lines = {"baseline": np.array([0.1] * 6), "canary": np.array([0.2, 0.1, 0.1, NAN, 0.1, 0.1])}
    ts, lengths = START + np.array([0, 300, 360, 420, 480, 540]), np.array([300, 60, 60, 60, 60, 60])
    overlay = Comparison(ts, lengths, "latency", lines, lines, {"baseline": FEW, "canary": FEW})
    around = ChartFrame({"baseline": "EC2", "canary": "ECS"}, window, 32_400, "JST", window.end)
    figure = comparison_figure(overlay, around)
    traces = traces_by_name(figure)
    assert [str(x)[11:16] for x in traces["ECS"].x] == ["23:10", "23:15", "23:16", "23:17", "23:18", "23:19"]
    assert_allclose(traces["ECS − EC2"].y, [100, 0, 0, NAN, 0, 0], atol=1e-5)
    assert [(line.x0, line.x1) for line in figure.layout.shapes if line.name == "resolution"] == [
        ("2026-09-21 23:15:00", "2026-09-21 23:15:00")
    ]
    assert "5 min ◂ ▸ 1 min" in [words.text for words in figure.layout.annotations]
    assert not [line for line in comparison_figure(CALM, frame()).layout.shapes if line.name == "resolution"]


LAST_WEEK = EarlierLine(START + np.array([0, 120, 240]), np.full(3, 120), np.array([0.004, NAN, 0.9]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_last_week_is_a_faint_line_behind_all_others(theme: Theme) -> None:
    without, figure = (comparison_figure(of_now, frame(theme)) for of_now in (CALM, replace(CALM, last_week=LAST_WEEK)))
    line = traces_by_name(figure)["last week"]
    assert_allclose(line.y, [0.4, NAN, 90], rtol=1e-6)
    assert (line.x0, line.dx, line.meta) == ("2026-09-21 23:10:00", 120_000, {"unit": "percent"})
    assert (line.line.color, line.line.width, line.opacity) == (PALETTES[theme].faint, 1, 0.6)
    assert line.zorder < min(trace.zorder or 0 for trace in without.data)
    assert figure.data[0].name == "EC2", "the crosshair steps along the first trace"


def test_last_week_does_not_stretch_the_axis_and_is_named_at_its_end() -> None:
    without, layout = (
        comparison_figure(of_now, frame()).layout for of_now in (CALM, replace(CALM, last_week=LAST_WEEK))
    )
    assert layout.yaxis == without.yaxis
    (name,) = [words for words in layout.annotations if words.text == "last week"]
    assert (name.name, name.y, name.font.color) == ("end", layout.yaxis.range[1], PALETTES["light"].faint)
    assert layout.margin.r > without.margin.r
