"""A figure as plotly.js reads it: what is drawn and how it is laid out, as plain values."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson


class PlotlyFigure(Protocol):
    """A Figure, or a go.Figure."""

    def to_plotly_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """`data`: traces, whose numbers may be numpy arrays of one dimension; `layout`: the rest. It looks as it says: there is no template.

    A go.Figure checks and copies every value, which costs several times what the numbers do, for each chart at every minute. Here the tests have
    plotly's own Python library check them.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_plotly_json(self) -> dict[str, Any]:
        """What a go.Figure has under this name."""
        return {"data": self.data, "layout": self.layout}

    def to_json(self) -> str:
        """As plotly.js reads it: an array is its type and its bytes in base64, which is half as long as its digits."""
        return orjson.dumps(self.to_plotly_json(), default=_encode).decode()


def _encode(value: object) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str[1:], "bdata": b64encode(value.tobytes()).decode()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError
