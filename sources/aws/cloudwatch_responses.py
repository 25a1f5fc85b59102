"""Parses GetMetricData responses: merges pages into the points of each series, and collects what is missing or invalid. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from sys import float_info
from typing import Any, NamedTuple

from domain import Series
from sources.aws.cloudwatch_queries import CloudWatchQuantity, MetricDataRequest, query_id
from sources.base import ProblemKind

_MAX_NAMED_SERIES = 3  # in a problem's `about`; the others are counted

_KIND_BY_STATUS: Mapping[str, ProblemKind] = {
    "PartialData": "partial_data",
    "InternalError": "internal_error",
    "Forbidden": "forbidden_metric",
}


class ResponseIssue(NamedTuple):
    """A Problem without its source and operation."""

    kind: ProblemKind
    about: str
    detail: str


@dataclass(slots=True)
class MetricDataResponse:
    """The merged pages of one request. Positions are those of `request.series`.

    `points`: epoch second → value in our unit. `status`: the newest StatusCode of a series (Complete, PartialData, InternalError, Forbidden).
    `result_messages`, `invalid_points`: texts by position; `refused`: why CloudWatch rejects the series; `unanswered`: the server error that it
    answers with instead of them, while it answers the others. `messages`: of the whole response.
    `failed`: positions whose pages could not all be fetched.
    """

    metrics: Mapping[Series, CloudWatchQuantity]
    request: MetricDataRequest
    points: dict[int, dict[int, float]] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    result_messages: dict[int, str] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    invalid_points: dict[int, str] = field(default_factory=dict)
    unknown_ids: dict[str, None] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    unanswered: dict[int, str] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)

    def add_page(self, page: Mapping[str, Any]) -> bool:
        """Merges a page. Returns whether it had a new point or a new status.

        Each Id is one MetricStat query, so one series; it is repeated on each page that has some of its points.
        """
        self.messages.update(_message_texts(page.get("Messages", ())))
        position_of = {query_id(position): position for position in range(len(self.request.series))}
        changed = False
        for result in page["MetricDataResults"]:
            position = position_of.get(result["Id"])
            if position is None:
                self.unknown_ids[result["Id"]] = None
                continue
            changed |= self._add_points(position, result.get("Timestamps", ()), result.get("Values", ()))
            changed |= self.status.get(position) != result.get("StatusCode")
            self.status[position] = result.get("StatusCode", "")
            if texts := _message_texts(result.get("Messages", ())):
                self.result_messages[position] = "; ".join(texts)
        return changed

    def _add_points(self, position: int, timestamps: Collection[Any], values: Collection[Any]) -> bool:
        """Adds the valid points: finite, at the start of a period, inside the window."""
        points, window = self.points.setdefault(position, {}), self.request.window
        factor = self.metrics[self.request.series[position]].factor
        n_before = len(points)
        if len(timestamps) != len(values):
            self.invalid_points[position] = f"{len(timestamps)} timestamps, {len(values)} values"
        for timestamp, value in zip(timestamps, values, strict=False):
            if not isinstance(timestamp, datetime):
                self.invalid_points[position] = f"a point at {timestamp}"
                continue
            ts = int(timestamp.timestamp())
            if type(value) not in (int, float) or not abs(value) <= float_info.max:
                self.invalid_points[position] = f"{value} at {timestamp:%Y-%m-%d %H:%M} UTC"
            elif not window.start <= ts < window.end or ts % self.request.period_s:
                self.invalid_points[position] = f"a point at {timestamp:%Y-%m-%d %H:%M:%S} UTC"
            else:
                points[ts] = value * factor
        return len(points) > n_before

    def positions_with_status(self, status: str) -> tuple[int, ...]:
        return tuple(position for position, latest in self.status.items() if latest == status)

    def fail(self, positions: Iterable[int]) -> None:
        """A page could not be fetched: none of its series is known to be complete, so all are requested again."""
        self.failed.update(positions)
        self.status = {
            position: status
            for position, status in self.status.items()
            if status == "Forbidden" or position not in self.failed
        }

    @property
    def answered_series(self) -> frozenset[Series]:
        """The series with all their points: "Complete" refers to the whole window, not to a page."""
        return frozenset(self.request.series[position] for position in self.positions_with_status("Complete"))

    def issues(self) -> Iterator[ResponseIssue]:
        """All issues; one for all series of a target group with the same kind and detail, about "photo-ecs: RequestCount Sum, … +12"."""
        for unknown_id in self.unknown_ids:
            yield ResponseIssue("bad_reply", "", f"Id {unknown_id}")
        for text in sorted(self.messages):
            yield ResponseIssue("message", "", text)
        affected: dict[tuple[ProblemKind, str, str], list[CloudWatchQuantity]] = {}
        for position, series in enumerate(self.request.series):
            for kind, detail in self._issues_of(position):
                affected.setdefault((kind, series.target_group, detail), []).append(self.metrics[series])
        for (kind, target_group, detail), metrics in sorted(affected.items(), key=lambda item: item[0]):
            names = ", ".join(f"{metric.name} {metric.stat}".rstrip() for metric in metrics[:_MAX_NAMED_SERIES])
            more = f", +{len(metrics) - _MAX_NAMED_SERIES}" if len(metrics) > _MAX_NAMED_SERIES else ""
            owner = f"{target_group}: " if target_group else ""
            yield ResponseIssue(kind, f"{owner}{names}{more}", detail)

    def _issues_of(self, position: int) -> Iterator[tuple[ProblemKind, str]]:
        status, text = self.status.get(position, ""), self.result_messages.get(position, "")
        if position in self.refused:
            yield "refused_metric", self.refused[position]
            return
        if position in self.unanswered:
            yield "unanswered_metric", self.unanswered[position]
            return
        if status in _KIND_BY_STATUS:
            yield _KIND_BY_STATUS[status], text
        elif status != "Complete":
            if position not in self.failed:
                yield "bad_reply", f"StatusCode {status}" if position in self.status else "no result"
        elif text:
            yield "message", text
        if position in self.invalid_points:
            yield "bad_reply", self.invalid_points[position]


def _message_texts(messages: Iterable[Mapping[str, str]]) -> list[str]:
    return [f"{message.get('Code', '')}: {message.get('Value', '')}" for message in messages]
