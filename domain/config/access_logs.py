"""What a configuration may say of access logs: where they lie, what is kept of them on this machine, and which routes go by a name of their own."""

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from domain.config.base import ConfigTable
from domain.config.errors import config_error

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Athena(ConfigTable):
    """What Athena may use to count: a `database` of its catalogue, a `workgroup`, and `output`, where in S3 results go if the workgroup does not say.

    `max_usd` is the most that one asking may cost by the estimate before it; `usd_per_tb` is what a terabyte read costs in the region.
    """

    database: str = "default"
    workgroup: str = "primary"
    output: str = ""
    max_usd: Annotated[float, Field(gt=0, le=100_000)] = 1
    usd_per_tb: Annotated[float, Field(gt=0, le=1000)] = 5  # https://aws.amazon.com/athena/pricing/, most regions

    @field_validator("database")
    @classmethod
    def _database(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z0-9_]{1,128}", name):
            raise config_error("not_a_database", given=name)
        return name

    @field_validator("workgroup")
    @classmethod
    def _workgroup(cls, name: str) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,128}", name):
            raise config_error("not_a_workgroup", given=name)
        return name

    @field_validator("output")
    @classmethod
    def _output(cls, url: str) -> str:
        found = re.fullmatch(r"s3://([^/]+)(/\S*)?", url)
        if url and not (found and _BUCKET.fullmatch(found[1])):
            raise config_error("not_an_output", given=url)
        return url


class AccessLogs(ConfigTable):
    """Where the load balancer's access logs are: `path` on this machine, or `bucket`, or else where the load balancer's own attributes say.

    `routes` are patterns that win over the automatic routes. `record`: whether they are counted as they come, and not only when somebody asks.
    """

    path: str = ""
    bucket: str = ""
    prefix: str = ""
    cache: Annotated[str, Field(min_length=1)] = "access-logs"
    cache_gb: Annotated[float, Field(ge=1, le=10_000)] = 5
    routes: tuple[str, ...] = ()
    max_routes: Annotated[int, Field(ge=1, le=5000)] = 500
    ingest: bool = False
    athena: Athena | None = None

    @field_validator("bucket")
    @classmethod
    def _bucket(cls, name: str) -> str:
        if name and not _BUCKET.fullmatch(name):
            raise config_error("not_a_bucket", given=name)
        return name

    @field_validator("routes")
    @classmethod
    def _routes(cls, routes: tuple[str, ...]) -> tuple[str, ...]:
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
