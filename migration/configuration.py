"""`migration.toml`: what is being migrated, where it is seen, and what parity means for it. Every mistake names its key."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from migration.arn import Arn, ArnKind
from migration.series import DEFAULT_SLOW_THRESHOLDS_S, FLEETS, FleetName

# A metric that a criterion may name; `slow_0.3s` is the share of answers slower than 0.3 s.
CRITERION_METRICS = (
    "error_rate",
    "unanswered_rate",
    "target_5xx_rate",
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p99",
)
_SLOW = re.compile(r"slow_(?P<threshold>\d+(?:\.\d+)?)(?P<unit>ms|s)")
_MARGIN = re.compile(r"(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>pp|ms|%)")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in the configuration: where, what kind of wrong, and the particulars its sentence needs (words/mistakes.py says it)."""

    key: str  # "fleets.canary.target_groups.0"
    slug: str
    particulars: Mapping[str, str]


class ConfigurationError(Exception):
    """A configuration that cannot be used: `path` and every `Mistake` in it."""

    def __init__(self, path: Path, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__(f"{path}: " + "; ".join(f"{mistake.key}: {mistake.slug}" for mistake in mistakes))
        self.path, self.mistakes = path, mistakes


def _wrong(slug: str, **particulars: object) -> PydanticCustomError:
    # `slug` has no template of its own: words/mistakes.py turns slug and particulars into a sentence.
    return PydanticCustomError(slug, slug, {key: str(value) for key, value in particulars.items()})


def _arn(text: str, kind: ArnKind) -> Arn:
    arn = Arn.parse(text)
    if arn is None:
        raise _wrong("not_an_arn", given=text, kind=kind)
    if arn.kind != kind:
        raise _wrong("arn_of_another_kind", given=text, kind=kind, found=arn.kind)
    return arn


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Margin(_Table):
    """How much worse is still fine: `value` in `unit`. pp and ms are absolute; % is relative to the baseline."""

    value: Annotated[float, Field(gt=0)]
    unit: Literal["pp", "ms", "%"]

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: object) -> object:
        if isinstance(given, Mapping):
            return given
        found = _MARGIN.fullmatch(given.strip()) if isinstance(given, str) else None
        if found is None:
            raise _wrong("margin_without_unit", given=given)
        if float(found["value"]) == 0:
            raise _wrong("margin_of_nothing", given=given)
        return {"value": float(found["value"]), "unit": found["unit"]}

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}" if self.unit == "%" else f"{self.value:g} {self.unit}"


class Criterion(_Table):
    """One line of what parity means: the metric, its margin, the direction that is better, and whether the verdict hangs on it."""

    metric: str
    margin: Margin
    better: Literal["lower", "higher"] = "lower"
    critical: bool = False

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        if metric not in CRITERION_METRICS and not _SLOW.fullmatch(metric):
            close = get_close_matches(metric, CRITERION_METRICS, n=1)
            raise _wrong(
                "unknown_metric", given=metric, close=close[0] if close else "", known=", ".join(CRITERION_METRICS)
            )
        return metric

    @model_validator(mode="after")
    def _units_agree(self) -> Self:
        fits = ("ms", "%") if self.metric.startswith("latency_") else ("pp", "%")
        if self.margin.unit not in fits:
            raise _wrong("margin_of_another_unit", given=self.margin, metric=self.metric, fits=" / ".join(fits))
        return self

    @property
    def slow_threshold_s(self) -> float | None:
        """The threshold of a `slow_…` metric in seconds; None for the others."""
        found = _SLOW.fullmatch(self.metric)
        if found is None:
            return None
        return float(found["threshold"]) / (1000 if found["unit"] == "ms" else 1)


class Aws(_Table):
    """Where the load balancer is. `rule` is the listener rule (or listener, for its default action) that splits the traffic; "": found."""

    region: str
    load_balancer: str
    rule: str = ""
    profile: str = ""

    @field_validator("region")
    @classmethod
    def _region(cls, region: str) -> str:
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
            raise _wrong("not_a_region", given=region)
        return region

    @field_validator("load_balancer")
    @classmethod
    def _load_balancer(cls, text: str) -> str:
        return _arn(text, "load balancer").text

    @field_validator("rule")
    @classmethod
    def _rule(cls, text: str) -> str:
        return _arn(text, "listener rule").text if text else ""

    @model_validator(mode="after")
    def _one_load_balancer(self) -> Self:
        home = self.load_balancer_arn
        if home.region != self.region:
            raise _wrong("another_region", given=self.region, found=home.region)
        if self.rule and _arn(self.rule, "listener rule").load_balancer_path != home.dimension:
            raise _wrong("rule_of_another_load_balancer", given=self.rule, load_balancer=home.dimension)
        return self

    @property
    def load_balancer_arn(self) -> Arn:
        return _arn(self.load_balancer, "load balancer")


class Fleet(_Table):
    """One side: a set of target groups (ARNs, or bare names where there is no [aws]), because blue/green deployments swap the group that serves."""

    label: str
    target_groups: Annotated[tuple[str, ...], Field(min_length=1)]
    ecs_service: str = ""  # cluster/service
    codedeploy: str = ""  # application/deployment group

    @field_validator("target_groups")
    @classmethod
    def _groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for text in groups:
            if not re.fullmatch(r"[A-Za-z0-9-]{1,32}", text):
                _arn(text, "target group")
        return groups

    @field_validator("ecs_service", "codedeploy")
    @classmethod
    def _pair(cls, text: str) -> str:
        if text and not re.fullmatch(r"[^/\s]+/[^/\s]+", text):
            raise _wrong("not_a_pair", given=text)
        return text

    @property
    def names(self) -> tuple[str, ...]:
        """The target groups' names, as frames and pages call them."""
        return tuple(arn.name if (arn := Arn.parse(text)) else text for text in self.target_groups)

    @property
    def arns(self) -> tuple[Arn, ...]:
        return tuple(arn for text in self.target_groups if (arn := Arn.parse(text)))


class Fleets(_Table):
    """Both sides: the old one and the new one."""

    baseline: Fleet
    canary: Fleet

    def __getitem__(self, fleet: FleetName) -> Fleet:
        return self.baseline if fleet == "baseline" else self.canary


class Mackerel(_Table):
    """Where the migration is seen in Mackerel: its service, and the load balancer's host (left out: found by the target groups' metrics)."""

    service: str = ""
    alb_host: str = ""
    organization: str = ""  # for links into the web pages


class Migration(_Table):
    """One migration: its name, its two fleets, where they are seen, and what parity means."""

    name: str = Field(min_length=1)
    timezone: str = "UTC"
    archive: str = "sqlite:///archive.db"
    provisional_minutes: Annotated[int, Field(ge=0, le=60)] = 3  # drawn, never judged
    settle_minutes: Annotated[int, Field(ge=1, le=240)] = 15  # read again at every refresh, then frozen
    slow_thresholds_s: tuple[Annotated[float, Field(gt=0, le=60)], ...] = DEFAULT_SLOW_THRESHOLDS_S
    aws: Aws | None = None
    fleets: Fleets
    mackerel: Mackerel | None = None
    criteria: tuple[Criterion, ...] = ()
    demo: bool = False

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if name not in available_timezones():
            close = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.5)
            raise _wrong("unknown_timezone", given=name, close=close[0] if close else "Asia/Tokyo")
        return name

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        both = set(self.fleets.baseline.names) & set(self.fleets.canary.names)
        if both:
            raise _wrong("group_on_both_sides", given=", ".join(sorted(both)))
        if self.aws is None and self.mackerel is None:
            raise _wrong("no_source")
        if self.aws is None:
            return self
        home = self.aws.load_balancer_arn
        for fleet in FLEETS:
            for position, text in enumerate(self.fleets[fleet].target_groups):
                group = Arn.parse(text)
                where = f"fleets.{fleet}.target_groups.{position}"
                if group is None:
                    raise _wrong("arn_needed", given=text, at=where)
                if (group.region, group.account) != (home.region, home.account):
                    raise _wrong(
                        "group_of_another_load_balancer",
                        given=text,
                        at=where,
                        found=f"{group.region}, {group.account}",
                        home=f"{home.region}, {home.account}",
                    )
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def key(self) -> str:
        """What the archive files this migration under: its name, and the load balancer or Mackerel service it is seen at."""
        place = (
            self.aws.load_balancer_arn.dimension
            if self.aws
            else f"mackerel:{self.mackerel.service if self.mackerel else ''}"
        )
        return f"{self.name} @ {place}"

    def margin_of(self, metric: str) -> Margin | None:
        """The margin that was fixed for a metric (`error_rate`, `latency_p95`, `slow_0.3s`, …), or None."""
        return next((criterion.margin for criterion in self.criteria if criterion.metric == metric), None)


def load(path: Path) -> Migration:
    """The migration that `path` describes. Raises ConfigurationError with every mistake found, or OSError where it cannot be read."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(path, (Mistake("", "not_toml", {"detail": str(error)}),)) from error
    return read(tables, path)


def read(tables: Mapping[str, Any], path: Path) -> Migration:
    """The migration in a parsed TOML document. [migration]'s keys and the other tables meet in one `Migration`."""
    about = tables.get("migration", {})
    if not isinstance(about, Mapping):
        raise ConfigurationError(path, (Mistake("migration", "wrong_type", {"detail": "[migration]"}),))
    stray = [
        Mistake(f"migration.{key}", "unknown_key", {"close": ""})
        for key in about
        if key in ("aws", "fleets", "mackerel", "criteria", "demo")
    ]
    rest = {key: value for key, value in tables.items() if key != "migration"}
    misplaced = [Mistake(key, "unknown_key", {"close": _close(key, ())}) for key in rest if key not in _TABLES]
    try:
        found = Migration.model_validate({**rest, **about})
    except ValidationError as error:
        told = [_mistake(one) for one in error.errors()]
        told = [one for one in told if one.key not in {f"migration.{key}" for key in rest if key not in _TABLES}]
        raise ConfigurationError(path, tuple(stray + misplaced + told)) from error
    if stray or misplaced:
        raise ConfigurationError(path, tuple(stray + misplaced))
    return found


_TABLES = ("aws", "fleets", "mackerel", "criteria")


def _mistake(error: ErrorDetails) -> Mistake:
    """pydantic's error as ours: the key as the file spells it, and a slug with what its sentence needs."""
    path = tuple(error["loc"])
    if path and path[0] not in _TABLES:
        path = ("migration", *path)
    key = ".".join(map(str, path))
    kind = error["type"]
    if kind == "extra_forbidden":
        return Mistake(key, "unknown_key", {"close": _close(str(path[-1]), path[:-1])})
    if kind == "missing":
        return Mistake(key, "missing", {})
    if isinstance(particulars := error.get("ctx"), dict) and error["msg"] == kind:
        said = {name: str(value) for name, value in particulars.items()}
        return Mistake(said.get("at", key), kind, said)
    return Mistake(key, "wrong_type", {"detail": error["msg"], "given": repr(error["input"])[:80]})


def _close(key: str, place: tuple[int | str, ...]) -> str:
    """The known key that a misspelt one most resembles, or ""."""
    tables: dict[str, type[BaseModel]] = {
        "aws": Aws,
        "mackerel": Mackerel,
        "criteria": Criterion,
        "migration": Migration,
    }
    if not place:
        known: list[str] = ["migration", *_TABLES]
    elif place[0] == "fleets":
        known = list((Fleet if len(place) > 1 else Fleets).model_fields)
    else:
        known = list(tables[str(place[0])].model_fields)
    return next(iter(get_close_matches(key, known, n=1, cutoff=0.6)), "")
