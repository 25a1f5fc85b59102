"""What happened, drawn the same on every chart: a line at its time, a strip while it lasts, words on top, all of it in the hover box.

Three functions, for a chart's shapes, annotations and traces. What is too close together to be told apart is one line, and says how many it stands for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.palette import Palette
from domain import Event, EventKind
from messages import events as said

EVENT_SYMBOLS: dict[EventKind, str] = {
    "weight": "◆",
    "alert": "●",
    "annotation": "✎",
    "deployment": "▲",
    "rollback": "↩\ufe0e",  # as a sign, not as an emoji
    "note": "✎",
}
_MAX_LABEL_CHARS = 26
_LABEL_ROWS = 3
_CHAR_WIDTH = 0.0125  # a letter's width as a share of the chart's
_CLUSTER_WIDTH = 0.012  # lines nearer than this, as a share of the chart's width, are drawn as one
_MAX_HOVER_EVENTS = 8  # in one hover box
_MAX_HOVER_LINE_CHARS = 90  # letters; a hover box does not break lines by itself
# Where what lasts has its strip, from the top; and how each kind's line is drawn.
_STRIP_TOPS: dict[EventKind, float] = {"alert": 0.985}
_DASHES: dict[EventKind, str] = {"weight": "solid", "rollback": "solid", "deployment": "dash"}


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Events that share a line, at the first one's time."""

    ts: int
    events: tuple[Event, ...]

    @property
    def kind(self) -> EventKind:
        """What it looks like: a weight change is never hidden behind something else."""
        return min(self.events, key=_priority).kind

    def labels(self) -> tuple[str, ...]:
        """What stands beside the line, and shorter ones for where there is no room."""
        marks = "".join(dict.fromkeys(EVENT_SYMBOLS[event.kind] for event in sorted(self.events, key=_priority)))
        if len(self.events) == 1:
            return f"{marks} {_truncate(said.short_title(self.events[0]))}", marks
        many = said.event_count(len(self.events))
        if self.kind == "weight":
            last = [event for event in self.events if event.kind == "weight"][-1]
            return (
                f"{marks} {_truncate(said.short_title(last))} · {many}",
                f"{marks} {said.short_title(last)}",
                marks[0],
            )
        return f"{marks} {many}", marks[0]


def event_shapes(frame: ChartFrame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Shapes: a line where something began, one for all that began close together, and a strip on top while it lasts."""
    lines: list[dict[str, Any]] = []
    across = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    for cluster in _clusters(frame, (event for event in events if _in_window(event.ts, frame))):
        at, kind = axis_time(cluster.ts, frame), cluster.kind
        stroke = {"color": palette.event, "width": 1.5 if kind == "weight" else 1, "dash": _DASHES.get(kind, "dot")}
        lines.append({"type": "line", "x0": at, "x1": at, "line": stroke, **across, "name": kind})
    for event in events:
        until = frame.window.end if event.open else event.until
        if until is None or until <= event.ts:
            continue
        start, end = max(event.ts, frame.window.start), min(until, frame.window.end)
        if start < end:
            top = _STRIP_TOPS.get(event.kind, 1.0)
            where = {"x0": axis_time(start, frame), "x1": axis_time(end, frame), **across, "y0": top - 0.015, "y1": top}
            lines.append(
                {"type": "rect", "layer": "below", **where, "line": {"width": 0}, "fillcolor": palette.unattributed}
                | {"name": event.kind}
            )
    return lines


def event_annotations(frame: ChartFrame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Annotations: words on top of the lines, in up to three rows, and all that is known for whoever points at them.

    Where a row has no room for the words the mark alone stands there; where not even that fits, the hover box has it. Weight changes come first. What
    began before the window and is not over yet has its words at the left edge.
    """
    words: list[dict[str, Any]] = []
    rows: list[list[tuple[int, int]]] = [[] for _row in range(_LABEL_ROWS)]  # (from, until) that each row holds
    told = (event for event in events if _in_window(_label_ts(event, frame), frame))
    for cluster in sorted(_clusters(frame, told), key=lambda one: (one.kind != "weight", one.ts)):
        placed = _place_label(cluster, rows, frame)
        if placed is None:
            continue
        text, row, leftward = placed
        where = {
            "x": axis_time(cluster.ts, frame),
            "xref": "x",
            "yref": "paper",
            "y": 1 - row * 0.065,
            "yanchor": "top",
        }
        words.append(
            where
            | {"xanchor": "right" if leftward else "left", "xshift": -3 if leftward else 3, "showarrow": False}
            | {"text": plotly_text(text), "font": {"size": 11, "color": palette.ink}}
            | {"hovertext": _hover_text(cluster.events, frame), "name": "event"}
            | {
                "hoverlabel": {
                    "bgcolor": palette.paper,
                    "bordercolor": palette.grid,
                    "font": {"size": 12, "color": palette.ink},
                }
            }
        )
    return words


def event_traces(
    period_starts: np.ndarray, frame: ChartFrame, events: Sequence[Event], palette: Palette
) -> list[dict[str, Any]]:
    """Traces: an invisible mark for each period of the grid (they begin at `starts`) in which something happened, so that its hover box tells it.

    On the axis of the lines, whose 0 is in sight: one that came with the first event and went with the last would have plotly.js build the
    chart anew, and take the hover box away from whoever reads it.
    """
    inside = sorted(
        (event for event in events if _in_window(event.ts, frame)),
        key=lambda one: (one.ts, _priority(one), one.source, one.key),
    )
    if not inside or not len(period_starts):
        return []
    places = np.maximum(np.searchsorted(period_starts, [event.ts for event in inside], side="right") - 1, 0)
    together: dict[int, list[Event]] = {}
    for start, event in zip(period_starts[places].tolist(), inside, strict=True):
        together.setdefault(start, []).append(event)
    return [
        {"type": "scatter", "mode": "markers", "showlegend": False, "name": said.EVENT}
        | {"x": [axis_time(start, frame) for start in together], "y": [0] * len(together)}
        | {"marker": {"color": palette.event, "size": 1, "opacity": 0}}
        | {
            "text": [_hover_text(some, frame) for some in together.values()],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _clusters(frame: ChartFrame, events: Iterable[Event]) -> list[_Cluster]:
    """The events by where they stand, those together that nobody could tell apart."""
    near_s = (frame.window.end - frame.window.start) * _CLUSTER_WIDTH
    found: list[_Cluster] = []
    for event in sorted(events, key=lambda one: (_label_ts(one, frame), _priority(one), one.source, one.key)):
        at = _label_ts(event, frame)
        if found and at - found[-1].ts < near_s:
            found[-1] = _Cluster(found[-1].ts, (*found[-1].events, event))
        else:
            found.append(_Cluster(at, (event,)))
    return found


def _place_label(
    cluster: _Cluster, rows: list[list[tuple[int, int]]], frame: ChartFrame
) -> tuple[str, int, bool] | None:
    """The longest words that there is room for, their row, and whether they stand left of the line; the room is then taken."""
    length_s = frame.window.end - frame.window.start
    for text in cluster.labels():
        width_s = int(length_s * (len(text) + 1) * _CHAR_WIDTH)
        leftward = cluster.ts + width_s > frame.window.end
        start, end = (cluster.ts - width_s, cluster.ts) if leftward else (cluster.ts, cluster.ts + width_s)
        free = (row for row, held in enumerate(rows) if all(end <= begun or start >= done for begun, done in held))
        row = next(free, None)
        if row is not None:
            rows[row].append((start, end))
            return text, row, leftward
    return None


def _hover_text(events: Sequence[Event], frame: ChartFrame) -> str:
    """Everything about some events as plotly's few tags take it, one under the other."""
    clock = time_formatter(frame)
    paragraphs = []
    for event in events[:_MAX_HOVER_EVENTS]:
        lines = [plotly_text(_truncate(line, _MAX_HOVER_LINE_CHARS)) for line in said.details(event, clock)]
        paragraphs.append("<br>".join([f"{EVENT_SYMBOLS[event.kind]} {lines[0]}", *lines[1:]]))
    left = len(events) - _MAX_HOVER_EVENTS
    return "<br>".join(paragraphs + ([said.more_events(left)] if left > 0 else []))


def time_formatter(frame: ChartFrame) -> Callable[[int], str]:
    """Writes an epoch second as the chart's axis would: "10:00:07", with its day where the window has several."""
    days = frame.window.end - frame.window.start > 86_400

    def clock(epoch_s: int) -> str:
        at = datetime.fromtimestamp(epoch_s, UTC) + timedelta(seconds=frame.utc_offset_s)
        return f"{at:%Y-%m-%d %H:%M:%S}" if days else f"{at:%H:%M:%S}"

    return clock


def _priority(event: Event) -> int:
    return list(EVENT_SYMBOLS).index(event.kind)


def _label_ts(event: Event, frame: ChartFrame) -> int:
    """Where its words stand: at its time, or at the left edge where it began before and goes on."""
    lasts = event.open or (event.until is not None and event.until > frame.window.start)
    return max(event.ts, frame.window.start) if lasts else event.ts


def _in_window(ts: int, frame: ChartFrame) -> bool:
    return frame.window.start <= ts < frame.window.end


def _truncate(text: str, max_chars: int = _MAX_LABEL_CHARS) -> str:
    return text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"
