"""Models of Mackerel's responses, with the fields that this program uses. Times are epoch seconds. Null is read as absent."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

RESOLUTIONS_S = (60, 300, 3_600, 86_400)  # those of Mackerel's time series database


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, coerce_numbers_to_str=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {key: item for key, item in value.items() if item is not None}
        return value


class Organization(_Model):
    name: str


class Service(_Model):
    name: str


class Services(_Model):
    services: tuple[Service, ...]


class Host(_Model):
    """A host. The AWS integration creates one for each load balancer, with its DNS name as `custom_identifier`. `roles`: service → roles."""

    id: str
    name: str = ""
    custom_identifier: str = ""
    roles: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)


class Hosts(_Model):
    hosts: tuple[Host, ...]


class MetricNames(_Model):
    names: tuple[str, ...]


class Point(_Model):
    """A value and the start of its minute, or of its coarser step."""

    time: int
    value: Annotated[float, Field(allow_inf_nan=False)]


class Points(_Model):
    """The points of one metric, oldest first; minutes without a value are absent."""

    metrics: tuple[Point, ...]


class GraphAnnotation(_Model):
    """An annotation on a service's graphs from `start` to `end`, both inclusive."""

    id: str = ""
    title: str
    description: str = ""
    service: str
    start: int = Field(alias="from")
    end: int = Field(alias="to")


class GraphAnnotations(_Model):
    graph_annotations: tuple[GraphAnnotation, ...]


class Alert(_Model):
    """`status`: OK, CRITICAL, WARNING or UNKNOWN; a closed alert may keep its last one. `type`: that of the monitor."""

    id: str
    status: str
    type: str = ""
    monitor_id: str = ""
    host_id: str = ""
    message: str = ""
    reason: str = ""
    memo: str = ""
    opened_at: int
    closed_at: int | None = None

    @property
    def open(self) -> bool:
        return self.closed_at is None and self.status != "OK"


class Alerts(_Model):
    """One page, newest first. `next_id`: the cursor of the page of older alerts, "" on the last page."""

    alerts: tuple[Alert, ...]
    next_id: str = ""


class Monitor(_Model):
    """A monitor of any type. `scopes` are services ("photo") or roles ("photo: web"). `expression` and its thresholds: of an expression monitor."""

    id: str
    type: str
    name: str = ""
    expression: str = ""
    operator: str = ""
    warning: float | None = None
    critical: float | None = None
    service: str = ""
    scopes: tuple[str, ...] = ()

    @property
    def services(self) -> frozenset[str]:
        """The services it is restricted to; empty if it names none, as expression monitors never do."""
        names = (self.service, *(scope.partition(":")[0].strip() for scope in self.scopes))
        return frozenset(filter(None, names))


class WidgetGraph(_Model):
    """What a widget draws. `type`: host, role, service, expression, query or unknown."""

    type: str = ""
    expression: str = ""
    query: str = ""


class Widget(_Model):
    """`type`: graph, value, markdown or alertStatus; only the first two have a `graph`."""

    type: str = ""
    title: str = ""
    graph: WidgetGraph = WidgetGraph()


class Dashboard(_Model):
    """A custom dashboard. In a list it may have no widgets."""

    id: str
    title: str = ""
    widgets: tuple[Widget, ...] = ()


class Dashboards(_Model):
    dashboards: tuple[Dashboard, ...]


class Monitors(_Model):
    monitors: tuple[Monitor, ...]


def resolution_s(times: Iterable[int]) -> int:
    """The resolution of points in seconds: the coarsest on whose grid all `times` lie, 60 if there are none.

    It may be too coarse by chance: n points of whole minutes all lie on the five-minute grid with a probability of 5^-n.
    """
    known = tuple(times)
    return max(
        (step for step in RESOLUTIONS_S if known and not any(time % step for time in known)), default=RESOLUTIONS_S[0]
    )
