"""What happened, drawn the same on every chart: a line at its time, a strip while it lasts, words on top, all of it in the hover box.

Three functions, for a chart's shapes, annotations and traces. What is too close together to be told apart is one line, and says how many it stands for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from charts.base.frame import Frame, local, plain
from charts.base.palette import Palette
from domain import Event, EventKind
from messages import events as said

MARKS: dict[EventKind, str] = {
    "weight": "◆",
    "alert": "●",
    "annotation": "✎",
    "deployment": "▲",
    "rollback": "↩\ufe0e",  # as a sign, not as an emoji
    "note": "✎",
}
_LONGEST_WORDS = 26
_ROWS_OF_WORDS = 3
_LETTER = 0.0125  # a letter's width as a share of the chart's
_CLOSE = 0.012  # lines nearer than this, as a share of the chart's width, are drawn as one
_MOST_TOLD = 8  # in one hover box
_WIDEST_LINE = 90  # letters; a hover box does not break lines by itself
# Where what lasts has its strip, from the top; and how each kind's line is drawn.
_LANES: dict[EventKind, float] = {"alert": 0.985}
_DASHES: dict[EventKind, str] = {"weight": "solid", "rollback": "solid", "deployment": "dash"}


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Events that share a line, at the first one's time."""

    at: int
    events: tuple[Event, ...]

    @property
    def kind(self) -> EventKind:
        """What it looks like: a weight change is never hidden behind something else."""
        return min(self.events, key=_weight_first).kind

    def words(self) -> tuple[str, ...]:
        """What stands beside the line, and shorter ones for where there is no room."""
        marks = "".join(dict.fromkeys(MARKS[event.kind] for event in sorted(self.events, key=_weight_first)))
        if len(self.events) == 1:
            return f"{marks} {_cut(said.short(self.events[0]))}", marks
        many = said.several(len(self.events))
        if self.kind == "weight":
            last = [event for event in self.events if event.kind == "weight"][-1]
            return f"{marks} {_cut(said.short(last))} · {many}", f"{marks} {said.short(last)}", marks[0]
        return f"{marks} {many}", marks[0]


def event_lines(frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Shapes: a line where something began, one for all that began close together, and a strip on top while it lasts."""
    lines: list[dict[str, Any]] = []
    across = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1}
    for cluster in _clusters(frame, (event for event in events if _inside(event.ts, frame))):
        at, kind = local(cluster.at, frame), cluster.kind
        stroke = {"color": palette.event, "width": 1.5 if kind == "weight" else 1, "dash": _DASHES.get(kind, "dot")}
        lines.append({"type": "line", "x0": at, "x1": at, "line": stroke, **across, "name": kind})
    for event in events:
        until = frame.window.end if event.open else event.until
        if until is None or until <= event.ts:
            continue
        start, end = max(event.ts, frame.window.start), min(until, frame.window.end)
        if start < end:
            top = _LANES.get(event.kind, 1.0)
            where = {"x0": local(start, frame), "x1": local(end, frame), **across, "y0": top - 0.015, "y1": top}
            lines.append(
                {"type": "rect", "layer": "below", **where, "line": {"width": 0}, "fillcolor": palette.unattributed}
                | {"name": event.kind}
            )
    return lines


def event_words(frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Annotations: words on top of the lines, in up to three rows, and all that is known for whoever points at them.

    Where a row has no room for the words the mark alone stands there; where not even that fits, the hover box has it. Weight changes come first. What
    began before the window and is not over yet has its words at the left edge.
    """
    words: list[dict[str, Any]] = []
    rows: list[list[tuple[int, int]]] = [[] for _row in range(_ROWS_OF_WORDS)]  # (from, until) that each row holds
    told = (event for event in events if _inside(_at(event, frame), frame))
    for cluster in sorted(_clusters(frame, told), key=lambda one: (one.kind != "weight", one.at)):
        placed = _place(cluster, rows, frame)
        if placed is None:
            continue
        text, row, leftward = placed
        where = {"x": local(cluster.at, frame), "xref": "x", "yref": "paper", "y": 1 - row * 0.065, "yanchor": "top"}
        words.append(
            where
            | {"xanchor": "right" if leftward else "left", "xshift": -3 if leftward else 3, "showarrow": False}
            | {"text": plain(text), "font": {"size": 11, "color": palette.ink}}
            | {"hovertext": _told(cluster.events, frame), "name": "event"}
            | {
                "hoverlabel": {
                    "bgcolor": palette.paper,
                    "bordercolor": palette.grid,
                    "font": {"size": 12, "color": palette.ink},
                }
            }
        )
    return words


def event_traces(starts: np.ndarray, frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Traces: an invisible mark for each period of the grid (they begin at `starts`) in which something happened, so that its hover box tells it.

    On the axis of the lines, whose 0 is in sight: one that came with the first event and went with the last would have plotly.js build the
    chart anew, and take the hover box away from whoever reads it.
    """
    inside = sorted(
        (event for event in events if _inside(event.ts, frame)),
        key=lambda one: (one.ts, _weight_first(one), one.source, one.key),
    )
    if not inside or not len(starts):
        return []
    places = np.maximum(np.searchsorted(starts, [event.ts for event in inside], side="right") - 1, 0)
    together: dict[int, list[Event]] = {}
    for start, event in zip(starts[places].tolist(), inside, strict=True):
        together.setdefault(start, []).append(event)
    return [
        {"type": "scatter", "mode": "markers", "showlegend": False, "name": said.any_event()}
        | {"x": [local(start, frame) for start in together], "y": [0] * len(together)}
        | {"marker": {"color": palette.event, "size": 1, "opacity": 0}}
        | {
            "text": [_told(some, frame) for some in together.values()],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _clusters(frame: Frame, events: Iterable[Event]) -> list[_Cluster]:
    """The events by where they stand, those together that nobody could tell apart."""
    near_s = (frame.window.end - frame.window.start) * _CLOSE
    found: list[_Cluster] = []
    for event in sorted(events, key=lambda one: (_at(one, frame), _weight_first(one), one.source, one.key)):
        at = _at(event, frame)
        if found and at - found[-1].at < near_s:
            found[-1] = _Cluster(found[-1].at, (*found[-1].events, event))
        else:
            found.append(_Cluster(at, (event,)))
    return found


def _place(cluster: _Cluster, rows: list[list[tuple[int, int]]], frame: Frame) -> tuple[str, int, bool] | None:
    """The longest words that there is room for, their row, and whether they stand left of the line; the room is then taken."""
    length_s = frame.window.end - frame.window.start
    for text in cluster.words():
        width_s = int(length_s * (len(text) + 1) * _LETTER)
        leftward = cluster.at + width_s > frame.window.end
        start, end = (cluster.at - width_s, cluster.at) if leftward else (cluster.at, cluster.at + width_s)
        free = (row for row, held in enumerate(rows) if all(end <= begun or start >= done for begun, done in held))
        row = next(free, None)
        if row is not None:
            rows[row].append((start, end))
            return text, row, leftward
    return None


def _told(events: Sequence[Event], frame: Frame) -> str:
    """Everything about some events as plotly's few tags take it, one under the other."""
    clock = clock_of(frame)
    paragraphs = []
    for event in events[:_MOST_TOLD]:
        lines = [plain(_cut(line, _WIDEST_LINE)) for line in said.told(event, clock)]
        paragraphs.append("<br>".join([f"{MARKS[event.kind]} {lines[0]}", *lines[1:]]))
    left = len(events) - _MOST_TOLD
    return "<br>".join(paragraphs + ([said.more(left)] if left > 0 else []))


def clock_of(frame: Frame) -> Callable[[int], str]:
    """Writes an epoch second as the chart's axis would: "10:00:07", with its day where the window has several."""
    days = frame.window.end - frame.window.start > 86_400

    def clock(epoch_s: int) -> str:
        at = datetime.fromtimestamp(epoch_s, UTC) + timedelta(seconds=frame.utc_offset_s)
        return f"{at:%Y-%m-%d %H:%M:%S}" if days else f"{at:%H:%M:%S}"

    return clock


def _weight_first(event: Event) -> int:
    return list(MARKS).index(event.kind)


def _at(event: Event, frame: Frame) -> int:
    """Where its words stand: at its time, or at the left edge where it began before and goes on."""
    lasts = event.open or (event.until is not None and event.until > frame.window.start)
    return max(event.ts, frame.window.start) if lasts else event.ts


def _inside(ts: int, frame: Frame) -> bool:
    return frame.window.start <= ts < frame.window.end


def _cut(text: str, longest: int = _LONGEST_WORDS) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
