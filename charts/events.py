"""What happened, drawn the same on every chart: a line at its time, a strip while it lasts, words on top, all of it in the hover box."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from charts.frame import Frame, local, plain
from charts.palette import Palette
from migration import Event
from words.speech import _

_EVENT_MARK = {"weight": "◆", "alert": "●", "annotation": "▸", "deployment": "▲", "rollback": "↩", "note": "✎"}
_LONGEST_WORDS = 26
_ROWS_OF_WORDS = 3
_LETTER = 0.0125  # a letter's width as a share of the chart's


def event_lines(frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    lines = []
    for event in events:
        stroke = {"color": palette.event, "width": 1.5 if event.kind == "weight" else 1, "dash": "dot"}
        across = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "name": event.kind}
        if frame.window.start <= event.ts < frame.window.end:
            lines.append(
                {"type": "line", "x0": local(event.ts, frame), "x1": local(event.ts, frame), "line": stroke, **across}
            )
        until = frame.window.end if event.open else event.until
        if until is not None and until > event.ts:
            start, end = max(event.ts, frame.window.start), min(until, frame.window.end)
            lines.append(
                {
                    "type": "rect",
                    "layer": "below",
                    "x0": local(start, frame),
                    "x1": local(end, frame),
                    "line": {"width": 0},
                }
                | {"fillcolor": palette.band, **across, "y0": 0.97}
            )
    return lines


def event_words(frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """Words on top of the lines, in up to three rows; where all are full, the hover box alone has them. Weight changes come first.

    What began before the window and is not over yet has its words at the left edge.
    """
    words: list[dict[str, Any]] = []
    rows: list[list[tuple[int, int]]] = [
        [] for _row in range(_ROWS_OF_WORDS)
    ]  # what each row holds: (from, until) in epoch seconds
    for event in sorted(events, key=lambda event: (event.kind != "weight", event.ts)):
        at = max(event.ts, frame.window.start) if _lasts_into(event, frame) else event.ts
        if not frame.window.start <= at < frame.window.end:
            continue
        text = event.title if len(event.title) <= _LONGEST_WORDS else event.title[: _LONGEST_WORDS - 1] + "…"
        width_s = int((frame.window.end - frame.window.start) * (len(text) + 3) * _LETTER)
        leftward = at + width_s > frame.window.end
        start, end = (at - width_s, at) if leftward else (at, at + width_s)
        free = (row for row, held in enumerate(rows) if all(end <= begun or start >= done for begun, done in held))
        row = next(free, None)
        if row is None:
            continue
        rows[row].append((start, end))
        words.append(
            {
                "x": local(at, frame),
                "xref": "x",
                "yref": "paper",
                "y": 1 - row * 0.065,
                "yanchor": "top",
                "showarrow": False,
            }
            | {"xanchor": "right" if leftward else "left", "xshift": -3 if leftward else 3}
            | {"text": f"{_EVENT_MARK[event.kind]} {plain(text)}", "font": {"size": 11, "color": palette.ink}}
        )
    return words


def _lasts_into(event: Event, frame: Frame) -> bool:
    return event.open or (event.until is not None and event.until > frame.window.start)


def event_traces(starts: np.ndarray, frame: Frame, events: Sequence[Event], palette: Palette) -> list[dict[str, Any]]:
    """An invisible mark for each event on the grid of periods that begin at `starts`, so that the hover box of its minute tells it in full."""
    inside = [event for event in events if frame.window.start <= event.ts < frame.window.end]
    if not inside:
        return []
    places = np.maximum(np.searchsorted(starts, [event.ts for event in inside], side="right") - 1, 0)
    return [
        {"type": "scatter", "mode": "markers", "yaxis": "y3", "showlegend": False, "name": _("event")}
        | {"x": [local(int(start), frame) for start in starts[places]], "y": [0.5] * len(inside)}
        | {"marker": {"color": palette.event, "size": 1, "opacity": 0}}
        | {
            "text": [f"{_EVENT_MARK[event.kind]} {plain(event.title)}" for event in inside],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]
