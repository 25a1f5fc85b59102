"""A chart as an agent reads it: its description, and its values as the page's own table has them."""

import numpy as np
import pandas as pd
import pytest
from numpy import nan

from charts.base.figure import Figure
from ui import agents, components
from ui.agents import chart_as_text
from ui.chart_payload import chart_payload

START = "2026-11-23 20:00"


def line(name: str, /, y: list[float], *, x: list[str] | None = None, **meta: str) -> dict[str, object]:
    times = {"x": x} if x else {"x0": START, "dx": 60_000}
    return {"name": name, "y": np.array(y), **times, "meta": meta}


def table_of(*traces: dict[str, object]) -> pd.DataFrame:
    alt_text, table = chart_as_text(chart_payload(Figure(list(traces), {}), "Error rate. 2 events are marked."))
    assert alt_text == "Error rate. 2 events are marked."
    return table


def test_each_line_is_a_column_and_the_newest_time_comes_first() -> None:
    table = table_of(
        line("EC2", [0.1, 0.2], unit="percent") | {"y": np.array([0.1, 0.2], "f4")},
        line("ECS", [0.3, nan], unit="percent"),
        line("ECS − EC2", [0.2, 0.123456], unit="points", panel="Difference"),
    )
    assert list(table.columns) == ["Time", "EC2 (%)", "ECS (%)", "Difference ECS − EC2 (pp)"]
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == [
        ["2026-11-23 20:01", 0.2, None, 0.1235],
        [START, 0.1, 0.3, 0.2],
    ]


def test_the_parts_of_a_line_are_one_column_and_its_interval_two() -> None:
    times = [f"{START}:00", "2026-11-23T20:01:00"]
    table = table_of(
        line("lower", [1.0, 2.0], x=times, bound="lower"),
        line("upper", [3.0, 4.0], x=times, bound="upper"),
        line("EC2", [2.0, nan], x=times, unit="milliseconds"),
        line("EC2, provisional", [nan, 3.0], x=times, unit="milliseconds", name="EC2"),
    )
    assert list(table.columns) == ["Time", "lower", "upper", "EC2 (ms)"]
    assert table.to_numpy().tolist() == [["2026-11-23 20:01", 2.0, 4.0, 3.0], [START, 1.0, 3.0, 2.0]]


def test_marks_without_values_have_no_table() -> None:
    assert table_of({"x": [START], "y": [1.0]}, line("margin", [1.0, 1.0])).empty


@pytest.mark.parametrize("is_agent", [False, True])
def test_only_an_agent_gets_text(monkeypatch: pytest.MonkeyPatch, is_agent: bool) -> None:
    drawn, written = list[str](), list[object]()
    monkeypatch.setattr(components, "is_agent", lambda: is_agent)
    monkeypatch.setattr(components, "_chart", lambda key, **_: drawn.append(key))
    monkeypatch.setattr(components, "_top_line", lambda key, **_: drawn.append(key))
    monkeypatch.setattr(agents.st, "text", written.append)
    monkeypatch.setattr(agents.st, "dataframe", lambda table: written.append(len(table)))
    components.overlay_chart(chart_payload(Figure([line("EC2", [0.1], unit="percent")], {}), "Errors."), key="errors")
    components.top_line({"until": "", "nothing": "no data yet"})
    assert drawn == ([] if is_agent else ["errors", "top_line"])
    assert written == (["Errors.", 1, "no data yet"] if is_agent else [])


def test_outside_a_page_nobody_is_an_agent() -> None:
    assert not agents.is_agent()
