"""A figure as bytes for ui.components.overlay_chart."""

import orjson

from charts.base.figure import PlotlyFigure
from messages.charts import component_texts, note_button


def chart_payload(figure: PlotlyFigure, alt_text: str, *, with_notes: bool = False) -> bytes:
    """`alt_text` describes the chart for screen readers; `with_notes`: a time on it can be chosen for a note (overlay_chart's `on_note`)."""
    texts = component_texts() | ({"note": note_button()} if with_notes else {})
    return orjson.dumps({"figure": orjson.Fragment(figure.to_json()), "alt": alt_text, "texts": texts})
