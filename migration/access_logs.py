"""What a configuration may say of access logs: where they lie, what is kept of them on this machine, and which routes go by a name of their own."""

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from migration.mistakes import wrong
from migration.table import Table

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class AccessLogs(Table):
    """Where the load balancer's access logs are: `path` on this machine, or `bucket`, or else where the load balancer's own attributes say.

    `routes` are patterns that win over the automatic routes. `record`: whether they are counted as they come, and not only when somebody asks.
    """

    path: str = ""
    bucket: str = ""
    prefix: str = ""
    cache: Annotated[str, Field(min_length=1)] = "access-logs"
    cache_gb: Annotated[float, Field(ge=0.2, le=10_000)] = 5
    routes: tuple[str, ...] = ()
    most_routes: Annotated[int, Field(ge=1, le=5000)] = 500
    record: bool = False

    @field_validator("bucket")
    @classmethod
    def _bucket(cls, name: str) -> str:
        if name and not _BUCKET.fullmatch(name):
            raise wrong("not_a_bucket", given=name)
        return name

    @field_validator("routes")
    @classmethod
    def _routes(cls, routes: tuple[str, ...]) -> tuple[str, ...]:
        for route in routes:
            if not re.fullmatch(r"/[^\s?#]*", route):
                raise wrong("not_a_route", given=route)
            if routes.count(route) > 1:
                raise wrong("route_twice", given=route)
        return routes

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path and self.bucket:
            raise wrong("path_and_bucket", given=self.path, bucket=self.bucket)
        if self.prefix and not self.bucket:
            raise wrong("prefix_without_bucket", given=self.prefix)
        return self
