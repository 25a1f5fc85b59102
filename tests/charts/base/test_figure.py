"""What a browser is sent of a figure."""

import json

import numpy as np
import pytest

from charts.base.figure import Figure


def test_arrays_are_their_type_and_bytes_as_plotly_writes_them() -> None:
    numbers = np.array([1.0, np.nan], dtype="float32")
    figure = Figure(
        [{"y": numbers, "marker": {"size": np.array([0, 5], dtype="int8")}}], {"yaxis": {"range": [0, np.float64(2.5)]}}
    )
    assert json.loads(figure.to_json()) == {
        "data": [{"y": {"dtype": "f4", "bdata": "AACAPwAAwH8="}, "marker": {"size": {"dtype": "i1", "bdata": "AAU="}}}],
        "layout": {"yaxis": {"range": [0, 2.5]}},
    }


def test_what_plotly_cannot_read_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="not JSON serializable: set"):
        Figure([{"y": {1}}], {}).to_json()
