"""What a program that reads the pages through Streamlit's agent API gets in place of what only a browser can draw. docs/agents.md describes it."""

from base64 import b64decode
from typing import Any

import numpy as np
import orjson
import pandas as pd
import streamlit as st
from streamlit.elements.lib import agent_spec

# Of number_format.js; the others have none.
_UNITS = {
    "percent": "%",
    "share": "%",
    "points": "pp",
    "milliseconds": "ms",
    "signed_milliseconds": "ms",
    "per_minute": "/min",
}


def is_agent() -> bool:
    """Whether this run of a page is an agent's, not a browser's."""
    return agent_spec.is_recording()


def show_chart_as_text(chart: bytes) -> None:
    """The description of a chart (ui.chart_payload) and its values as a table, if it has any."""
    alt_text, table = chart_as_text(chart)
    st.text(alt_text)
    if not table.empty:
        st.dataframe(table)


def chart_as_text(chart: bytes) -> tuple[str, pd.DataFrame]:
    """The description of a chart and its table as the page has it: a row for each time, the newest first, a column for each line with its unit.

    As chart_values.js reads the figure: `meta.unit` marks what has values, `meta.bound` the CI of the next line. Times are those of the axis.
    """
    content = orjson.loads(chart)
    columns: dict[str, pd.Series[float]] = {}
    for trace in content["figure"]["data"]:
        meta = trace.get("meta") or {}
        if not meta.get("unit") and not meta.get("bound"):
            continue
        name = " ".join(filter(None, [meta.get("panel", ""), meta.get("name") or trace.get("name", "")]))
        if unit := _UNITS.get(meta.get("unit", "")):
            name = f"{name} ({unit})"
        values = pd.Series(_numbers(trace["y"]), index=_times(trace)).dropna()
        values = values[~values.index.duplicated()]
        # A line may be drawn in parts, as one that is provisional at its end.
        columns[name] = columns[name].combine_first(values) if name in columns else values
    table = (
        pd.DataFrame(columns)
        .sort_index(ascending=False)
        .astype(float)
        .round(4)
        .reset_index(names=content["texts"]["time"])
    )
    return str(content["alt"]), table


def _times(trace: dict[str, Any]) -> "pd.Index[Any]":
    """The wall clock of the axis ("2026-11-23 20:00"), or whatever else the axis has."""
    if trace.get("x") is not None:
        values = _numbers(trace["x"])
        return pd.Index([str(value).replace("T", " ")[:16] for value in values])
    start, n = pd.Timestamp(trace["x0"]), len(_numbers(trace["y"]))
    return pd.date_range(start, periods=n, freq=pd.Timedelta(milliseconds=trace["dx"])).strftime("%Y-%m-%d %H:%M")


def _numbers(values: Any) -> Any:
    """An array as charts.base.figure writes it: type and base64, or a list."""
    return np.frombuffer(b64decode(values["bdata"]), values["dtype"]) if isinstance(values, dict) else values
