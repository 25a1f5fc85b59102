"""`releases`: the releases of a service, the newest first, each with its decision and outcome."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from commands.shared import startup
from commands.shared.context import CommandContext, open_context
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName, Source
from commands.shared.output import echo, plain, problem_lines, title
from commands.shared.styles import BAD, DECISION_STYLES, FAINT, WARN
from domain import Migration
from domain.releases import Release
from messages import decision
from messages import releases as text
from reports.formats import local_minute
from reports.judgement_json import decision_json, iso_time, migration_json, pick, problems_json, window_json
from reports.releases import not_judged
from services.evaluation import Evaluation
from services.releases import (
    ComparedHours,
    ReleaseRow,
    SameWeight,
    compared_hours,
    read_release_row,
    read_releases,
    release_issue,
    release_migration,
)
from sources.base import Problem

DEPLOYMENT_SOURCES = frozenset({"ecs", "codedeploy"})


@dataclass(frozen=True, slots=True)
class ReleasesReport:
    """The rows of the newest releases at `now`, and the problems of ECS and CodeDeploy."""

    now: datetime
    rows: tuple[ReleaseRow, ...]
    problems: tuple[Problem, ...]


def releases(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    source: Source = "",
    last: Annotated[int, typer.Option("--last", min=1, max=100, help=str(text.LAST))] = 10,
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json) as context:
        if context.migration.releases is None:
            raise typer.BadParameter(str(text.NOT_CONFIGURED), param_hint="--migration")
        report = _read(context, last)
    migration = context.migration
    echo(releases_json(migration, report) if as_json else releases_table(migration, report))
    raise typer.Exit(1 if report.problems else 0)


def _read(context: CommandContext, last: int) -> ReleasesReport:
    """Polls what is due, then reads the archive. Raises ArchiveError."""
    context.poll_events()
    archive, migration, source, now = context.archive, context.migration, context.metrics.name, startup.now()
    rows = []
    for release in read_releases(archive, migration, now=now)[:last]:
        _fetch(context, release, now)
        rows.append(read_release_row(archive, migration, source, release, now=now))
    problems = context.problems_where(lambda state: state.source in DEPLOYMENT_SOURCES)
    return ReleasesReport(now, tuple(rows), problems)


def _fetch(context: CommandContext, release: Release, now: datetime) -> None:
    """Fetches what the row of a release needs, unless it is archived."""
    archive, migration, issue = context.archive, context.migration, release_issue(context.migration, release)
    if issue is None:
        derived = release_migration(migration, release)
        metrics = {source.name: source for source in startup.open_sources(derived).metrics}
        if derived.release and context.metrics.name in metrics:
            window = derived.release.window(int(now.timestamp()))
            archive.of(derived).metrics.fill(window, metrics[context.metrics.name], now=now)
    elif issue == "not_parallel":
        hours = compared_hours(archive, migration, release, now=now)
        for window in (hours.old, hours.new) if isinstance(hours, ComparedHours) else ():
            archive.metrics.fill(window, context.metrics, now=now)


def releases_json(migration: Migration, report: ReleasesReport) -> dict[str, Any]:
    return {
        "ok": not report.problems,
        **migration_json(migration),
        "releases": [_row_json(row) for row in report.rows],
        "problems": problems_json(report.problems),
    }


def _row_json(row: ReleaseRow) -> dict[str, Any]:
    release = row.release
    return {
        **pick(release, "id", "slug", "service", "system", "outcome", "reason", "link"),
        "started": iso_time(release.started),
        "ended": iso_time(release.ended),
        "baseline": asdict(release.baseline),
        "canary": asdict(release.canary),
        "shift": asdict(release.shift) if release.shift else None,
        "issue": row.issue,
        "evaluation": _evaluation_json(row.evaluation) if row.evaluation else None,
        "same_weight": _same_weight_json(row.same_weight) if isinstance(row.same_weight, SameWeight) else None,
        "same_weight_issue": row.same_weight if isinstance(row.same_weight, str) else None,
    }


def _same_weight_json(compared: SameWeight) -> dict[str, Any]:
    """Without a decision: weaker evidence is none."""
    hours, evaluation = compared.hours, compared.evaluation
    return {
        "evidence": "weaker",
        "verdict": None if evaluation.unavailable else evaluation.judgement.verdict,
        "criteria": {item.criterion.name: item.verdict for item in evaluation.judgement.criteria},
        "before": hours.before.slug,
        "windows": {"baseline": window_json(hours.old), "canary": window_json(hours.new)},
    }


def _evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    verdict = None if evaluation.unavailable else evaluation.judgement.verdict
    return {"verdict": verdict, **decision_json(evaluation)}


def _decided(row: ReleaseRow) -> str:
    """The decision, or why there is none."""
    if row.evaluation:
        return decision.title(row.evaluation.decision)
    return not_judged(row)


def releases_table(migration: Migration, report: ReleasesReport) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    table = FittingTable(*map(str, text.HEAD))
    for row in report.rows:
        release = row.release
        style = DECISION_STYLES[row.evaluation.decision.decision] if row.evaluation else FAINT
        table.add_row(
            Text(local_minute(migration, release.started)),
            plain(text.revisions(release)),
            plain(text.outcome(release), BAD if release.outcome in ("failed", "rolled_back") else ""),
            plain(_decided(row), style),
            plain(release.canary.commit_url or release.canary.tag),
            plain("" if row.issue else release.slug),
        )
    parts.append(table if report.rows else Text(str(text.NONE_KNOWN), WARN))
    return Group(*parts, *problem_lines(report.problems))
