"""A figure as bytes for ui.components.overlay_chart."""

import orjson

from charts.base.figure import PlotlyFigure
from charts.base.plotlyjs import plotly_js
from messages.charts import component_texts, note_button
from ui.components import PLOTLYJS_URL


def chart_payload(figure: PlotlyFigure, alt_text: str, *, with_notes: bool = False) -> bytes:
    """`alt_text` describes the chart for screen readers; `with_notes`: a time on it can be chosen for a note (overlay_chart's `on_note`)."""
    version, _script = plotly_js()
    texts = component_texts() | ({"note": note_button()} if with_notes else {})
    body = {"alt": alt_text, "texts": texts, "plotlyjs": PLOTLYJS_URL.format(version=version)}
    return orjson.dumps({"figure": orjson.Fragment(figure.to_json()), **body})
