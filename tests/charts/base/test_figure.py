"""The JSON of a figure."""

import json

import numpy as np
import pytest

from charts.base.figure import Figure


def test_arrays_are_serialised_as_plotly_does() -> None:
    numbers = np.array([1.0, np.nan], dtype="float32")
    figure = Figure(
        [{"y": numbers, "marker": {"size": np.array([0, 5], dtype="int8")}}], {"yaxis": {"range": [0, np.float64(2.5)]}}
    )
    assert json.loads(figure.to_json()) == {
        "data": [{"y": {"dtype": "f4", "bdata": "AACAPwAAwH8="}, "marker": {"size": {"dtype": "i1", "bdata": "AAU="}}}],
        "layout": {"yaxis": {"range": [0, 2.5]}},
    }


def test_unsupported_values_raise() -> None:
    with pytest.raises(TypeError, match="not JSON serializable: set"):
        Figure([{"y": {1}}], {}).to_json()
