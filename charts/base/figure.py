"""A plotly figure as plain values, serialised for plotly.js."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson


class PlotlyFigure(Protocol):
    """Anything that plotly.js can draw: a Figure or a go.Figure."""

    def to_plotly_json(self) -> dict[str, Any]: ...

    def to_json(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """`data`: traces, with numbers as one-dimensional numpy arrays; `layout`: everything else, without a template.

    A go.Figure validates and copies every value, which takes several times longer, for each chart every minute. The tests validate instead.
    """

    data: list[dict[str, Any]]
    layout: dict[str, Any]

    def to_plotly_json(self) -> dict[str, Any]:
        """The same values as those of a go.Figure."""
        return {"data": self.data, "layout": self.layout}

    def to_json(self) -> str:
        """JSON for plotly.js: arrays as type and base64, half as long as decimal digits."""
        return orjson.dumps(self.to_plotly_json(), default=_encode).decode()


def _encode(value: object) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str[1:], "bdata": b64encode(value.tobytes()).decode()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError
