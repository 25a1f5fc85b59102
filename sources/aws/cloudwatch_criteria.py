"""Criteria of one's own as a source: any metrics of CloudWatch, and metric math."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from math import inf
from typing import Any

import pandas as pd

from domain import FLEETS, Clock, Criterion, FleetName, Migration, Series, Window, utc_now
from domain.config.criteria import CloudWatchMetricTable, CloudWatchQuery
from sources.aws.client import aws_of
from sources.aws.cloudwatch import MetricDataSource
from sources.aws.cloudwatch_queries import CloudWatchMath, CloudWatchMetric, CloudWatchQuantity
from sources.base import Pull

SOURCE = "cloudwatch_criteria"


class CloudWatchCriteria(MetricDataSource):
    """A MetricSource of the values, or of the counts, of criteria whose source is CloudWatch. Raises ValueError without [aws].

    A count of events is 0 in a period that has a total and no events: CloudWatch has no datapoint of a count that did not occur.
    """

    name = SOURCE
    stale_after_s = inf  # a metric may be published once a day

    def __init__(self, migration: Migration, *, clock: Clock = utc_now, client: Any = None) -> None:
        own = [criterion for criterion in migration.own_criteria if criterion.source == "cloudwatch"]
        metrics = {
            series: quantity
            for criterion in own
            for fleet in FLEETS
            for series, quantity in _quantities(criterion, fleet)
        }
        self._total_of = {
            side["events"]: side["total"]
            for criterion in own
            for fleet in FLEETS
            if "events" in (side := criterion.series(fleet))
        }
        self.presence_metrics = frozenset(criterion.series_metric for criterion in own)
        super().__init__(metrics, aws_of(migration, "CloudWatch"), clock=clock, client=client)

    def pull(self, window: Window, series: Collection[Series] | None = None) -> Pull:
        """As MetricDataSource, with the counts that did not occur; both counts of a rate are requested together."""
        if series is not None:
            pairs = [{events, total} for events, total in self._total_of.items()]
            series = frozenset(series).union(*(pair for pair in pairs if not pair.isdisjoint(series)))
        result = super().pull(window, series)
        zeros = [
            _zeros(result.frame, events, total)
            for events, total in self._total_of.items()
            if any(events in answered.series for answered in result.answered_ranges)
        ]
        added = [rows for rows in zeros if len(rows)]
        return replace(result, frame=pd.concat([result.frame, *added], ignore_index=True)) if added else result


def _quantities(criterion: Criterion, fleet: FleetName) -> Iterator[tuple[Series, CloudWatchQuantity]]:
    query, series = criterion.query(fleet), criterion.series(fleet)
    if not isinstance(query, CloudWatchQuery):
        return
    if quotient := query.quotient if "events" in series else None:
        yield series["events"], _metric(quotient[0])
        yield series["total"], _metric(quotient[1])
    elif query.math:
        yield series["value"], CloudWatchMath(query.math, {name: _metric(part) for name, part in query.metrics.items()})
    else:
        yield series["value"], _metric(query)


def _metric(table: CloudWatchMetricTable) -> CloudWatchMetric:
    return CloudWatchMetric(table.namespace, table.name, table.statistic, table.dimensions)


def _zeros(frame: pd.DataFrame, events: Series, total: Series) -> pd.DataFrame:
    """Rows of 0 events for the periods that have a total and no events."""
    of_group = frame["target_group"] == events.target_group
    totals = frame[of_group & (frame["stat"] == total.stat)]
    key = ["ts", "period_s"]
    known = frame.loc[of_group & (frame["stat"] == events.stat), key]
    missing = totals[~pd.MultiIndex.from_frame(totals[key]).isin(pd.MultiIndex.from_frame(known))]
    stat = pd.Categorical([events.stat] * len(missing), categories=frame["stat"].cat.categories)
    return missing.assign(value=0.0, stat=stat)
