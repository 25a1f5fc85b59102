"""Releases: deployments of an ECS service, with the two revisions between which they shift the traffic."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.deployments import Deployment, DeploymentSystem, Outcome, PlannedShift, TaskSet
from domain.series import FleetName

# Why a release cannot be judged side by side.
ReleaseIssue = Literal["no_load_balancer", "not_parallel", "unknown_group", "revisions_unread"]
# Why the first hour after a rolling update is not compared with that after the release before.
HoursIssue = Literal["running", "no_release_before", "no_time_between", "other_weights"]
_COMMIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_TAG = re.compile(r"[^/]*:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})")


@dataclass(frozen=True, slots=True)
class Revision:
    """What one side of a release runs. `target_group`: its name; "" if none is known. `tag`: the configured one, or that of the first image that has one.

    `commit_url`: an https URL, or "". Other texts are external: escape them.
    """

    task_definition: str  # "web:42"; "" if unknown
    target_group: str
    images: tuple[str, ...] = ()
    tag: str = ""
    commit_url: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A deployment of `service` ("cluster/service", or CodeDeploy's "application/group"). Times are epoch seconds; `ended`: None while it runs.

    `reason`: why it failed or was rolled back, from AWS; "" without one. `shift`: None if it is a rolling update, or unknown.
    """

    id: str
    slug: str
    service: str
    fleet: FleetName
    system: DeploymentSystem
    started: int
    ended: int | None
    outcome: Outcome
    baseline: Revision
    canary: Revision
    link: str = ""
    reason: str = ""
    shift: PlannedShift | None = None

    @property
    def running(self) -> bool:
        return self.ended is None

    @property
    def is_parallel(self) -> bool:
        """Whether both revisions serve side by side, each with a target group of its own. Not in a rolling update."""
        return bool(self.baseline.target_group and self.canary.target_group) and (
            self.baseline.target_group != self.canary.target_group
        )


def revisions(deployment: Deployment, commit_url: str = "") -> tuple[Revision, Revision]:
    """The old and the new revision of a deployment. `commit_url`: with {tag}."""
    new = [task_set for task_set in deployment.task_sets if task_set.status == "target" or task_set.label == "Green"]
    old = [task_set for task_set in deployment.task_sets if task_set not in new]
    target = new[0].target_group if new else ""
    old.sort(key=lambda task_set: task_set.target_group in ("", target))  # there may be several old ones
    return (
        _revision(old, deployment.previous_task_definition, commit_url),
        _revision(new, deployment.task_definition, commit_url, deployment.commit),
    )


def _revision(task_sets: Sequence[TaskSet], task_definition: str, commit_url: str, commit: str = "") -> Revision:
    """`commit`: instead of the tag of an image, if it may be one."""
    if not task_sets:
        return Revision(task_definition, "")
    task_set = task_sets[0]
    tags = (commit if _COMMIT.fullmatch(commit) else "", *map(image_tag, task_set.container_images))
    tag = next(filter(None, tags), "")
    url = commit_url.replace("{tag}", tag) if tag else ""
    return Revision(
        task_set.task_definition or task_definition, task_set.target_group, task_set.container_images, tag, url
    )


def image_tag(image: str) -> str:
    """The tag of an image ("1a2b3c" of registry.example.com:5000/web:1a2b3c@sha256:…); "" if it has none."""
    match = _TAG.fullmatch(image.partition("@")[0].rpartition("/")[2])
    return match[1] if match else ""
