"""[[criteria]]: what parity means. A criterion is of a metric that every migration has, or of one's own: an expression or query for each fleet."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from domain.config.base import ConfigTable, matches
from domain.config.errors import closest, config_error
from domain.series import FleetName, OwnStat, Series, format_threshold

# The metrics of criteria, beside `slow_0.3s` (or `slow_300ms`): the share of responses slower than 0.3 s.
CRITERION_METRICS = (
    "error_rate",
    "unanswered_rate",
    "target_5xx_rate",
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p99",
)
THRESHOLD_DECIMALS = 6  # microseconds; CloudWatch accepts ten decimals
_SLOW = re.compile(r"slow_(?P<threshold>\d+(?:\.\d+)?)(?P<unit>ms|s)")
_MARGIN = re.compile(r"(?P<value>\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?P<unit>pp|ms|%)")
_NAME = r"([^\W_][^,\"\x00-\x1f\x7f]{0,59})?"
_STATISTIC = r"Average|Sum|Minimum|Maximum|SampleCount|(p|tm|wm|tc|ts)\d{1,2}(\.\d{1,10})?"
_MATH_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,99}")
_QUOTIENT = re.compile(r"(?:100\s*\*\s*)?(?P<events>[a-z]\w*)\s*/\s*(?P<total>[a-z]\w*)(?:\s*\*\s*100)?")
MAX_MATH_METRICS = 10
COUNT_STATISTICS = ("Sum", "SampleCount")

CriterionSource = Literal["mackerel", "cloudwatch"]
# A share of events, seconds, or a number in the metric's own unit.
CriterionQuantity = Literal["rate", "latency", "value"]
SideT = TypeVar("SideT", bound=Any)


class Margin(ConfigTable):
    """How much worse is acceptable: `value` in `unit`. pp and ms are absolute; % is relative to the baseline; "": the unit of the metric."""

    value: Annotated[float, Field(gt=0)]
    unit: Literal["pp", "ms", "%", ""]

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return value
        match = _MARGIN.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise config_error("margin_without_unit", given=value)
        if float(match["value"]) == 0:
            raise config_error("margin_of_nothing", given=value)
        return {"value": float(match["value"]), "unit": match["unit"]}

    @property
    def is_relative(self) -> bool:
        return self.unit == "%"

    @property
    def amount(self) -> float:
        """In seconds (ms), as a fraction of the requests (pp) or of the baseline's level (%), or in the metric's own unit."""
        return self.value / {"ms": 1000, "": 1}.get(self.unit, 100)

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}" if self.unit in ("%", "") else f"{self.value:g} {self.unit}"


class CloudWatchMetricTable(ConfigTable):
    """A metric of CloudWatch. Its dimensions must be exactly the published ones."""

    namespace: str = ""
    name: str = ""
    dimensions: dict[str, str] = Field(default_factory=dict)
    statistic: Annotated[str, matches(_STATISTIC, "not_a_statistic")] = "Average"

    def __hash__(self) -> int:
        return hash((self.namespace, self.name, self.statistic))


class CloudWatchQuery(CloudWatchMetricTable):
    """A metric, or metric math over `metrics`, whose keys it uses."""

    math: str = ""
    metrics: dict[str, CloudWatchMetricTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        parts = list(self.metrics.values()) if self.math else [self]
        is_complete = all(part.namespace and part.name for part in parts) and bool(parts)
        if bool(self.math) != bool(self.metrics) or not is_complete or (self.math and self.name):
            raise config_error("not_a_query")
        if len(parts) > MAX_MATH_METRICS or not all(map(_MATH_ID.fullmatch, self.metrics)):
            raise config_error("not_a_math_id", limit=MAX_MATH_METRICS)
        return self

    def __hash__(self) -> int:
        return hash((self.math, self.name))

    def __str__(self) -> str:
        """The metrics in a few words: `AWS/SQS ApproximateNumberOfMessagesVisible`, or the math and its metrics."""
        metrics = self.metrics.values() if self.math else [self]
        names = " · ".join(f"{metric.namespace} {metric.name}" for metric in metrics)
        return f"{self.math}: {names}" if self.math else names

    @property
    def quotient(self) -> tuple[CloudWatchMetricTable, CloudWatchMetricTable] | None:
        """The metrics a and b of `a / b` (also `100 * a / b`); None for anything else."""
        match = _QUOTIENT.fullmatch(self.math.strip())
        if match is None or not {match["events"], match["total"]} <= self.metrics.keys():
            return None
        return self.metrics[match["events"]], self.metrics[match["total"]]


def _query_tag(value: object) -> str:
    return "<table>" if isinstance(value, Mapping | CloudWatchQuery) else "<text>"


Query = Annotated[Annotated[str, Tag("<text>")] | Annotated[CloudWatchQuery, Tag("<table>")], Discriminator(_query_tag)]


class Criterion(ConfigTable):
    """A parity criterion: metric, margin, better direction, and whether it is critical for the overall verdict.

    `watch_only`: shown, and never counted. `max_ratio`: an absolute margin is no parity if the canary's rate is surely a larger multiple of the
    baseline's. A criterion of one's own has a `name`, which is its `metric`, too, and a query for each fleet in `source`: an expression of
    Mackerel, or a metric of CloudWatch.
    """

    name: Annotated[str, matches(_NAME, "not_a_name")] = ""
    metric: str = ""
    margin: Margin
    better: Literal["lower", "higher", "equal"] = "lower"
    critical: bool = False
    watch_only: bool = False
    max_ratio: Annotated[float, Field(gt=1)] | None = None
    source: CriterionSource | None = None
    baseline: Query | None = None
    canary: Query | None = None
    kind: Literal["rate", "value"] = "value"

    @model_validator(mode="before")
    @classmethod
    def _read_own(cls, table: object) -> object:
        """`metric` is the name, and the margin of a value may be a plain number."""
        if not isinstance(table, Mapping) or not table.get("name") or "metric" in table:
            return table
        return {**table, "metric": table["name"], **_plain_margin(table)}

    @field_validator("metric")
    @classmethod
    def _check_metric(cls, metric: str, info: ValidationInfo) -> str:
        if info.data.get("name", "?"):  # own, or an invalid name
            return metric
        if slow := _SLOW.fullmatch(metric):
            threshold_s = float(slow["threshold"]) / (1000 if slow["unit"] == "ms" else 1)
            return f"slow_{format_threshold(round(threshold_s, THRESHOLD_DECIMALS))}s"
        if metric and metric not in CRITERION_METRICS:
            raise config_error("unknown_metric", given=metric, close=closest(metric, CRITERION_METRICS))
        return metric

    @model_validator(mode="after")
    def _check_own(self) -> Self:
        if not self.metric or (self.name and self.name != self.metric):
            raise config_error("name_or_metric")
        queries = (self.baseline, self.canary)
        if not self.name:
            if self.source or any(queries) or self.kind == "rate":
                raise config_error("query_of_a_metric", metric=self.metric)
            return self
        if self.name in CRITERION_METRICS or _SLOW.fullmatch(self.name):
            raise config_error("name_of_a_metric", given=self.name)
        if not (self.source and all(queries)):
            raise config_error("criterion_without_query", given=self.name)
        for query in queries:
            if isinstance(query, str) != (self.source == "mackerel"):
                raise config_error("query_of_another_source", given=self.source)
            if self.kind == "rate" and isinstance(query, CloudWatchQuery):
                self._check_quotient(query)
        return self

    def _check_quotient(self, query: CloudWatchQuery) -> None:
        if query.quotient is None:
            raise config_error("not_a_quotient", given=self.name)
        for metric in query.quotient:
            if metric.statistic not in COUNT_STATISTICS:
                raise config_error("not_counts", given=metric.statistic)

    @model_validator(mode="after")
    def _check_unit(self) -> Self:
        units = {"latency": ("ms", "%"), "rate": ("pp", "%"), "value": ("", "%")}[self.quantity]
        if self.margin.unit not in units:
            if self.quantity == "value":
                raise config_error("margin_of_a_value", given=self.margin, metric=self.metric)
            raise config_error("margin_of_another_unit", given=self.margin, metric=self.metric, fits=" / ".join(units))
        if self.max_ratio is not None and self.margin.unit != "pp":
            raise config_error("ratio_without_points", given=self.margin)
        return self

    @property
    def is_own(self) -> bool:
        return bool(self.name)

    @property
    def quantity(self) -> CriterionQuantity:
        """What is compared; a rate is judged by its counts, everything else by the differences of paired minutes."""
        if self.is_own:
            return self.kind
        return "latency" if self.metric.startswith("latency_") else "rate"

    @property
    def slow_threshold_s(self) -> float | None:
        """The threshold of a `slow_…` metric in seconds; None for the others."""
        match = None if self.is_own else _SLOW.fullmatch(self.metric)
        return float(match["threshold"]) if match else None

    def query(self, fleet: FleetName) -> str | CloudWatchQuery:
        """What is read for a fleet, of a criterion of one's own. Raises ValueError for others."""
        query = self.baseline if fleet == "baseline" else self.canary
        if query is None:
            raise ValueError(f"{self.metric} has no query of its own.")
        return query

    @property
    def series_metric(self) -> str:
        """The metric of its series: ASCII, whatever the name."""
        return f"own.{_digest(self.name)}"

    @property
    def series_source(self) -> str:
        """The source of its series, of a criterion of one's own."""
        return f"{self.source}_criteria"

    def series(self, fleet: FleetName) -> dict[OwnStat, Series]:
        """The series of a fleet, of a criterion of one's own: the value, or the counts `events` and `total` of a rate; else none.

        A changed query is another series, so that what was archived of the old one is not mixed with it: `target_group` has a digest of it.
        """
        if self.source is None:
            return {}
        query = self.query(fleet)
        definition = query if isinstance(query, str) else json.dumps(query.model_dump(), sort_keys=True)
        digest = _digest(f"{self.kind} {definition}")
        stats: tuple[OwnStat, ...] = ("events", "total") if self.kind == "rate" else ("value",)
        unit = "count" if self.kind == "rate" else ""
        group = f"{self.name} [{fleet} {digest}]"
        return {stat: Series(self.series_source, fleet, group, self.series_metric, stat, unit) for stat in stats}

    def worse_and_better(self, above: SideT, below: SideT) -> tuple[SideT, SideT]:
        """Whether the canary is worse, and whether it is better, if it is `above` or `below` something (booleans, or arrays of them)."""
        match self.better:
            case "lower":
                return above, below
            case "higher":
                return below, above
        return above | below, above & False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain_margin(table: Mapping[str, Any]) -> dict[str, object]:
    """The margin of a value as a Margin's fields, if it is a number without a unit."""
    margin = table.get("margin")
    if table.get("kind", "value") != "value" or isinstance(margin, bool) or not isinstance(margin, str | int | float):
        return {}
    try:
        return {"margin": {"value": float(margin), "unit": ""}}
    except ValueError:
        return {}
