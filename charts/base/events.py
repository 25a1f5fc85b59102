"""Events on a chart: a line at the start, a strip for the duration, and a label on top with the details as its tooltip.

Live has the labels and strips once, in a lane above all charts (charts/event_lane.py); its charts have the lines alone. Events too close together to
be distinguished share one line and label.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from charts.base.frame import ChartFrame, axis_time, plotly_text
from charts.base.layout import label
from charts.base.text_width import text_width_px, truncate
from domain import Event, EventKind
from domain.window import DAY_S
from messages import events as text

EVENT_SYMBOLS: dict[EventKind, str] = {
    "weight": "◆",
    "alarm": "✕",
    "alert": "●",
    "annotation": "✎",
    "deployment": "▲",
    "rollback": "↩\ufe0e",  # as a sign, not as an emoji
    "note": "✎",
}
_LABEL_PX = 11
_MAX_LABEL_PX = 170
_CLUSTER_WIDTH = 0.012  # events closer than this share of the chart's width are drawn as one
_MAX_HOVER_EVENTS = 8  # per hover box
_MAX_HOVER_LINE_CHARS = 90  # a hover box does not wrap lines
# The row of the strips, and dashes of the lines, by kind.
_STRIP_ROWS: dict[EventKind, int] = {"alert": 1, "alarm": 2}
_DASHES: dict[EventKind, str] = {"weight": "solid", "rollback": "solid", "deployment": "dash"}


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """Where labels and strips go: the plot's width, and as shares of its height from the top the rows of labels, and from `strips_top` the strips.

    The width is a likely one: the browser's is not known here. On a narrow screen only symbols stay (ui/components/overlay_chart.js).
    """

    width_px: int = 680
    rows: int = 3
    row_step: float = 0.065
    strips_top: float = 1.0
    strip_height: float = 0.015


IN_CHART = LabelSpace()


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Events that share a line, at the first one's time."""

    ts: int
    events: tuple[Event, ...]

    @property
    def kind(self) -> EventKind:
        """The most important kind: weight changes come first."""
        return min(self.events, key=_priority).kind

    def labels(self) -> tuple[str, ...]:
        """Possible labels, the longest first."""
        symbols = "".join(dict.fromkeys(EVENT_SYMBOLS[event.kind] for event in sorted(self.events, key=_priority)))
        if len(self.events) == 1:
            return f"{symbols} {truncate(text.short_title(self.events[0]), _MAX_LABEL_PX, _LABEL_PX)}", symbols
        count = text.event_count(len(self.events))
        if self.kind == "weight":
            title = text.short_title([event for event in self.events if event.kind == "weight"][-1])
            return f"{symbols} {truncate(title, _MAX_LABEL_PX, _LABEL_PX)} · {count}", f"{symbols} {title}", symbols[0]
        return f"{symbols} {count}", symbols[0]


def event_lines(frame: ChartFrame, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Shapes: a line at the start of each cluster of events."""
    lines: list[dict[str, Any]] = []
    for cluster in _clusters(frame, (event for event in events if _in_window(event.ts, frame))):
        x, kind = axis_time(cluster.ts, frame), cluster.kind
        width = 1.5 if kind == "weight" else 1
        stroke = {"color": frame.palette.event, "width": width, "dash": _DASHES.get(kind, "dot")}
        position = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x}
        lines.append({"type": "line", "line": stroke, **position, "name": kind})
    return lines


def event_strips(frame: ChartFrame, events: Sequence[Event], space: LabelSpace = IN_CHART) -> list[dict[str, Any]]:
    """Shapes: a strip for the duration of each event that lasts."""
    strips: list[dict[str, Any]] = []
    for event in events:
        until = frame.window.end if event.open else event.until
        if until is None or until <= event.ts:
            continue
        start, end = max(event.ts, frame.window.start), min(until, frame.window.end)
        if start < end:
            top = space.strips_top - _STRIP_ROWS.get(event.kind, 0) * space.strip_height
            strip: dict[str, Any] = {
                "type": "rect",
                "layer": "below",
                "x0": axis_time(start, frame),
                "x1": axis_time(end, frame),
            }
            height = {"xref": "x", "yref": "paper", "y0": top - space.strip_height, "y1": top}
            strips.append(
                strip | height | {"line": {"width": 0}, "fillcolor": frame.palette.unattributed, "name": event.kind}
            )
    return strips


def event_annotations(frame: ChartFrame, events: Sequence[Event], space: LabelSpace = IN_CHART) -> list[dict[str, Any]]:
    """Annotations: labels on top of the lines, in the rows of `space`, with the details as hover text.

    If a row has no room for the label, the symbol stands alone; if not even that fits, the details are in the table only. Weight changes come
    first. An event that began before the window and still lasts has its label at the left edge.
    """
    palette = frame.palette
    hover_label = {"bgcolor": palette.paper, "bordercolor": palette.grid, "font": {"size": 12, "color": palette.ink}}
    annotations: list[dict[str, Any]] = []
    rows: list[list[tuple[int, int]]] = [[] for _row in range(space.rows)]  # occupied (start, end) of each row
    visible = (event for event in events if _in_window(_label_ts(event, frame), frame))
    for cluster in sorted(_clusters(frame, visible), key=lambda cluster: (cluster.kind != "weight", cluster.ts)):
        placed = _place_label(cluster, rows, frame, space)
        if placed is None:
            continue
        name, row, leftward = placed
        x = {"x": axis_time(cluster.ts, frame), "xref": "x", "xanchor": "right" if leftward else "left"}
        position = x | {
            "xshift": -3 if leftward else 3,
            "yref": "paper",
            "y": 1 - row * space.row_step,
            "yanchor": "top",
        }
        hover = {"hovertext": _hover_text(cluster.events, frame), "hoverlabel": hover_label}
        annotations.append(label(plotly_text(name), _LABEL_PX, palette.ink, position, name="event", **hover))
    return annotations


def _clusters(frame: ChartFrame, events: Iterable[Event]) -> list[_Cluster]:
    """The events by position, with those that would overlap in one cluster."""
    width_s = (frame.window.end - frame.window.start) * _CLUSTER_WIDTH
    clusters: list[_Cluster] = []
    for event in sorted(events, key=lambda event: _order(event, _label_ts(event, frame))):
        ts = _label_ts(event, frame)
        if clusters and ts - clusters[-1].ts < width_s:
            clusters[-1] = _Cluster(clusters[-1].ts, (*clusters[-1].events, event))
        else:
            clusters.append(_Cluster(ts, (event,)))
    return clusters


def _place_label(
    cluster: _Cluster, rows: list[list[tuple[int, int]]], frame: ChartFrame, space: LabelSpace
) -> tuple[str, int, bool] | None:
    """The longest label that fits, its row, and whether it stands left of the line. Marks the space in `rows` as occupied."""
    length_s = frame.window.end - frame.window.start
    for name in cluster.labels():
        width_s = int(length_s * (text_width_px(name, _LABEL_PX) + 8) / space.width_px)
        leftward = cluster.ts + width_s > frame.window.end
        start, end = (cluster.ts - width_s, cluster.ts) if leftward else (cluster.ts, cluster.ts + width_s)
        for row, occupied in enumerate(rows):
            if all(end <= other_start or start >= other_end for other_start, other_end in occupied):
                occupied.append((start, end))
                return name, row, leftward
    return None


def _hover_text(events: Sequence[Event], frame: ChartFrame) -> str:
    """The details of the events, as lines with plotly's tags. Times have a date only if the window is longer than a day."""
    first_char = 0 if frame.window.end - frame.window.start > DAY_S else len("2026-01-31 ")
    paragraphs = []
    for event in events[:_MAX_HOVER_EVENTS]:
        details = text.details(event, frame.labels, lambda ts: axis_time(ts, frame)[first_char:])
        lines = [plotly_text(_shorten(line)) for line in details]
        paragraphs.append("<br>".join([f"{EVENT_SYMBOLS[event.kind]} {lines[0]}", *lines[1:]]))
    n_more = len(events) - _MAX_HOVER_EVENTS
    return "<br>".join(paragraphs + ([text.more_events(n_more)] if n_more > 0 else []))


def _priority(event: Event) -> int:
    return list(EVENT_SYMBOLS).index(event.kind)


def _order(event: Event, ts: int) -> tuple[int, int, str, str]:
    return ts, _priority(event), event.source, event.key


def _label_ts(event: Event, frame: ChartFrame) -> int:
    """The position of an event's label: its start, or the left edge if it began before the window and still lasts."""
    still_lasts = event.open or (event.until is not None and event.until > frame.window.start)
    return max(event.ts, frame.window.start) if still_lasts else event.ts


def _in_window(ts: int, frame: ChartFrame) -> bool:
    return frame.window.start <= ts < frame.window.end


def _shorten(line: str) -> str:
    return line if len(line) <= _MAX_HOVER_LINE_CHARS else f"{line[: _MAX_HOVER_LINE_CHARS - 1]}…"
