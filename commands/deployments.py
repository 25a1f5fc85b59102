"""`deployments`: how services stand, what is being deployed, whether a deployment could start, and whether all traffic could be taken back."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.deployments.health import DeploymentIssue, deployment_issues, stage_started_at
from analysis.deployments.preflight import Preflight, preflights
from analysis.deployments.rollback import RollbackReadiness, rollback_readiness
from archive import Archive
from collector.collector import Collector
from commands.shared.context import poll_events
from commands.shared.output import BAD, FAINT, GOOD, WARN, iso_time, message_lines, plain, problem_json, title
from domain import FLEETS, Clock, FleetName, Migration, Traffic, Window
from domain.deployments import Deployment, DeploymentState, EcsService, traffic_shift
from messages import deployments as words
from messages import times
from messages.errors import sources as problems
from services.rollback import fleet_load, max_load_per_target
from sources.base import MetricSource, Problem
from sources.registry import Sources

FINDING_SIGNS = {True: "✔", False: "✘", None: "?"}
REFRESH_MINUTES = 60  # brought up to date first, so that the loads are of now
MAX_MESSAGES = 3


@dataclass(frozen=True, slots=True)
class DeploymentsReport:
    """Everything that the command shows at `now`. `problems` are what kept ECS or CodeDeploy from telling all."""

    now: datetime
    state: DeploymentState | None
    preflights: tuple[Preflight, ...]
    rollback: RollbackReadiness | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether a service or deployment was read, nothing is the matter with any, and the traffic could be taken back for all that is known."""
        return bool(
            self.state
            and not any(found for *_, found in _fleet_deployments(self.state, self.now))
            and not (self.rollback and self.rollback.verdict == "impossible")
        )


def read_deployments(
    archive: Archive, keeper: Collector, sources: Sources, metrics: MetricSource, migration: Migration, *, clock: Clock
) -> DeploymentsReport:
    """What is due is asked and kept, and everything read from the archive. Raises ArchiveError."""
    poll_events(archive, keeper, sources)
    now = clock()
    archive.metrics.get(Window.last(REFRESH_MINUTES, now=now), metrics, now=now)
    standing, seen = archive.events.deployment_state(), archive.events.latest_traffic()
    traffic: Traffic | None = seen[0] if seen else None
    until = int(now.timestamp()) // 60 * 60 - migration.provisional_minutes * 60
    most = max_load_per_target(archive, migration, metrics.name, until=until)
    carried = fleet_load(archive, metrics.name, until=until, max_load=most)
    telling = {source.name for source in sources.events} & {"ecs", "codedeploy"}
    return DeploymentsReport(
        now,
        standing,
        preflights(traffic, standing) if traffic else (),
        rollback_readiness(traffic, carried) if traffic else None,
        tuple(
            problem for state in archive.events.source_states() if state.source in telling for problem in state.problems
        ),
    )


def deployments_json(migration: Migration, report: DeploymentsReport) -> dict[str, Any]:
    standing = report.state
    return {
        "ok": report.ok,
        "migration": migration.name,
        "demo": migration.demo,
        "asked_at": iso_time(standing.asked_at) if standing else None,
        "services": [asdict(one) for one in standing.services] if standing else [],
        "deployments": [{**asdict(one), "outcome": one.outcome, "running": one.running} for one in standing.deployments]
        if standing
        else [],
        "troubles": [
            {"fleet": fleet, "slug": slug}
            for fleet, _, _, slugs in (_fleet_deployments(standing, report.now) if standing else ())
            for slug in slugs
        ],
        "preflights": [
            {
                "fleet": one.fleet,
                "system": one.system,
                "verdict": one.verdict,
                "text": words.preflight(one),
                "findings": [asdict(finding) for finding in one.checks],
                "meanwhile": one.interim_fleet,
                "steps": [asdict(step) for step in one.steps],
            }
            for one in report.preflights
        ],
        "take_back": {**asdict(report.rollback), "text": words.rollback_readiness(report.rollback, migration)}
        if report.rollback
        else None,
        "problems": [problem_json(problem) for problem in report.problems],
    }


def deployments_table(migration: Migration, report: DeploymentsReport) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    for _, service, deployment, slugs in _fleet_deployments(report.state, report.now) if report.state else ():
        parts += [*_service(service), *_deployment(service, deployment, report.now)]
        for slug in slugs:
            stage_s = int(report.now.timestamp()) - stage_started_at(deployment) if deployment else 0
            parts.append(plain(words.deployment_issue(slug, service, deployment, stage_s=stage_s), BAD))
        parts.append(Text())
    if not report.state:
        parts += [Text(words.NOTHING_READ(), WARN), Text()]
    for one in report.preflights:
        parts.append(plain(words.preflight(one), {"ready": GOOD, "blocked": WARN, "unknown": ""}[one.verdict]))
        parts += [
            Padding(plain(f"{FINDING_SIGNS[finding.passed]} {words.finding(finding, one)}"), (0, 0, 0, 2))
            for finding in one.checks
        ]
    if report.rollback:
        colour = {"ready": GOOD, "unproven": WARN, "impossible": BAD, "unknown": ""}[report.rollback.verdict]
        parts.append(plain(words.rollback_readiness(report.rollback, migration), colour))
    parts += [message_lines(problems.format_problem(problem)) for problem in report.problems]
    return Group(*parts)


def _service(service: EcsService | None) -> list[RenderableType]:
    if service is None:
        return []
    facts = [
        words.counts(service),
        words.task_definition(service),
        words.strategy(service.strategy),
        words.rollout(service),
    ]
    line = plain(service.name, "bold")
    for fact in facts:
        line.append("  ·  " if fact else "").append_text(plain(fact))
    return [line, *(plain(f"  {one.text}", FAINT) for one in service.events[:MAX_MESSAGES])]


def _deployment(service: EcsService | None, deployment: Deployment | None, now: datetime) -> list[RenderableType]:
    if deployment is None:
        return []
    at = stage_started_at(deployment) if deployment.running else deployment.ended or deployment.created
    lines = [plain(words.latest(deployment, age=times.ago(datetime.fromtimestamp(at, UTC), now=now)))]
    shift = traffic_shift(service, deployment) if deployment.running else ()
    if shift:
        told = " → ".join(words.shift_part(part.target_group, part.task_definition, part.percent) for part in shift)
        lines.append(plain(f"{words.TRAFFIC_SHIFT_TITLE()}: {told}"))
    return [*lines]


def aws_commands(migration: Migration, report: DeploymentsReport) -> str:
    """The commands, each under what it is for, to be printed as they are: one that was wrapped or cut to the terminal's width could not be copied."""
    every = [(words.purpose(step.purpose), step.command) for one in report.preflights for step in one.steps]
    if report.rollback and report.rollback.reason not in ("all_there", "not_in_rule"):
        every.append((words.rollback_command_title(migration), report.rollback.command))
    if not every:
        return ""
    lines = [
        "",
        words.NEVER_RUN(),
        *(words.commands_intro(one, migration) for one in report.preflights if one.interim_fleet),
    ]
    for name, command in every:
        lines += ["", f"# {name}", command or f"# {words.COMMAND_NOT_AVAILABLE()}"]
    return "".join(letter for letter in "\n".join(lines) if letter == "\n" or letter.isprintable())


def _fleet_deployments(
    state: DeploymentState, now: datetime
) -> list[tuple[FleetName, EcsService | None, Deployment | None, tuple[DeploymentIssue, ...]]]:
    """Each fleet's service and newest deployment, with what is the matter."""
    at = int(now.timestamp())
    both = [(fleet, state.service(fleet), state.latest(fleet)) for fleet in FLEETS]
    known = [one for one in both if one[1] or one[2]]
    return [(fleet, service, latest, deployment_issues(service, latest, now=at)) for fleet, service, latest in known]
