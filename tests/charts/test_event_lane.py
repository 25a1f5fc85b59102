"""The lane of events above all charts: labels, strips, and the charts' time axis."""

import plotly.graph_objects as go

from charts.base.frame import ChartFrame
from charts.event_lane import event_lane_figure
from domain import Event, Window
from tests.factories.frames import START

FRAME = ChartFrame({"baseline": "EC2", "canary": "ECS"}, Window(START, START + 3600), 32_400, "JST", START + 3600)


def event(minute: int, title: str, *, minutes: int = 0) -> Event:
    end = START + (minute + minutes) * 60 if minutes else None
    return Event(START + minute * 60, end, "alert", title, "", "", "", "test", title)


def lane(*events: Event) -> go.Figure:
    return go.Figure(**event_lane_figure(FRAME, events).to_plotly_json())


def test_it_has_a_line_a_label_and_a_strip_for_each_event() -> None:
    figure = lane(event(10, "5xx"), event(30, "slow", minutes=20))
    assert [shape.type for shape in figure.layout.shapes] == ["line", "line", "rect"]
    assert [words.text for words in figure.layout.annotations] == ["● 5xx", "● slow"]
    assert figure.layout.shapes[2].y1 <= 1 - 3 * 0.235, "below the three rows of labels"
    assert list(figure.layout.xaxis.range) == ["2026-09-21 23:10:00", "2026-09-22 00:10:00"]


def test_wide_characters_take_their_width() -> None:
    """The same number of characters: fifteen ASCII labels stand where only some of the Japanese ones fit."""

    def whole(title: str) -> int:
        events = [event(3 * place, f"{title}{place}") for place in range(15)]
        return sum(words.text.startswith(f"● {title[:4]}") for words in lane(*events).layout.annotations)

    assert whole("deployed it now") == 15
    assert whole("本番環境へのデプロイ完了しました") < 15


def test_each_event_of_an_outage_has_its_label() -> None:
    """The demo's blind spot: two alerts two minutes apart and the rollback six minutes later, in a range of 100 minutes."""
    window = Window(START, START + 100 * 60)
    events = [
        event(46, "photo: load balancer answers 5xx itself", minutes=12),
        event(48, "photo-ecs-green: no healthy host", minutes=30),
        Event(START + 54 * 60, None, "rollback", "Back to 0%", "", "", "", "test", "rollback"),
        event(78, "Tasks run again"),
    ]
    frame = ChartFrame({"baseline": "EC2", "canary": "ECS"}, window, 32_400, "JST", window.end)
    labels = event_lane_figure(frame, events).layout["annotations"]
    starts = ["● photo: load", "● photo-ecs-green", "↩\ufe0e Back to 0%", "● Tasks run"]
    assert [label["text"].startswith(start) for label, start in zip(labels, starts, strict=True)] == [True] * 4
    assert len({label["y"] for label in labels[:3]}) == 3
