"""[access_logs] and [access_logs.athena]: where the load balancer's access logs are, the local cache, route patterns, and the limits of Athena."""

import re
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from domain.config.base import ConfigTable, matches
from domain.config.errors import config_error

_BUCKET = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


class Athena(ConfigTable):
    """The Athena `database` and `workgroup`; `output` is the S3 URL for results, "" to use the workgroup's.

    A query whose estimated cost exceeds `max_usd` is not started; `usd_per_tb` is the region's price per TB scanned.
    """

    database: Annotated[str, matches("[a-z0-9_]{1,128}", "not_a_database")] = "default"
    workgroup: Annotated[str, matches("[a-zA-Z0-9._-]{1,128}", "not_a_workgroup")] = "primary"
    output: Annotated[str, matches(rf"(s3://{_BUCKET}(/\S*)?)?", "not_an_output")] = ""
    max_usd: Annotated[float, Field(gt=0, le=100_000)] = 1
    usd_per_tb: Annotated[float, Field(gt=0, le=1000)] = 5  # https://aws.amazon.com/athena/pricing/, most regions


class AccessLogs(ConfigTable):
    """The logs' location: a local `path`, or a `bucket` with `prefix`; if neither is set, the load balancer's attributes name the bucket.

    `routes` are patterns that take precedence over the automatic templates. `answers_differ`: routes whose answers differ on purpose. `zones`: the
    availability zone of each network of targets. `ingest`: count new logs continuously, not only on demand.
    """

    path: str = ""
    bucket: Annotated[str, matches(f"({_BUCKET})?", "not_a_bucket")] = ""
    prefix: str = ""
    cache: Annotated[str, Field(min_length=1)] = "access-logs"
    cache_gb: Annotated[float, Field(ge=1, le=10_000)] = 5
    routes: tuple[str, ...] = ()
    answers_differ: tuple[str, ...] = ()
    zones: dict[str, Annotated[str, matches("[a-z0-9-]{1,40}", "not_a_zone")]] = Field(default={})
    max_routes: Annotated[int, Field(ge=1, le=5000)] = 500
    ingest: bool = False
    athena: Athena | None = None

    @field_validator("zones")
    @classmethod
    def _check_zones(cls, zones: dict[str, str]) -> dict[str, str]:
        for network in zones:
            try:
                ip_network(network)
            except ValueError:
                raise config_error("not_a_network", given=network) from None
        return zones

    @field_validator("routes", "answers_differ")
    @classmethod
    def _check_routes(cls, routes: tuple[str, ...]) -> tuple[str, ...]:
        for route in routes:
            if not re.fullmatch(r"/[^\s?#]*", route):
                raise config_error("not_a_route", given=route)
            if routes.count(route) > 1:
                raise config_error("route_twice", given=route)
        return routes

    @model_validator(mode="after")
    def _check_location(self) -> Self:
        if self.path and self.bucket:
            raise config_error("path_and_bucket", given=self.path, bucket=self.bucket)
        if self.prefix and not self.bucket:
            raise config_error("prefix_without_bucket", given=self.prefix)
        if self.path and self.athena:
            raise config_error("athena_and_path", given=self.path)
        return self
