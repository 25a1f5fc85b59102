"""Releases: each deployment of the service as a migration of its own between its two revisions, and how it ended."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pandas as pd

from analysis import Phase
from archive import Archive, ArchiveError, ArchiveProblem, MetricsResult
from domain import Fleet, FleetName, Migration, Series, Window
from domain.config.models import Fleets, slug_of
from domain.config.releases import ReleaseSpan
from domain.deployments import Deployment
from domain.frame import concat_frames
from domain.releases import HoursIssue, Release, ReleaseIssue, Revision, revisions
from domain.series import is_request_count
from domain.window import DAY_S, HOUR_S, MINUTE_S
from services.evaluation import Evaluation, build_evaluation, evaluate_archived
from services.fleet_requests import constant_share
from services.parity import judge_result
from services.phases import read_phases

FIRST_HOUR_S = HOUR_S
COLLECTED_S = 14 * DAY_S  # CloudWatch keeps minutes for 15 days


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release at `read_at`. `evaluation`: of both revisions side by side, over the whole release; None with an `issue` or a `problem`.

    `is_loading`: its minutes are still being fetched, so that a verdict on those of now may be another one when all are there.
    `same_weight`: without parallel serving, its first hour against that of the release before, or why they are not compared.
    """

    release: Release
    read_at: datetime
    evaluation: Evaluation | None = None
    issue: ReleaseIssue | None = None
    same_weight: "SameWeight | HoursIssue | None" = None
    problem: ArchiveProblem | None = None
    is_loading: bool = False


@dataclass(frozen=True, slots=True)
class ComparedHours:
    """The release before one, and the first hour after each, at the same weights; less if another release began within it."""

    before: Release
    old: Window
    new: Window


@dataclass(frozen=True, slots=True)
class SameWeight:
    """The comparison of `hours`: weaker evidence than two revisions side by side, as whatever else differs between the hours is in it."""

    hours: ComparedHours
    evaluation: Evaluation


def read_releases(archive: Archive, migration: Migration, *, now: datetime) -> tuple[Release, ...]:
    """The releases known to the archive of `migration`, the newest first: also those that AWS does not list any more. Raises ArchiveError.

    A rollback by CodeDeploy is a deployment of its own, but no release: it is the outcome of the one that it reverts.
    """
    if migration.releases is None:
        return ()
    deployments = archive.events.deployments()
    return tuple(
        _release(migration, deployment)
        for deployment in deployments
        if deployment.fleet == migration.release_fleet
        and not deployment.is_rollback
        and deployment.created <= now.timestamp()
    )


def _release(migration: Migration, deployment: Deployment) -> Release:
    fleet = migration.fleets[deployment.fleet]
    baseline, canary = revisions(deployment, migration.releases.commit_url if migration.releases else "")
    ended = None if deployment.running else max(deployment.ended or deployment.created, deployment.created)
    at = datetime.fromtimestamp(deployment.created, UTC)
    slug = slug_of(f"{migration.slug} {canary.task_definition or 'release'} {at:%Y%m%d %H%M%S}")
    return Release(
        deployment.id,
        slug,
        fleet.codedeploy if deployment.system == "codedeploy" else fleet.ecs_service,
        deployment.fleet,
        deployment.system,
        deployment.created,
        ended,
        deployment.outcome,
        baseline,
        canary,
        deployment.link,
        deployment.reason or deployment.error,
        deployment.shift,
    )


def collected_releases(archive: Archive, migration: Migration, *, now: datetime) -> Iterator[Migration]:
    """The migrations of the releases that can be judged side by side and run or ended in the last COLLECTED_S, the newest first.

    Raises ArchiveError.
    """
    for release in read_releases(archive, migration, now=now):
        is_recent = release.ended is None or release.ended > now.timestamp() - COLLECTED_S
        if is_recent and release_issue(migration, release) is None:
            yield release_migration(migration, release)


def release_issue(migration: Migration, release: Release) -> ReleaseIssue | None:
    """Why no migration can be derived from a release; None if one can."""
    groups = [release.baseline.target_group, release.canary.target_group]
    if not release.canary.task_definition and not any(groups):
        return "revisions_unread"
    if not any(groups):
        return "no_load_balancer"
    if not release.is_parallel:
        return "not_parallel"
    return None if set(groups) <= _group_texts(migration).keys() else "unknown_group"


def release_migration(migration: Migration, release: Release) -> Migration:
    """The migration from the old revision to the new one. Raises ValueError if `release_issue` has one.

    It has the sources and the criteria of `migration` but for what belongs to its fleets: the rule, criteria of one's own, batches.
    """
    if issue := release_issue(migration, release):
        raise ValueError(issue)
    service = migration.fleets[release.fleet]
    labels = _labels(release)
    groups = _group_texts(migration)

    def fleet(name: FleetName, revision: Revision) -> Fleet:
        return Fleet(label=labels[name], target_groups=(groups[revision.target_group],))

    canary = fleet("canary", release.canary)
    canary = canary.model_copy(update={"ecs_service": service.ecs_service, "codedeploy": service.codedeploy})
    span = ReleaseSpan(
        id=release.id,
        slug=release.slug,
        key=f"{migration.key} / {release.id}",
        start=release.started,
        end=release.ended,
        outcome=release.outcome,
        shift=release.shift,
    )
    logs = migration.access_logs
    return migration.model_copy(
        update={
            "name": f"{migration.name} · {labels['canary']}",
            "fleets": Fleets(baseline=fleet("baseline", release.baseline), canary=canary),
            "aws": migration.aws and migration.aws.model_copy(update={"rule": "", "cloudtrail": False}),
            "criteria": tuple(criterion for criterion in migration.criteria if not criterion.is_own),
            "access_logs": logs and logs.model_copy(update={"ingest": False}),
            "batches": None,
            "releases": None,
            "release": span,
        }
    )


def _labels(release: Release) -> dict[FleetName, str]:
    """The task definitions; with the target groups if both are the same, or if one is unknown."""
    names = [release.baseline.task_definition, release.canary.task_definition]
    groups = [release.baseline.target_group, release.canary.target_group]
    if names[0] == names[1] or not all(names):
        names = [f"{name} ({group})".strip() for name, group in zip(names, groups, strict=True)]
    return {"baseline": names[0], "canary": names[1]}


def _group_texts(migration: Migration) -> dict[str, str]:
    """The configured target groups (ARNs; names without [aws]) by name."""
    fleets = (migration.fleets.baseline, migration.fleets.canary)
    texts = {name: text for fleet in fleets for name, text in zip(fleet.names, fleet.target_groups, strict=True)}
    releases = migration.releases
    return texts | dict(zip(releases.names, releases.target_groups, strict=True) if releases else ())


def read_release_row(
    archive: Archive, migration: Migration, source: str, release: Release, *, now: datetime
) -> ReleaseRow:
    """The row of a release by what is archived of `source`. `archive`: of `migration`."""
    try:
        issue = release_issue(migration, release)
        if issue is None:
            derived = release_migration(migration, release)
            own = archive.of(derived)
            if _is_loading(own, derived, source, now):
                return ReleaseRow(release, now, is_loading=True)
            phase = read_phases(own, source, now=now)[-1]
            return ReleaseRow(release, now, evaluate_archived(own, derived, source, phase, now=now))
        if issue == "not_parallel":
            return ReleaseRow(
                release,
                now,
                issue=issue,
                same_weight=same_weight_comparison(archive, migration, source, release, now=now),
            )
        return ReleaseRow(release, now, issue=issue)
    except ArchiveError as error:
        return ReleaseRow(release, now, problem=error.problem)


def _is_loading(archive: Archive, migration: Migration, source: str, now: datetime) -> bool:
    """Whether minutes of a release are still to be fetched: of one that runs all, of one that ended any. Raises ArchiveError."""
    release = migration.release
    if release is None or (release.end is not None and release.end <= now.timestamp() - COLLECTED_S):
        return False
    window = release.window(int(now.timestamp()))
    result = archive.metrics.read(window, source, now=now, series_filter=is_request_count)
    if not result.missing or (release.end is None and result.data_until is not None):
        return False
    states = archive.events.source_states()
    return not any(state.source == source and state.state in ("down", "denied") for state in states)


def same_weight_comparison(
    archive: Archive, migration: Migration, source: str, release: Release, *, now: datetime
) -> SameWeight | HoursIssue:
    """The first hour of a release against that of the release before it, or why there is no such hour of both. Raises ArchiveError."""
    hours = compared_hours(archive, migration, release, now=now)
    if not isinstance(hours, ComparedHours):
        return hours
    before, old, new = hours.before, hours.old, hours.new
    shift_s = new.start - old.start
    results = [
        _as_fleet(archive.metrics.read(old, source, now=now), before.canary.target_group, "baseline", shift_s),
        _as_fleet(archive.metrics.read(new, source, now=now), release.canary.target_group, "canary", 0),
    ]
    result = replace(
        results[1],
        frame=concat_frames([item.frame for item in results]).sort_values("ts", kind="stable", ignore_index=True),
        unknown={series: gaps for item in results for series, gaps in item.unknown.items()},
        requests={series: known for item in results for series, known in item.requests.items()},
    )
    compared = _compared(migration, before.canary.task_definition, release.canary.task_definition)
    judged = judge_result(compared, source, result, now=now)
    phase = Phase(new, None, "deployment", judged=new, number=1)
    return SameWeight(hours, build_evaluation(judged, compared, source, phase=phase))


def compared_hours(
    archive: Archive, migration: Migration, release: Release, *, now: datetime
) -> ComparedHours | HoursIssue:
    """The first hours of `release` and of the one before it, or why they are not compared. Raises ArchiveError."""
    if release.ended is None or release.ended >= now.timestamp() // MINUTE_S * MINUTE_S:
        return "running"
    before = _release_before(archive, migration, release, now=now)
    if before is None or before.ended is None:
        return "no_release_before"
    length_s = min(FIRST_HOUR_S, (release.started - before.ended) // MINUTE_S * MINUTE_S)
    if length_s <= 0:
        return "no_time_between"
    old, new = (_first_window(ended, length_s) for ended in (before.ended, release.ended))
    return ComparedHours(before, old, new) if _has_same_weights(archive, old, new) else "other_weights"


def _has_same_weights(archive: Archive, old: Window, new: Window) -> bool:
    """Whether no weight changed in either, and the canary's configured share is the same, or unknown as without weights."""
    changes = archive.events.weight_changes()
    is_constant = not any(window.start < change.ts < window.end for window in (old, new) for change in changes)
    return is_constant and constant_share(archive, old) == constant_share(archive, new)


def _release_before(archive: Archive, migration: Migration, release: Release, *, now: datetime) -> Release | None:
    """The last one that had succeeded when `release` started."""
    known = read_releases(archive, migration, now=now)
    ended = (
        item for item in known if item.outcome == "succeeded" and (item.ended or release.started) < release.started
    )
    return max(ended, key=lambda item: item.ended or 0, default=None)


def _as_fleet(result: MetricsResult, group: str, name: FleetName, shift_s: int) -> MetricsResult:
    """What `result` has of a target group, as that of the fleet `name`, `shift_s` later."""

    def renamed(series: Series) -> Series:
        return replace(series, fleet=name)

    rows = result.frame[result.frame["target_group"] == group]
    labels = pd.Categorical([name] * len(rows), categories=rows["fleet"].cat.categories)
    moved = rows.assign(fleet=labels, ts=rows["ts"] + pd.Timedelta(seconds=shift_s))
    return replace(
        result,
        frame=moved,
        unknown={
            renamed(series): tuple(_moved(gap, shift_s) for gap in gaps)
            for series, gaps in result.unknown.items()
            if series.target_group == group
        },
        requests={
            renamed(series): replace(
                known,
                unanswered=tuple(_moved(gap, shift_s) for gap in known.unanswered),
                failed=tuple(_moved(gap, shift_s) for gap in known.failed),
            )
            for series, known in result.requests.items()
            if series.target_group == group
        },
    )


def _moved(window: Window, shift_s: int) -> Window:
    return Window(window.start + shift_s, window.end + shift_s)


def _compared(migration: Migration, before: str, after: str) -> Migration:
    """The migration with the task definitions of two releases as labels, and without the criteria of its own fleets."""
    baseline, canary = migration.fleets.baseline, migration.fleets.canary
    fleets = Fleets(
        baseline=baseline.model_copy(update={"label": before}), canary=canary.model_copy(update={"label": after})
    )
    criteria = tuple(criterion for criterion in migration.criteria if not criterion.is_own)
    return migration.model_copy(
        update={"name": f"{migration.name} · {after}", "fleets": fleets, "criteria": criteria, "releases": None}
    )


def _first_window(ended: int, length_s: int) -> Window:
    start = ended + -ended % MINUTE_S
    return Window(start, start + length_s)
