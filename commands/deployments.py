"""`deployments`: services, deployments, whether a deployment could start, and whether the baseline could take all traffic."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.deployments.health import stage_started_at
from analysis.deployments.preflight import Preflight
from analysis.deployments.rollback import RollbackReadiness
from analysis.deployments.waits import WaitingDeployment
from commands.shared import startup
from commands.shared.context import CommandContext, open_context
from commands.shared.options import Config, Demo, Json, MigrationName, Source
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from commands.shared.waits import wait_commands, wait_lines, waits_json
from domain import Migration, Window
from domain.deployments import EcsService, traffic_shift
from messages import deployments as text
from messages import times
from reports.judgement_json import iso_time, migration_json, pick, problems_json
from services.deployments import DeploymentsView, FleetDeployment, deployments_view, fleet_deployments, waits_now
from services.freshness import provisional_from
from services.rollback import fleet_load
from sources.base import Problem

CHECK_SIGNS = {True: "✔", False: "✘", None: "?"}
REFRESH_MINUTES = 60  # fetched first, so that the load is current
MAX_EVENTS = 3


@dataclass(frozen=True, slots=True)
class DeploymentsReport:
    """The view at `now`, and the problems of ECS and CodeDeploy."""

    now: datetime
    view: DeploymentsView
    problems: tuple[Problem, ...]
    waits: tuple[WaitingDeployment, ...] = ()

    @property
    def fleets(self) -> tuple[FleetDeployment, ...]:
        return fleet_deployments(self.view.state, now=int(self.now.timestamp()))

    @property
    def ok(self) -> bool:
        """A service or deployment is known, none has an issue, and a rollback is not impossible."""
        rollback = self.view.rollback
        impossible = rollback is not None and rollback.verdict == "impossible"
        return bool(self.view.state and not any(fleet.issues for fleet in self.fleets) and not impossible)


def deployments(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    source: Source = "",
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json) as context:
        report = read_deployments(context)
    migration = context.migration
    echo(deployments_json(migration, report) if as_json else deployments_table(migration, report))
    if not as_json:
        echo_text(aws_commands(migration, report.view, report.waits))
    raise typer.Exit(0 if report.ok else 1)


def read_deployments(context: CommandContext) -> DeploymentsReport:
    """Polls what is due, then reads the archive. Raises ArchiveError."""
    archive, migration, metrics = context.archive, context.migration, context.metrics
    context.poll_events()
    now = startup.now()
    archive.metrics.get(Window.last(REFRESH_MINUTES, now=now), metrics, now=now)
    latest = archive.events.latest_traffic()
    load = fleet_load(archive, migration, metrics.name, until=provisional_from(migration, now.timestamp()))
    traffic, state = latest[0] if latest else None, archive.events.deployment_state()
    view = deployments_view(migration, state, traffic, load, now=int(now.timestamp()))
    names = {source.name for source in context.sources.events} & {"ecs", "codedeploy"}
    problems = context.problems_where(lambda state: state.source in names)
    return DeploymentsReport(now, view, problems, waits_now(migration, state))


def deployments_json(migration: Migration, report: DeploymentsReport) -> dict[str, Any]:
    state, rollback = report.view.state, report.view.rollback
    return {
        "ok": report.ok,
        **migration_json(migration),
        "asked_at": iso_time(state.asked_at) if state else None,
        "services": [asdict(service) for service in state.services] if state else [],
        "deployments": [
            {**asdict(deployment), "outcome": deployment.outcome, "running": deployment.running}
            for deployment in (state.deployments if state else ())
        ],
        "waits": waits_json(migration, report.waits, now=report.now),
        "issues": [{"fleet": fleet.fleet, "code": issue} for fleet in report.fleets for issue in fleet.issues],
        "preflights": [_preflight_json(preflight) for preflight in report.view.preflights],
        "rollback": _rollback_json(migration, rollback) if rollback else None,
        "problems": problems_json(report.problems),
    }


def _rollback_json(migration: Migration, rollback: RollbackReadiness) -> dict[str, Any]:
    unchanged = [pick(rule, "arn", "listener", "priority") for rule in rollback.unchanged_rules]
    return {**asdict(rollback), "unchanged_rules": unchanged, "text": text.rollback_readiness(rollback, migration)}


def _preflight_json(preflight: Preflight) -> dict[str, Any]:
    return {
        **pick(preflight, "fleet", "system", "verdict", "interim_fleet"),
        "text": text.preflight(preflight),
        "checks": [asdict(check) for check in preflight.checks],
        "steps": [asdict(step) for step in preflight.steps],
    }


def deployments_table(migration: Migration, report: DeploymentsReport) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    for fleet in report.fleets:
        parts += [*_service(fleet.service), *_deployment(fleet, report.now)]
        waits = (item for item in report.waits if item.deployment.fleet == fleet.fleet)
        parts += wait_lines(migration, waits, now=report.now)
        for issue in fleet.issues:
            if issue == "waits":  # has a line of its own
                continue
            sentence = text.deployment_issue(issue, fleet.service, fleet.deployment, stage_s=fleet.stage_s)
            parts.append(plain(sentence, BAD))
        parts.append(Text())
    if not report.view.state:
        parts += [Text(str(text.NOTHING_READ), WARN), Text()]
    for preflight in report.view.preflights:
        style = {"ready": GOOD, "blocked": WARN, "unknown": ""}[preflight.verdict]
        parts.append(plain(text.preflight(preflight), style))
        for check in preflight.checks:
            line = plain(f"{CHECK_SIGNS[check.passed]} {text.finding(check)}")
            parts.append(Padding(line, (0, 0, 0, 2)))
    if rollback := report.view.rollback:
        style = {"ready": GOOD, "unproven": WARN, "impossible": BAD, "unknown": ""}[rollback.verdict]
        parts.append(plain(text.rollback_readiness(rollback, migration), style))
    return Group(*parts, *problem_lines(report.problems))


def _service(service: EcsService | None) -> list[RenderableType]:
    if service is None:
        return []
    line = plain(service.name, "bold")
    facts = text.counts(service), text.task_definition(service), text.strategy(service.strategy), text.rollout(service)
    for fact in facts:
        line.append("  ·  " if fact else "").append_text(plain(fact))
    return [line, *(plain(f"  {event.text}", FAINT) for event in service.events[:MAX_EVENTS])]


def _deployment(fleet: FleetDeployment, now: datetime) -> list[RenderableType]:
    deployment = fleet.deployment
    if deployment is None:
        return []
    changed_at = stage_started_at(deployment) if deployment.running else deployment.ended or deployment.created
    age = times.ago(datetime.fromtimestamp(changed_at, UTC), now=now)
    lines: list[RenderableType] = [plain(text.latest(deployment, age=age))]
    shift = traffic_shift(fleet.service, deployment) if deployment.running else ()
    if shift:
        parts = " → ".join(text.shift_part(part.target_group, part.task_definition, part.percent) for part in shift)
        lines.append(plain(f"{text.TRAFFIC_SHIFT_TITLE}: {parts}"))
    return lines


def aws_commands(migration: Migration, view: DeploymentsView, waits: Sequence[WaitingDeployment] = ()) -> str:
    """The AWS commands with their purposes, not wrapped, so that they can be copied from any terminal."""
    commands = wait_commands(waits)
    commands += [(str(text.PURPOSES[step.purpose]), step.command) for item in view.preflights for step in item.steps]
    if view.rollback and view.rollback.reason not in ("all_on_baseline", "not_in_rule"):
        commands.append((text.rollback_command_title(view.rollback, migration), view.rollback.command))
    if not commands:
        return ""
    intros = (text.commands_intro(item, migration) for item in view.preflights if item.interim_fleet)
    keep_action = [str(text.KEEP_ACTION)] if any(item.deployment.system == "ecs" for item in waits) else []
    lines = ["", str(text.NEVER_RUN), *keep_action, *intros]
    for purpose, command in commands:
        lines += ["", f"# {purpose}", command or f"# {text.COMMAND_NOT_AVAILABLE}"]
    return "".join(letter for letter in "\n".join(lines) if letter == "\n" or letter.isprintable())
