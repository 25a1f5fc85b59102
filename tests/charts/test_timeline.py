"""The timeline chart: three panels, step line, p95 range, event markers, and its SVG."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from charts.base.events import EVENT_SYMBOLS
from charts.base.frame import ChartFrame
from charts.base.palette import PALETTES, Theme
from charts.base.svg import figure_svg
from charts.timeline import ERRORS, LATENCY, IncidentMark, timeline_figure
from domain import Event, Window
from tests.factories.evidence import MALICIOUS_TEXT
from tests.factories.timelines import NAN, START, make_fleet_timeline, make_timeline

HOUR = 3600
WINDOW = Window(START, START + 6 * HOUR)
STEPS = ((START, 0.0), (START + 2 * HOUR, 0.1), (START + 4 * HOUR, None))


def frame(theme: Theme = "light") -> ChartFrame:
    return ChartFrame({"baseline": "EC2", "canary": "ECS"}, WINDOW, 32_400, "JST", WINDOW.end, theme)


def example_timeline():  # type: ignore[no-untyped-def]
    baseline = make_fleet_timeline([90_000] * 6, [180] * 6, [0.2] * 6, periods=60)
    errors, p95 = [NAN, NAN, 40, 20_000, 40, 40], [NAN, NAN, 0.2, NAN, 0.22, 0.2]
    canary = make_fleet_timeline([NAN, NAN, *[20_000] * 4], errors, p95, periods=60)
    return make_timeline(baseline, canary, bucket_s=HOUR)


def event(hour: float, kind: str, title: str = "something") -> Event:
    return Event(START + int(hour * HOUR), None, kind, title, "", "", "", "test", f"{kind}{hour}")  # type: ignore[arg-type]


def traces_by_name(figure) -> dict[tuple[str, str], object]:  # type: ignore[no-untyped-def]
    """The first trace of each name and axis."""
    return {(trace.name, trace.yaxis or "y"): trace for trace in reversed(figure.data)}


def test_the_configured_share_is_a_step_line_with_gaps() -> None:
    weights = timeline_figure(example_timeline(), STEPS, frame(), ()).data[0]
    assert weights.fill == "tozeroy"
    assert [moment[11:16] for moment in weights.x] == ["09:00", "11:00", "11:00", "13:00", "13:00", "15:00"]
    assert_allclose(weights.y, [0, 0, 10, 10, NAN, NAN])


def test_what_is_read_beside_the_observed_share_is_the_configured_one_of_the_same_time() -> None:
    """A step in the middle of a bucket counts for its part, so that neither share is of another time."""
    steps = ((START, 0.0), (START + HOUR * 5 // 2, 0.1), (START + 4 * HOUR, None))
    figure = timeline_figure(example_timeline(), steps, frame(), ())
    lines = traces_by_name(figure)
    configured, observed = lines["configured", "y"], lines["observed", "y"]
    assert (configured.x0, configured.dx) == (observed.x0, observed.dx)  # type: ignore[attr-defined]
    assert_allclose(configured.y, [0, 0, 5, 10, NAN, NAN])  # type: ignore[attr-defined]
    assert configured.fillcolor == figure.data[0].fillcolor  # type: ignore[attr-defined]  # the legend's swatch


def test_all_that_is_read_has_one_time_grid_and_areas_are_not_read() -> None:
    figure = timeline_figure(example_timeline(), STEPS, frame(), [event(1, "deployment")])
    read = [trace for trace in figure.data if trace.meta]
    assert {(trace.x, trace.x0, trace.dx) for trace in read} == {(None, "2026-09-21 09:00:00", HOUR * 1000)}
    assert [(trace.meta["panel"], trace.name, trace.meta["unit"]) for trace in read] == [
        ("ECS share", "configured", "share"),
        ("ECS share", "observed", "share"),
        ("Error rate", "EC2", "percent"),
        ("Error rate", "ECS", "percent"),
        ("p95", "EC2", "milliseconds"),
        ("p95", "ECS", "milliseconds"),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_fleets_have_their_colours_and_dashes_in_both_panels(theme: Theme) -> None:
    lines = traces_by_name(timeline_figure(example_timeline(), STEPS, frame(theme), ()))
    fleets = PALETTES[theme].fleets
    for axis in ("y2", "y3"):
        assert (lines["EC2", axis].line.color, lines["EC2", axis].line.dash) == (fleets["baseline"], "solid")  # type: ignore[attr-defined]
        assert (lines["ECS", axis].line.color, lines["ECS", axis].line.dash) == (fleets["canary"], "dash")  # type: ignore[attr-defined]


def test_rates_are_percent_latency_is_ms_and_gaps_stay_gaps() -> None:
    lines = traces_by_name(timeline_figure(example_timeline(), STEPS, frame(), ()))
    assert_allclose(lines["ECS", "y2"].y, [NAN, NAN, 0.2, 100, 0.2, 0.2], rtol=1e-6)  # type: ignore[attr-defined]
    assert_allclose(lines["ECS", "y3"].y, [NAN, NAN, 200, NAN, 220, 200], rtol=1e-6)  # type: ignore[attr-defined]
    assert lines["ECS", "y3"].connectgaps is False  # type: ignore[attr-defined]


def test_the_p95_range_is_a_closed_area_for_each_run() -> None:
    ribbons = [trace for trace in timeline_figure(example_timeline(), STEPS, frame(), ()).data if trace.name == "range"]
    canary = ribbons[1]
    assert (canary.fill, canary.line.width) == ("toself", 0)
    assert [time[11:13] for time in canary.x] == ["11", "11", "11", "13", "14", "14", "13", "13"]
    assert_allclose(canary.y, [220, 180, NAN, 242, 220, 180, 198, NAN], rtol=1e-6)


def test_buckets_of_one_period_have_no_p95_range() -> None:
    one_each = make_timeline(
        make_fleet_timeline([9000] * 3, p95=[0.2] * 3, periods=1),
        make_fleet_timeline([9000] * 3, p95=[0.2] * 3, periods=1),
    )
    assert [trace.name for trace in timeline_figure(one_each, STEPS, frame(), ()).data if trace.name == "range"] == []


def test_an_extreme_peak_is_cut_off_and_labelled() -> None:
    long = make_timeline(
        make_fleet_timeline([90_000] * 100, [180] * 100),
        make_fleet_timeline([20_000] * 100, [40] * 50 + [20_000] + [40] * 49),
    )
    figure = timeline_figure(long, STEPS, frame(), ())
    assert figure.layout.yaxis2.range[1] == pytest.approx(0.5)  # two and a half times the usual 0.2 %
    assert [trace.text for trace in figure.layout.annotations if trace.name == "peak"] == ["↑ 100%"]


def test_low_samples_are_faint() -> None:
    thin = make_timeline(make_fleet_timeline([90_000] * 3, [180] * 3), make_fleet_timeline([50] * 3, [0, 1, 0]))
    faint = [trace for trace in timeline_figure(thin, STEPS, frame(), ()).data if trace.opacity]
    assert [(trace.name, trace.opacity) for trace in faint] == [("ECS", 0.3)]


def test_events_have_markers() -> None:
    happened = [
        event(1, "deployment", "web 1.0"),
        event(1.01, "annotation", "right beside it"),
        event(2, "weight", "0% → 10%"),
        event(3, "rollback", "Back"),
        event(5, "note", MALICIOUS_TEXT),
        event(9, "alert", "after the window"),
    ]
    figure = timeline_figure(example_timeline(), STEPS, frame(), happened)
    marks = [
        (trace.x[11:16], trace.text)
        for trace in figure.layout.annotations
        if trace.name in dict.fromkeys(e.kind for e in happened)
    ]
    assert marks == [("12:00", EVENT_SYMBOLS["rollback"]), ("14:00", "✎"), ("10:00", "▲")]


def test_a_drag_zooms_and_the_axis_names_its_zone() -> None:
    layout = timeline_figure(example_timeline(), STEPS, frame(), ()).layout
    assert layout.dragmode == "zoom"
    assert list(layout.xaxis.range) == ["2026-09-21 09:00:00", "2026-09-21 15:00:00"]
    assert [trace.text for trace in layout.annotations if trace.name == "zone"] == ["JST"]


def test_it_is_rendered_as_svg() -> None:
    svg = str(
        figure_svg(
            timeline_figure(example_timeline(), STEPS, frame(), [event(3, "rollback", MALICIOUS_TEXT)]),
            "The whole migration",
        )
    )
    assert svg.count('role="none"') == 3  # three panels
    assert "↩" in svg and "<script" not in svg
    assert len(re.findall(r'fill="rgba\(224,108,0,0.16\)"', svg)) == 1
    assert "nan," not in svg and ",nan" not in svg


def test_an_empty_timeline_is_drawn() -> None:
    nothing = make_timeline(make_fleet_timeline([NAN] * 3), make_fleet_timeline([NAN] * 3))
    assert nothing.empty
    assert len(timeline_figure(nothing, (), frame(), ()).data) > 0
    assert np.isnan(nothing.canary_share).all()


def mark(number: int, hour: float, *, is_slow: bool = False) -> IncidentMark:
    start = START + int(hour * HOUR)
    return IncidentMark(number, is_slow, Window(start, start + 600))


def test_incidents_are_numbered_in_the_panel_of_what_went_wrong() -> None:
    marks = [mark(1, 1), mark(2, 3.5, is_slow=True), mark(3, 7)]  # the last is after the window
    figure = timeline_figure(example_timeline(), STEPS, frame(), (), marks)
    numbers = [words for words in figure.layout.annotations if words.name == "incident"]
    assert [(words.text, words.yref, str(words.x)[11:16]) for words in numbers] == [
        ("①", "y2 domain", "10:00"),
        ("②", "y3 domain", "12:30"),
    ]
    bands = [shape for shape in figure.layout.shapes if shape.name == "incident"]
    assert [((band.y0, band.y1), str(band.x0)[11:16], str(band.x1)[11:16]) for band in bands] == [
        (ERRORS, "10:00", "10:10"),
        (LATENCY, "12:30", "12:40"),
    ]
    svg = figure_svg(figure, "A chart")
    assert svg.count("①") == 1 and svg.count("②") == 1
    assert svg.count(' stroke="rgba(110,112,125,0.38)" stroke-width="1"/>') == 2, "minutes have no width in weeks"
    assert not [
        words
        for words in timeline_figure(example_timeline(), STEPS, frame(), ()).layout.annotations
        if words.name == "incident"
    ]


def test_incidents_that_are_close_together_share_a_label() -> None:
    def labels(*marks: IncidentMark) -> list[str]:
        layout = timeline_figure(example_timeline(), STEPS, frame(), (), marks).layout
        return [words.text for words in layout.annotations if words.name == "incident"]

    assert labels(mark(1, 1), mark(2, 1.1), mark(3, 2)) == ["①②", "③"]
    assert labels(*(mark(number, 1 + number / 20) for number in range(1, 6))) == ["①–⑤"]
    assert labels(mark(1, 1), mark(2, 1.1, is_slow=True), mark(3, 1.2)) == ["①", "③", "②"]


def test_an_incident_that_began_before_the_window_stands_at_its_edge() -> None:
    early = IncidentMark(1, False, Window(START - HOUR, START + 600))
    layout = timeline_figure(example_timeline(), STEPS, frame(), (), [early]).layout
    (number,) = [words for words in layout.annotations if words.name == "incident"]
    assert str(number.x)[11:16] == "09:00"
