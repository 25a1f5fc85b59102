"""One lane of events above all charts: their labels, and how long they lasted."""

from collections.abc import Sequence

from charts.base.events import LabelSpace, event_annotations, event_lines, event_strips
from charts.base.figure import Figure
from charts.base.frame import ChartFrame
from charts.base.layout import ZOOM, base_axis, base_layout, clock_meta, time_axis
from domain import Event

HEIGHT_PX = 104
SPACE = LabelSpace(width_px=880, rows=3, row_step=0.235, strips_top=0.28, strip_height=0.085)


def event_lane_figure(frame: ChartFrame, events: Sequence[Event]) -> Figure:
    """Each event as a line with a label, or with those beside it, and a strip for its duration; on the time axis of the charts below."""
    layout = base_layout(
        frame.palette,
        height=HEIGHT_PX,
        margin={"l": 12, "r": 12, "t": 2, "b": 34},
        meta=clock_meta(frame) | {"no_tools": True},
        xaxis=time_axis(frame, anchor="y") | {"showline": True, "linecolor": frame.palette.grid},
        yaxis=base_axis(frame.palette, range=[0, 1], visible=False),
        shapes=[*event_lines(frame, events), *event_strips(frame, events, SPACE)],
        annotations=event_annotations(frame, events, SPACE),
    )
    # plotly draws no axes without a trace.
    nothing = {
        "type": "scatter",
        "mode": "markers",
        "x": [layout["xaxis"]["range"][0]],
        "y": [0],
        "marker": {"opacity": 0},
    }
    return Figure([nothing], layout | ZOOM)
