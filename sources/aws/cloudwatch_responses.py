"""What CloudWatch's pages say, put together: the points of each series, whether all of them came, and what went wrong."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite
from typing import Any

from domain import Series
from sources.aws.cloudwatch_queries import SOURCE, MetricDataRequest, MetricNaming, query_id
from sources.base import Problem, ProblemKind

PERMISSION = "cloudwatch:GetMetricData"
_MAX_NAMED_SERIES = 3  # so many series are named in a problem's `about`, the others counted

_KIND_BY_STATUS: Mapping[str, ProblemKind] = {
    "PartialData": "partial_data",
    "InternalError": "internal_error",
    "Forbidden": "forbidden_metric",
}


@dataclass(slots=True)
class MetricDataResponse:
    """What the pages of one call have said so far; positions are those of `ask.series`.

    `points` holds epoch second → value in our unit. `status` is CloudWatch's last word on a series (Complete, PartialData, InternalError,
    Forbidden), `said` its message about it, `strange` what was wrong with a point of it.
    """

    naming: MetricNaming
    request: MetricDataRequest
    source: str = SOURCE
    points: dict[int, dict[int, float]] = field(default_factory=dict)
    status: dict[int, str] = field(default_factory=dict)
    result_messages: dict[int, str] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    invalid_points: dict[int, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    skew: Problem | None = None
    failed: bool = False

    def add_page(self, reply: Mapping[str, Any]) -> bool:
        """Adds a page, and says whether it brought anything: a new point, or a last word.

        An Id is one MetricStat query and so one line, under whatever label; it comes back on every page that holds some of its points.
        """
        if "MetricDataResults" not in reply:
            self.fail(Problem("bad_reply", self.source, PERMISSION, "", "no MetricDataResults"))
            return False
        self.messages.update(_message_texts(reply.get("Messages", ())))
        position_of = {query_id(position): position for position in range(len(self.request.series))}
        news = False
        for result in reply["MetricDataResults"]:
            position = position_of.get(result.get("Id", ""))
            if position is None:
                self.problems.append(Problem("bad_reply", self.source, PERMISSION, "", f"Id {result.get('Id')}"))
                continue
            news |= self._add_points(position, result.get("Timestamps", ()), result.get("Values", ()))
            news |= self.status.get(position) != result.get("StatusCode")
            self.status[position] = result.get("StatusCode", "")
            if texts := _message_texts(result.get("Messages", ())):
                self.result_messages[position] = "; ".join(texts)
        return news

    def _add_points(self, position: int, stamps: Collection[Any], values: Collection[Any]) -> bool:
        """Keeps the points that fit the question: finite, at the start of a period, inside the window."""
        points, factor, window = (
            self.points.setdefault(position, {}),
            self.naming.metric(self.request.series[position]).factor,
            self.request.window,
        )
        before = len(points)
        if len(stamps) != len(values):
            self.invalid_points[position] = f"{len(stamps)} timestamps, {len(values)} values"
        for stamp, value in zip(stamps, values, strict=False):
            ts = int(stamp.timestamp())
            if not isinstance(value, int | float) or not isfinite(value):
                self.invalid_points[position] = f"{value} at {stamp:%Y-%m-%d %H:%M} UTC"
            elif not window.start <= ts < window.end or ts % self.request.period_s:
                self.invalid_points[position] = f"a point at {stamp:%Y-%m-%d %H:%M:%S} UTC"
            else:
                points[ts] = value * factor
        return len(points) > before

    def positions_with_status(self, status: str) -> tuple[int, ...]:
        return tuple(position for position, said in self.status.items() if said == status)

    def fail(self, problem: Problem) -> None:
        """The call failed between pages: nothing that came is known to be whole, so all of it will be asked for again."""
        self.problems.append(problem)
        self.failed = True
        self.status = {position: said for position, said in self.status.items() if said == "Forbidden"}

    @property
    def answered_series(self) -> frozenset[Series]:
        """The series that have all their points here: CloudWatch called them Complete, which it says of the whole window, not of a page."""
        return frozenset(self.request.series[position] for position in self.positions_with_status("Complete"))

    def all_problems(self) -> Iterable[Problem]:
        """Everything that kept a series back or that CloudWatch remarked. One problem for all series of a target group with the same fate."""
        yield from self.problems
        for text in sorted(self.messages):
            yield Problem("message", self.source, PERMISSION, "", text)
        fates = [
            (_KIND_BY_STATUS[status], self.result_messages.get(position, ""), position)
            for position, status in self.status.items()
            if status in _KIND_BY_STATUS
        ]
        if not self.failed:
            fates += [
                (
                    "bad_reply",
                    f"StatusCode {self.status[position]}" if position in self.status else "no result",
                    position,
                )
                for position in range(len(self.request.series))
                if self.status.get(position) not in ("Complete", *_KIND_BY_STATUS)
            ]
        fates += [("bad_reply", detail, position) for position, detail in self.invalid_points.items()]
        fates += [
            ("message", text, position)
            for position, text in self.result_messages.items()
            if self.status.get(position) == "Complete"
        ]
        yield from self._group_problems(fates)

    def _group_problems(self, fates: list[tuple[ProblemKind, str, int]]) -> Iterable[Problem]:
        """One problem for each kind, target group and detail, about "photo-ecs: RequestCount Sum, … +12"."""
        series = self.request.series

        def alike(fate: tuple[ProblemKind, str, int]) -> tuple[str, str, str]:
            kind, detail, position = fate
            return kind, series[position].target_group, detail

        for _, group in groupby(sorted(fates, key=alike), key=alike):
            members = sorted(group, key=lambda fate: fate[2])
            kind, detail, first = members[0]
            metrics = [self.naming.metric(series[position]) for _, _, position in members[:_MAX_NAMED_SERIES]]
            names = ", ".join(f"{metric.name} {metric.stat}" for metric in metrics)
            more = f", +{len(members) - _MAX_NAMED_SERIES}" if len(members) > _MAX_NAMED_SERIES else ""
            owner = f"{series[first].target_group}: " if series[first].target_group else ""
            yield Problem(kind, self.source, PERMISSION, f"{owner}{names}{more}", detail)


def _message_texts(messages: Iterable[Mapping[str, str]]) -> list[str]:
    return [f"{message.get('Code', '')}: {message.get('Value', '')}" for message in messages]
