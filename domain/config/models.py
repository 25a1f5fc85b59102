"""The configuration's models: the migration, its fleets and its sources. Validated when constructed."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from domain.arn import Arn
from domain.config.access_logs import AccessLogs
from domain.config.base import ConfigTable, Pair, TimezoneName, matches, parse_arn
from domain.config.batches import Batches
from domain.config.criteria import THRESHOLD_DECIMALS, Criterion, Margin
from domain.config.errors import config_error
from domain.config.notify import Notify
from domain.config.probe import Probe
from domain.config.releases import Releases, ReleaseSpan
from domain.config.retention import Retention, RetentionDuration, keep_s
from domain.config.server import ServerSettings
from domain.config.sign_in import SignIn
from domain.redaction import redact_userinfo, register_url
from domain.series import DEFAULT_SLOW_THRESHOLDS_S, FLEETS, FleetName, format_threshold
from domain.window import parse_datetime, parse_warm_up

MAX_OWN_CRITERIA = 20  # with metric math and both fleets, those are 440 of the 500 queries of a call
DEFAULT_WARM_UP = "10m"
_SLO = re.compile(r"(?P<target>\d{1,2}(?:\.\d+)?)\s*% over (?P<days>\d{1,2})\s*d")


class Slo(ConfigTable):
    """A service level objective: `target_percent` of the requests succeed within `days`. The others are the error budget."""

    target_percent: Annotated[float, Field(gt=0, lt=100)]
    days: Annotated[int, Field(ge=1, le=90)]

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return value
        match = _SLO.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or not float(match["target"]) or not 1 <= int(match["days"]) <= 90:
            raise config_error("not_an_slo", given=value)
        return {"target_percent": float(match["target"]), "days": int(match["days"])}

    @property
    def budget(self) -> float:
        """The share of the requests that may fail."""
        return round(1 - self.target_percent / 100, 9)

    def __str__(self) -> str:
        return f"{self.target_percent:g}% over {self.days}d"


class Aws(ConfigTable):
    """The load balancer. `rule` is the ARN of the listener rule that splits the traffic (default actions have one, too); "": detected.

    `cloudtrail`: read who changed the weights from CloudTrail.
    """

    region: Annotated[str, matches(r"[a-z]{2,}(-[a-z]+)+-\d+", "not_a_region")]
    load_balancer: Annotated[str, AfterValidator(lambda text: parse_arn(text, "load balancer").text)]
    rule: Annotated[str, AfterValidator(lambda text: parse_arn(text, "listener rule").text if text else "")] = ""
    profile: str = ""
    cloudtrail: bool = True

    @model_validator(mode="after")
    def _check_arns(self) -> Self:
        arn = self.load_balancer_arn
        if arn.region != self.region:
            raise config_error("another_region", given=self.region, found=arn.region)
        if self.rule and parse_arn(self.rule, "listener rule").load_balancer_path != arn.dimension:
            raise config_error("rule_of_another_load_balancer", given=self.rule, load_balancer=arn.dimension)
        return self

    @property
    def load_balancer_arn(self) -> Arn:
        return parse_arn(self.load_balancer, "load balancer")


class Fleet(ConfigTable):
    """A set of target groups (ARNs; bare names if there is no [aws]), because blue/green deployments swap the serving group."""

    label: Annotated[str, Field(min_length=1)]
    target_groups: tuple[str, ...]
    ecs_service: Pair = ""  # cluster/service
    codedeploy: Pair = ""  # application/deployment group

    @field_validator("target_groups")
    @classmethod
    def _check_target_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        if not groups:  # Field(min_length=…) would not count invalid entries
            raise config_error("empty")
        for text in groups:
            if not re.fullmatch(r"[A-Za-z0-9-]{1,32}", text):
                parse_arn(text, "target group")
            if groups.count(text) > 1:
                raise config_error("group_twice", given=text)
        return groups

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the target groups, as in frames and on pages."""
        return tuple(arn.name if (arn := Arn.parse(text)) else text for text in self.target_groups)

    @property
    def arns(self) -> tuple[Arn, ...]:
        return tuple(arn for text in self.target_groups if (arn := Arn.parse(text)))


class Fleets(ConfigTable):
    """The old fleet (baseline) and the new one (canary)."""

    baseline: Fleet
    canary: Fleet

    def __getitem__(self, fleet: FleetName) -> Fleet:
        return self.baseline if fleet == "baseline" else self.canary


class Mackerel(ConfigTable):
    """The Mackerel service, and the host of the load balancer ("": found by the target groups' metrics)."""

    service: str = ""
    alb_host: str = ""
    organization: str = ""  # for links into the web pages


class Migration(ConfigTable):
    """A migration: its name, fleets, sources and parity criteria."""

    name: Annotated[str, Field(min_length=1)]
    timezone: TimezoneName = "UTC"
    archive: str = "sqlite:///archive.db"
    provisional_minutes: Annotated[int, Field(ge=0, le=60)] = 3  # drawn, never judged
    settle_minutes: Annotated[int, Field(ge=1, le=240)] = 15  # re-read at each refresh until then
    warm_up: str = DEFAULT_WARM_UP  # not judged at the start of a phase and after a deployment of the canary
    drained_after_hours: Annotated[int, Field(ge=1, le=720)] = (
        24  # without a request, before the baseline may be removed
    )
    backfill: bool = True  # also fetch the history that the sources retain
    since: date | Literal[""] = ""  # first day of that history, in `timezone`; "": all of it
    keep: RetentionDuration = ""  # of points and counts of access logs: "400d"; "": without end
    keep_rollups: RetentionDuration = ""  # of ten-minute rollups, which long windows are drawn from
    slow_thresholds_s: tuple[Annotated[float, Field(ge=10**-THRESHOLD_DECIMALS, le=60)], ...] = (
        DEFAULT_SLOW_THRESHOLDS_S
    )
    slo: Slo | None = None
    aws: Aws | None = None
    fleets: Fleets
    mackerel: Mackerel | None = None
    criteria: tuple[Criterion, ...] = ()
    batches: Batches | None = None
    access_logs: AccessLogs | None = None
    releases: Releases | None = None
    notify: Notify | None = None
    probe: tuple[Probe, ...] = ()
    server: ServerSettings = ServerSettings()
    sign_in: SignIn | None = None
    demo: bool = False
    release: ReleaseSpan | None = None  # of a migration that services.releases derived from a deployment

    @model_validator(mode="before")
    @classmethod
    def _derive_fleets(cls, tables: Any) -> Any:
        """Without [fleets], both target groups of [releases] are the fleets."""
        if not isinstance(tables, Mapping) or "fleets" in tables or not isinstance(tables.get("releases"), Mapping):
            return tables
        if not tables["releases"].get("target_groups"):
            raise config_error("release_without_groups", at="releases.target_groups")
        try:
            fleets = _fleets_of(Releases.model_validate(tables["releases"]))
        except ValidationError:  # reported with its key when the table is validated
            fleets = Fleets(
                baseline=Fleet(label="blue", target_groups=("blue",)),
                canary=Fleet(label="green", target_groups=("green",)),
            )
        return {**tables, "fleets": fleets}

    @field_validator("since", mode="before")
    @classmethod
    def _parse_since(cls, value: Any) -> Any:
        if value == "":
            return value
        try:
            day = value if type(value) is date else date.fromisoformat(value)
            parse_datetime(day.isoformat(), UTC)  # far from the limits of datetime
        except (TypeError, ValueError):
            raise config_error("not_a_day", given=value) from None
        return day

    @field_validator("warm_up")
    @classmethod
    def _check_warm_up(cls, duration: str) -> str:
        if parse_warm_up(duration) is None:
            raise config_error("not_a_warm_up", given=duration)
        return duration

    @field_validator("archive")
    @classmethod
    def _check_archive(cls, url: str) -> str:
        register_url(url)
        scheme, location = url.partition("://")[::2]
        if scheme == "postgresql+psycopg":
            if not re.fullmatch(r"([^/]*@)?[^/@]*/[^/?@]+([?].*)?", location):
                raise config_error("archive_without_database", given=redact_userinfo(url))
            return url
        if scheme in ("postgres", "postgresql") or scheme.startswith("postgresql+"):
            raise config_error("archive_driver", given=redact_userinfo(scheme))
        if scheme != "sqlite":
            raise config_error("not_an_archive", given=redact_userinfo(url))
        if location in ("", "/", "/:memory:"):
            raise config_error("archive_without_file", given=url)
        return url

    @field_validator("slow_thresholds_s")
    @classmethod
    def _sort_thresholds(cls, thresholds_s: tuple[float, ...]) -> tuple[float, ...]:
        if not thresholds_s:
            raise config_error("empty")
        return tuple(sorted({round(threshold_s, THRESHOLD_DECIMALS) for threshold_s in thresholds_s}))

    @model_validator(mode="after")
    def _check_minutes(self) -> Self:
        if self.provisional_minutes > self.settle_minutes:
            raise config_error(
                "provisional_beyond_settled",
                at="migration.provisional_minutes",
                given=self.provisional_minutes,
                settled=self.settle_minutes,
            )
        return self

    @model_validator(mode="after")
    def _check_retention(self) -> Self:
        if self.keep_rollups and not 0 < keep_s(self.keep) <= keep_s(self.keep_rollups):
            raise config_error("rollups_before_points", at="migration.keep_rollups", given=self.keep_rollups)
        return self

    @model_validator(mode="after")
    def _check_fleets(self) -> Self:
        baseline, canary = self.fleets.baseline, self.fleets.canary
        if both := set(baseline.names) & set(canary.names):
            raise config_error("group_on_both_sides", at="fleets", given=", ".join(sorted(both)))
        if baseline.label == canary.label:
            raise config_error("same_label", at="fleets.canary.label", given=canary.label)
        if self.aws is None:
            if self.mackerel is None:
                raise config_error("no_source")
            return self
        load_balancer = self.aws.load_balancer_arn
        groups = {f"fleets.{fleet}": self.fleets[fleet].target_groups for fleet in FLEETS}
        if self.releases:
            groups = {"releases": self.releases.target_groups} | groups
        for table, texts in groups.items():
            for position, text in enumerate(texts):
                group, key = Arn.parse(text), f"{table}.target_groups.{position}"
                if group is None:
                    raise config_error("arn_needed", given=text, at=key)
                if (group.region, group.account) != (load_balancer.region, load_balancer.account):
                    raise config_error(
                        "group_of_another_load_balancer",
                        given=text,
                        at=key,
                        found=f"{group.region}, {group.account}",
                        home=f"{load_balancer.region}, {load_balancer.account}",
                    )
        return self

    @model_validator(mode="after")
    def _check_criteria(self) -> Self:
        if len(self.own_criteria) > MAX_OWN_CRITERIA:
            raise config_error("too_many_criteria", at="criteria", given=len(self.own_criteria), limit=MAX_OWN_CRITERIA)
        metrics = [criterion.metric for criterion in self.criteria]
        for position, criterion in enumerate(self.criteria):
            key, threshold_s = f"criteria.{position}.metric", criterion.slow_threshold_s
            if criterion.metric in metrics[:position]:
                name = f"criteria.{position}.name" if criterion.is_own else key
                raise config_error("metric_twice", at=name, given=criterion.metric)
            if criterion.source == "cloudwatch" and self.aws is None and not self.demo:
                raise config_error("cloudwatch_without_aws", at=f"criteria.{position}.source")
            if threshold_s is not None and threshold_s not in self.slow_thresholds_s:
                raise config_error(
                    "threshold_not_asked", at=key, given=criterion.metric, threshold=format_threshold(threshold_s)
                )
        return self

    @model_validator(mode="after")
    def _check_optional_tables(self) -> Self:
        if self.batches and not self.batch_service and not self.demo:
            raise config_error("no_batch_service", at="batches.service")
        if self.notify and self.notify.sns_topic and self.aws is None:
            raise config_error("sns_without_aws", at="notify.sns_topic")
        if self.notify and self.notify.mackerel_key and not self.annotated_service:
            raise config_error("no_annotated_service", at="notify.mackerel_service")
        if self.access_logs and not (self.access_logs.path or self.aws or self.demo):
            raise config_error("no_logs_place", at="access_logs.path")
        return self

    @model_validator(mode="after")
    def _check_releases(self) -> Self:
        releases = self.releases
        if releases is None:
            return self
        if self.aws is None and not self.demo:
            raise config_error("releases_without_aws", at="releases")
        fleet = self.fleets[self.release_fleet]
        for name, key, given, configured in (
            ("service", "ecs_service", releases.service, fleet.ecs_service),
            ("codedeploy", "codedeploy", releases.codedeploy, fleet.codedeploy),
        ):
            if given and given != configured:
                raise config_error("another_service", at=f"releases.{name}", given=given, fleet="canary", key=key)
        if not (fleet.ecs_service or fleet.codedeploy):
            raise config_error("no_release_service", at="releases.service")
        return self

    @property
    def release_fleet(self) -> FleetName:
        """The fleet whose deployments are the releases: the one with the service of [releases], else the canary."""
        service = self.releases.service if self.releases else ""
        return "baseline" if service and service == self.fleets.baseline.ecs_service else "canary"

    @property
    def is_release_board(self) -> bool:
        """Whether there are no fleets to migrate between, only releases: [releases] without [fleets]."""
        return bool(self.releases and self.releases.target_groups and self.fleets == _fleets_of(self.releases))

    @property
    def region(self) -> str:
        """The AWS region, or ""."""
        return self.aws.region if self.aws else ""

    @property
    def batch_service(self) -> str:
        """The Mackerel service that the batches report to, or ""."""
        if self.batches is None:
            return ""
        return self.batches.service or (self.mackerel.service if self.mackerel else "")

    @property
    def annotated_service(self) -> str:
        """The Mackerel service that [notify] writes to, or ""."""
        of_metrics = self.mackerel.service if self.mackerel else ""
        return (self.notify.mackerel_service if self.notify else "") or of_metrics

    @property
    def labels(self) -> dict[FleetName, str]:
        """The label of each fleet."""
        return {fleet: self.fleets[fleet].label for fleet in FLEETS}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def since_s(self) -> int | None:
        """`since` in epoch seconds, at a whole minute; None: all that the sources retain. Of a release, its start."""
        if self.release:
            return self.release.window(self.release.start).start
        return int(datetime.combine(self.since, time.min, self.zone).timestamp()) // 60 * 60 if self.since else None

    @property
    def retention(self) -> Retention:
        return Retention(keep_s(self.keep), keep_s(self.keep_rollups))

    @property
    def is_over(self) -> bool:
        """Whether it is a release that has ended: weights, services and metrics of now are those of a later one."""
        return self.release is not None and self.release.end is not None

    @property
    def warm_up_s(self) -> int:
        """`warm_up` in seconds."""
        return parse_warm_up(self.warm_up) or 0

    @property
    def slug(self) -> str:
        """Its name in URLs and on the command line: letters, digits, "_" and "-"."""
        if self.release:
            return self.release.slug
        return slug_of(self.name) or "migration"

    @property
    def key(self) -> str:
        """The migration's unique name in the archive: its name, and its load balancer or Mackerel service."""
        if self.release:
            return self.release.key
        if self.aws:
            return f"{self.name} @ {self.aws.load_balancer_arn.dimension}"
        return f"{self.name} @ mackerel:{self.mackerel.service if self.mackerel else ''}"

    @property
    def own_criteria(self) -> tuple[Criterion, ...]:
        return tuple(criterion for criterion in self.criteria if criterion.is_own)

    def margin_of(self, metric: str) -> Margin | None:
        """The configured margin of a metric (`error_rate`, `latency_p95`, `slow_0.3s`, …), or None."""
        return next((criterion.margin for criterion in self.criteria if criterion.metric == metric), None)


def slug_of(name: str) -> str:
    """A name as in URLs and on the command line."""
    return re.sub(r"\W+", "-", name.casefold()).strip("-")


def _fleets_of(releases: Releases) -> Fleets:
    """The two target groups of a blue/green pair as fleets. The service is that of the second one, as it is of the canary in a migration."""
    blue, green = releases.names
    return Fleets(
        baseline=Fleet(label=blue, target_groups=releases.target_groups[:1]),
        canary=Fleet(
            label=green,
            target_groups=releases.target_groups[1:],
            ecs_service=releases.service,
            codedeploy=releases.codedeploy,
        ),
    )
