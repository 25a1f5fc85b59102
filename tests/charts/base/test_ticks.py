"""Ticks: round values with one number of decimals, a real minus sign, and the unit."""

from charts.base.ticks import value_ticks


def test_ticks_have_the_decimals_that_their_step_needs() -> None:
    assert value_ticks(0, 0.9, "%")["ticktext"] == ["0.0%", "0.2%", "0.4%", "0.6%", "0.8%"]
    assert value_ticks(0, 9000, "/min")["ticktext"] == ["0/min", "2,000/min", "4,000/min", "6,000/min", "8,000/min"]
    assert value_ticks(0, 1.0, " ms", n=2)["tickvals"] == [0, 0.5, 1.0]


def test_a_difference_has_signs_but_its_zero_has_none() -> None:
    assert value_ticks(-0.11, 0.11, " pp", n=4, signed=True)["ticktext"] == ["−0.1 pp", "0.0 pp", "+0.1 pp"]
