"""Sparklines: both fleets on one scale, gaps open, small differences flat."""

import re
from urllib.parse import unquote

from charts.sparkline import HEIGHT, MARGIN, sparkline


def lines(**trend: tuple[float | None, ...]) -> list[str]:
    return re.findall(r'd="([^"]*)"', unquote(sparkline(trend, "light")))  # type: ignore[arg-type]


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]


def test_both_fleets_have_one_scale_of_at_least_one_percent() -> None:
    baseline, canary = lines(baseline=(0.0, 0.01), canary=(0.02, 0.04))
    assert heights(baseline) == [HEIGHT - MARGIN, 17.0] and heights(canary) == [12.0, MARGIN]
    assert heights(lines(baseline=(0.001, 0.002))[0]) == [20.0, 18.0], "chance looks flat"


def test_gaps_stay_open_and_a_lone_value_is_a_dot() -> None:
    (baseline, canary) = lines(baseline=(0.0, None, 0.01), canary=())
    assert baseline.count("M") == 2 and baseline.count("h0") == 2 and "L" not in baseline and canary == ""
    assert sparkline({"baseline": (None,)}, "dark") == "" == sparkline({}, "dark")
