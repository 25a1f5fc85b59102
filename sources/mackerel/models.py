"""What Mackerel's read API says, as values: organization, services, hosts, points, annotations, alerts, monitors, dashboards.

Unknown fields are passed over, and null is the same as left out, so that Mackerel may grow. Times are epoch seconds.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

RESOLUTIONS_S = (60, 300, 3_600, 86_400)  # the only ones its time series database knows
_MIN_EPOCH_MS = 100_000_000_000  # the year 5138 in seconds: above it, an old dashboard's stamp in milliseconds


def _to_seconds(value: object) -> object:
    return int(value / 1000) if isinstance(value, int | float) and value >= _MIN_EPOCH_MS else value


Seconds = Annotated[int, BeforeValidator(_to_seconds)]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, coerce_numbers_to_str=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        return (
            {key: value for key, value in value.items() if value is not None} if isinstance(value, Mapping) else value
        )


class Organization(_Model):
    name: str
    display_name: str = ""


class Service(_Model):
    name: str
    memo: str = ""
    roles: tuple[str, ...] = ()


class Services(_Model):
    services: tuple[Service, ...]


class Host(_Model):
    """One host; the AWS integration makes one of each load balancer, with its DNS name as `custom_identifier`. `roles`: service → roles."""

    id: str
    name: str = ""
    display_name: str = ""
    custom_identifier: str = ""
    status: str = ""
    memo: str = ""
    is_retired: bool = False
    created_at: Seconds = 0
    roles: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)


class Hosts(_Model):
    hosts: tuple[Host, ...]


class HostEnvelope(_Model):
    host: Host


class MetricNames(_Model):
    names: tuple[str, ...]


class Point(_Model):
    """A value at a time (epoch seconds, the start of its minute or coarser step)."""

    time: Seconds
    value: Annotated[float, Field(allow_inf_nan=False)]


class Points(_Model):
    """One metric's points, oldest first; minutes without a value are absent."""

    metrics: tuple[Point, ...]


class Latest(_Model):
    """host → metric name → its newest point, None where the host has no such metric."""

    tsdb_latest: Mapping[str, Mapping[str, Point | None]]


class GraphAnnotation(_Model):
    """A remark on a service's graphs from `start` to `end`, both inclusive."""

    id: str = ""
    title: str
    description: str = ""
    service: str
    roles: tuple[str, ...] = ()
    start: Seconds = Field(alias="from")
    end: Seconds = Field(alias="to")


class GraphAnnotations(_Model):
    graph_annotations: tuple[GraphAnnotation, ...]


class Alert(_Model):
    """`status` is OK, CRITICAL, WARNING or UNKNOWN; `type` is the monitor's. An alert that is closed may keep the status it had."""

    id: str
    status: str
    type: str = ""
    monitor_id: str = ""
    host_id: str = ""
    value: float | None = None
    message: str = ""
    reason: str = ""
    memo: str = ""
    opened_at: Seconds
    closed_at: Seconds | None = None

    @property
    def open(self) -> bool:
        return self.closed_at is None and self.status != "OK"


class Alerts(_Model):
    """One page, newest first. `next_id` asks for the page of older ones; "" on the last."""

    alerts: tuple[Alert, ...]
    next_id: str = ""


class Monitor(_Model):
    """What an alert is raised by, of any type, known today or not. `scopes` are services ("photo") or roles ("photo: web")."""

    id: str
    type: str
    name: str = ""
    memo: str = ""
    service: str = ""
    scopes: tuple[str, ...] = ()
    metric: str = ""
    expression: str = ""
    query: str = ""
    url: str = ""
    operator: str = ""
    warning: float | None = None
    critical: float | None = None
    is_mute: bool = False

    @property
    def services(self) -> frozenset[str]:
        """The services it says it watches; empty where it does not say, as an expression monitor never does."""
        named = (self.service, *(scope.partition(":")[0].strip() for scope in self.scopes))
        return frozenset(filter(None, named))


class Monitors(_Model):
    monitors: tuple[Monitor, ...]


class WidgetMetric(_Model):
    """What a widget draws: `type` is host, role, service, expression, query or unknown, and says which of the others are filled."""

    type: str
    host_id: str = ""
    service_name: str = ""
    role_fullname: str = ""
    name: str = ""
    expression: str = ""
    query: str = ""
    legend: str = ""
    is_stacked: bool = False


class ReferenceLine(_Model):
    label: str = ""
    value: float


class Layout(_Model):
    """A widget's place on the grid, which is 24 wide."""

    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


class Widget(_Model):
    """`type` is graph (`graph`), value (`metric`), markdown (`markdown`), alertStatus (`role_fullname`), or one that is not known yet."""

    type: str
    title: str = ""
    layout: Layout = Layout()
    graph: WidgetMetric | None = None
    metric: WidgetMetric | None = None
    markdown: str = ""
    role_fullname: str = ""
    range: Mapping[str, Any] = Field(default_factory=dict)
    reference_lines: tuple[ReferenceLine, ...] = ()


class Dashboard(_Model):
    """A custom dashboard. In the list some have no widgets: `MackerelApi.dashboard` brings them."""

    id: str
    title: str = ""
    memo: str = ""
    url_path: str = ""
    widgets: tuple[Widget, ...] = ()
    created_at: Seconds = 0
    updated_at: Seconds = 0


class Dashboards(_Model):
    dashboards: tuple[Dashboard, ...]


def resolution_s(times: Iterable[int]) -> int:
    """The step in seconds that points show: the coarsest of Mackerel's on whose grid all `times` lie. 60 where there are none.

    A few points may lie on a coarse grid by chance: n points of whole minutes all lie on the five-minute grid with a probability of 5^-n.
    """
    seen = tuple(times)
    return max(
        (step for step in RESOLUTIONS_S if seen and not any(time % step for time in seen)), default=RESOLUTIONS_S[0]
    )
