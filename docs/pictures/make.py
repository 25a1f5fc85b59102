"""Draws the five pictures at the beginning of MATH.md from what the judge says: python -m docs.pictures.make."""

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from analysis.series.grid import FloatArray
from docs.pictures.data import (
    BASELINE_RATE,
    HEALTHY_MINUTES,
    HOUR,
    REQUESTS,
    Phase,
    difference_of_all_minutes,
    healthy_looks,
    incident_phase,
    narrowing_phase,
    three_phases,
)
from docs.pictures.svg import WIDTH, Picture, Scale
from domain import FLEETS

FOLDER = Path(__file__).parents[1] / "img" / "math"
PER = 10_000  # rates are drawn as errors per so many requests
MARGIN = 5.0  # the criterion's 0.05 pp, of PER
DIFFERENCE = f"canary − baseline, in errors per {PER:,} requests"
COLOURS = {"parity": "good", "undecided": "warn", "regression": "bad", "not enough data": "faint"}
LEFT, RIGHT = 110, WIDTH - 40


def interval() -> Picture:
    picture = Picture(
        580,
        "The real difference lies within the interval",
        f"Three phases of six hours, with {REQUESTS[0] * 6 * HOUR:,.0f} requests of each fleet",
    )
    x = Scale(-7, 17, 330, RIGHT)
    picture.rect(x(-MARGIN), 152, x(MARGIN), 456, "band")
    picture.text(x(0), 140, "margin: accepted beforehand", anchor="middle", colour="faint")
    picture.line(((x(0), 152), (x(0), 456)), "faint", width=1.5)
    for tick in (-5, 0, 5, 10, 15):
        picture.text(x(tick), 488, _signed(tick), anchor="middle", colour="faint")
    meanings = ("inside the margin", "over the margin’s edge", "beyond the margin")
    for y, phase, meaning in zip((204, 304, 404), three_phases(), meanings, strict=True):
        result = phase.result
        assert result.lower is not None and result.upper is not None and result.estimate is not None
        low, high = x(result.lower * PER), x(result.upper * PER)
        colour = COLOURS[result.verdict]
        picture.text(40, y - 2, result.verdict, bold=True, size=26, colour=colour)
        picture.text(40, y + 26, meaning, colour="faint")
        picture.rect(low, y - 8, high, y + 8, colour, opacity=0.45)
        for end in (low, high):
            picture.line(((end, y - 18), (end, y + 18)), colour, width=4)
        picture.diamond(x(phase.truth * PER), y)
        picture.dot(x(result.estimate * PER), y, "ink")
    picture.text(x(MARGIN), 522, DIFFERENCE, anchor="middle", colour="faint")
    picture.dot(x(-MARGIN), 550, "ink")
    picture.text(x(-MARGIN) + 18, 557, "measured")
    picture.diamond(x(0), 550)
    picture.text(x(0) + 20, 557, "real, which only a simulation can show")
    return picture


def narrowing() -> Picture:
    phase = narrowing_phase()
    picture = Picture(
        600, "More requests narrow the interval, until it fits into the margin", f"One phase: {DIFFERENCE}"
    )
    x, y = Scale(0, len(phase.trace), LEFT, RIGHT), Scale(-20, 20, 500, 130)
    _axes(picture, x, y, range(-20, 21, 10))
    requests = np.cumsum(phase.traffic.requests[0] + phase.traffic.requests[1])
    _hours(picture, x, 532, 3)
    _hours(picture, x, 562, 3, lambda hour: f"{round(requests[hour * HOUR - 1], -4):,.0f}" if hour else "requests")
    _interval_band(picture, phase, x, y)
    picture.line(((LEFT, y(phase.truth * PER)), (RIGHT, y(phase.truth * PER))), "ink", width=2, dash="2 5")
    decided = phase.decided_after
    assert decided
    _mark_decision(picture, phase, x, y, f"parity after {_duration(decided)}")
    picture.text(x(HOUR), 160, "interval", colour="warn", bold=True)
    picture.text(RIGHT - 8, y(MARGIN) - 10, "margin", anchor="end", colour="faint")
    picture.text(RIGHT - 8, y(-MARGIN) + 30, "dotted: the real difference", anchor="end")
    return picture


def looking_often() -> Picture:
    repeated, judged = healthy_looks()
    picture = Picture(
        700,
        "Looking often is safe: false alarms do not add up",
        f"{len(judged)} canaries that are as good as the baseline; each line is one of them over eight hours. Red: “it differs”",
    )
    for left, name, looks in (
        (40, "An ordinary test, repeated every minute", repeated),
        (630, "This judge, asked every minute", judged),
    ):
        x = Scale(0, HEALTHY_MINUTES, left, left + 530)
        accused = int(looks.any(axis=1).sum())
        colour = "bad" if accused > 1 else "good"
        picture.text(left, 146, name, bold=True, size=22)
        picture.text(left, 180, f"{accused} of {len(looks)} with a false alarm", bold=True, size=26, colour=colour)
        for row, minutes in enumerate(looks):
            top = 212 + row * 21
            picture.line(((x(0), top), (x(HEALTHY_MINUTES), top)), "line", width=7)
            for is_red, run in groupby(enumerate(minutes.tolist()), key=lambda item: bool(item[1])):
                if is_red:
                    span = [index for index, _ in run]
                    picture.rect(x(span[0]), top - 6, max(x(span[-1] + 1), x(span[0]) + 3), top + 6, "bad")
        _hours(picture, x, 660, 2)
    return picture


def incident() -> Picture:
    phase, found = incident_phase()
    assert found.requests and found.errors
    picture = Picture(
        760,
        "An incident is one event, left out of the comparison",
        "Errors of each fleet in each minute, as a share of its requests",
    )
    x = Scale(0, len(phase.trace), LEFT, RIGHT)
    start = phase.trace["ts"].iloc[0].timestamp()
    first, end = ((edge - start) / 60 for edge in (found.window.start, found.window.end))
    rates, differences = Scale(0, 40, 370, 130), Scale(-20, 140, 690, 460)
    for scale in (rates, differences):
        picture.rect(x(first), scale.end_px, x(end), scale.start_px, "bad", opacity=0.16)
    for tick in (0, 20, 40):
        picture.line(((LEFT, rates(tick)), (RIGHT, rates(tick))), "grid", width=1.5)
        picture.text(LEFT - 14, rates(tick) + 7, f"{tick}%", anchor="end", colour="faint")
    for index in (1, 0):  # the baseline above the canary
        share = phase.traffic.errors[index] / phase.traffic.requests[index]
        picture.fleet_line(_points(x, rates, share * 100), FLEETS[index])
    picture.text(x(end) + 16, 160, f"Incident: the canary, {end - first:.0f} minutes", bold=True, colour="bad")
    picture.text(x(end) + 16, 190, f"{found.errors['canary']:,} of {found.requests['canary']:,} requests failed")
    picture.text(
        x(end) + 16, 220, f"baseline: {found.errors['baseline']:,} of {found.requests['baseline']:,}", colour="baseline"
    )
    picture.text(x(first) - 16, 250, "canary", anchor="end", colour="canary-text", bold=True)
    picture.text(LEFT + 8, 348, f"baseline and canary: {BASELINE_RATE:.1%}", colour="faint")
    picture.text(40, 428, f"The comparison: {DIFFERENCE}", colour="faint")
    _axes(picture, x, differences, (0, 50, 100))
    _interval_band(picture, phase, x, differences)
    after = np.where(np.arange(len(phase.trace)) >= first, difference_of_all_minutes(phase) * PER, np.nan)
    picture.line(_points(x, differences, after), "faint", width=2, dash="2 5")
    picture.text(RIGHT - 8, differences(55), "dotted: the difference if they counted", anchor="end", colour="faint")
    picture.text(RIGHT - 8, differences(20), "interval without these minutes", anchor="end", colour="warn", bold=True)
    _hours(picture, x, 724)
    return picture


def inconclusive() -> Picture:
    good, _, bad = three_phases()
    picture = Picture(
        640,
        "Inconclusive: the interval still reaches over the margin’s edge",
        f"Two phases: {DIFFERENCE}",
    )
    for left, phase in ((LEFT, good), (680, bad)):
        x, y = Scale(0, len(phase.trace), left, left + 480), Scale(-20, 30, 540, 190)
        picture.text(left, 148, "undecided", bold=True, size=26, colour="warn")
        verdict = phase.verdicts[-1]
        picture.text(left + 180, 148, f"→  {verdict}", bold=True, size=26, colour=COLOURS[verdict])
        _axes(picture, x, y, (-20, -10, 0, 10, 20, 30), left=left, right=left + 480)
        _interval_band(picture, phase, x, y)
        decided = phase.decided_after
        assert decided
        _mark_decision(picture, phase, x, y, _duration(decided))
        picture.text(
            left + 472, y(MARGIN) - 8 if phase is good else y(-MARGIN) - 10, "margin", anchor="end", colour="faint"
        )
        _hours(picture, x, 572)
    picture.text(
        WIDTH / 2,
        618,
        "A phase that ends while it is undecided stays inconclusive: neither “equal” nor “worse” was shown",
        anchor="middle",
    )
    return picture


PICTURES: tuple[Callable[[], Picture], ...] = (interval, narrowing, looking_often, incident, inconclusive)


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for draw in PICTURES:
        (folder / f"{draw.__name__.replace('_', '-')}.svg").write_text(draw().svg(), encoding="utf-8")


def _axes(
    picture: Picture, x: Scale, y: Scale, ticks: Sequence[int], *, left: float = LEFT, right: float = RIGHT
) -> None:
    """Labels and lines of a difference, and its margin."""
    picture.rect(left, y(MARGIN), right, y(-MARGIN), "band")
    for tick in ticks:
        picture.line(((left, y(tick)), (right, y(tick))), "grid" if tick else "faint", width=1.5)
        picture.text(left - 14, y(tick) + 7, _signed(tick), anchor="end", colour="faint")


def _hours(picture: Picture, x: Scale, y_px: float, step: int = 1, label: Callable[[int], str] = "{} h".format) -> None:
    last = int(x.high) // HOUR
    for hour in range(0, last + 1, step):
        anchor = "start" if not hour else "end" if hour == last else "middle"
        picture.text(x(hour * HOUR), y_px, label(hour), anchor=anchor, colour="faint")


def _interval_band(picture: Picture, phase: Phase, x: Scale, y: Scale) -> None:
    """The interval over time in the colour of each minute's verdict, and the measured difference."""
    lower, upper, estimate = (phase.trace[name].to_numpy() * PER for name in ("lower", "upper", "estimate"))
    for verdict, run in groupby(enumerate(phase.verdicts), key=lambda item: item[1]):
        minutes = [index for index, _ in run]
        span = slice(minutes[0], minutes[-1] + 2)  # up to the next run
        if not np.isnan(upper[span]).any():
            edges = list(_points(x, y, upper, span)), list(_points(x, y, lower, span))
            picture.area([*edges[0], *edges[1][::-1]], COLOURS[verdict])
            for edge in edges:
                inside = [point for point in edge if y.end_px < point[1] < y.start_px]
                picture.line(inside, COLOURS[verdict])
    picture.line(_points(x, y, estimate), "ink", width=2.5)


def _mark_decision(picture: Picture, phase: Phase, x: Scale, y: Scale, label: str) -> None:
    at, colour = x(phase.decided_after or 0), COLOURS[phase.verdicts[-1]]
    picture.line(((at, y.start_px), (at, y.end_px)), colour, width=2)
    picture.text(at + 10, y.end_px + 20, label, bold=True, colour=colour)


def _points(x: Scale, y: Scale, values: FloatArray, span: slice = slice(None)) -> list[tuple[float, float]]:
    return [(x(index + 1), y(value)) for index, value in list(enumerate(values.tolist()))[span] if not np.isnan(value)]


def _signed(value: int) -> str:
    return f"{value:+d}".replace("-", "−") if value else "0"


def _duration(minutes: int) -> str:
    return f"{minutes // HOUR} h {minutes % HOUR:02d} min"


if __name__ == "__main__":
    main()
