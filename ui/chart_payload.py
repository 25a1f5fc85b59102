"""A figure as bytes for ui.components.overlay_chart."""

import orjson

from charts.base.figure import PlotlyFigure
from charts.base.plotlyjs import plotly_js
from messages.charts import component_texts
from ui.components import PLOTLYJS_URL


def chart_payload(figure: PlotlyFigure, alt_text: str) -> bytes:
    """`alt_text` describes the chart for screen readers."""
    version, _script = plotly_js()
    body = {"alt": alt_text, "texts": component_texts(), "plotlyjs": PLOTLYJS_URL.format(version=version)}
    return orjson.dumps({"figure": orjson.Fragment(figure.to_json()), **body})
