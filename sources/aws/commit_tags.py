"""The commits of task definitions, from a tag of AWS that [releases] names; each is read once from ECS."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sources.aws.calls import ApiSession, ClientProvider, Operation

MAX_DEPLOYMENTS = 50  # the newest ones, which the list of releases has

_OPERATIONS: Mapping[str, Operation] = {"DescribeTaskDefinition": Operation("tags")}


@dataclass(frozen=True, slots=True)
class CommitTags:
    """Reads the tag `key` for the source `source`. Without a key nothing is read."""

    key: str
    source: str
    client: ClientProvider
    _commits: dict[str, str] = field(default_factory=dict, init=False)  # by task definition

    def clear(self) -> None:
        self._commits.clear()

    def commit_of(self, session: ApiSession, task_definition: str) -> str:
        """The tag's value; "" without one, or if it could not be read, which is a problem of `session`."""
        if not self.key or not task_definition:
            return ""
        if task_definition not in self._commits:
            ecs = ApiSession(self.source, "ecs", _OPERATIONS, self.client, per_resource=True)
            tags = ecs.fetch_or_empty(
                "DescribeTaskDefinition", about=task_definition, taskDefinition=task_definition, include=["TAGS"]
            )
            for problem in ecs.problems:
                session.add_failure("DescribeTaskDefinition", problem)
            if ecs.has_failed("DescribeTaskDefinition"):
                return ""
            values = (tag.get("value", "") for tag in tags if tag.get("key") == self.key)
            self._commits[task_definition] = next(values, "")
        return self._commits[task_definition]
