"""[releases]: the deployments of an ECS service, each of which is judged like a migration."""

import re

from pydantic import field_validator

from domain.arn import Arn
from domain.config.base import ConfigTable, Pair, parse_arn
from domain.config.errors import config_error
from domain.deployments import Outcome, PlannedShift
from domain.window import MINUTE_S, Window


class Releases(ConfigTable):
    """The ECS `service` ("": of the fleet canary), and the pair of `target_groups` (ARNs) between which its deployments shift the traffic.

    `codedeploy`: its deployment group, without [fleets]. `commit_url`: a link with {tag}, the tag of an image.
    `commit_tag`: a tag of task definitions whose value is used instead.
    """

    service: Pair = ""
    codedeploy: Pair = ""
    target_groups: tuple[str, ...] = ()
    commit_url: str = ""
    commit_tag: str = ""

    @field_validator("target_groups")
    @classmethod
    def _check_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for text in groups:
            parse_arn(text, "target group")
            if groups.count(text) > 1:
                raise config_error("group_twice", given=text)
        if len(groups) not in (0, 2):
            raise config_error("not_a_pair_of_groups", given=len(groups))
        return groups

    @field_validator("commit_url")
    @classmethod
    def _check_commit_url(cls, url: str) -> str:
        if url and (not re.fullmatch(r"https://[^\s{}]+/[^\s{}]*\{tag\}[^\s{}]*", url) or len(url) > 500):
            raise config_error("not_a_commit_url", given=url)
        return url

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the target groups."""
        return tuple(parse_arn(text, "target group").name for text in self.target_groups)

    @property
    def arns(self) -> tuple[Arn, ...]:
        return tuple(parse_arn(text, "target group") for text in self.target_groups)


class ReleaseSpan(ConfigTable):
    """The deployment that a migration was derived from: its slug, its key in the archive, its time (epoch seconds; None: it runs), and how it ended.

    `shift`: as it was configured; None if unknown.
    """

    id: str
    slug: str
    key: str
    start: int
    end: int | None = None
    outcome: Outcome = "running"
    shift: PlannedShift | None = None

    def window(self, now: int) -> Window:
        """Its whole minutes up to `now` (epoch seconds), at least one."""
        start = self.start - self.start % MINUTE_S
        end = now if self.end is None else min(self.end + -self.end % MINUTE_S, now)
        return Window(start, max(end - end % MINUTE_S, start + MINUTE_S))
