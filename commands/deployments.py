"""`deployments`: how services stand, what is being deployed, whether a deployment could start, and whether all traffic could be taken back."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.deployments.health import DeployingTrouble, stage_began, troubles
from analysis.deployments.preflight import Preflight, preflights
from analysis.deployments.rollback import TakeBack, take_back
from archive import Archive
from collector.collector import Keeper
from commands.shared.context import keep_happenings
from commands.shared.output import BAD, FAINT, GOOD, REMARK, plain, problem_json, said_lines, stamp, title
from domain import FLEETS, Clock, FleetName, Migration, Traffic, Window
from domain.deployments import Deployment, Service, Standing, traffic_shift
from messages import deployments as words
from messages import times
from messages.errors import sources as problems
from services.rollback import loads, proven
from sources.base import MetricSource, Problem
from sources.registry import Sources

HOLDS = {True: "✔", False: "✘", None: "?"}
LOOK_BACK_MINUTES = 60  # brought up to date first, so that the loads are of now
MESSAGES = 3


@dataclass(frozen=True, slots=True)
class Deploying:
    """Everything that the command shows at `now`. `problems` are what kept ECS or CodeDeploy from telling all."""

    now: datetime
    standing: Standing | None
    preflights: tuple[Preflight, ...]
    take_back: TakeBack | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether a service or deployment was read, nothing is the matter with any, and the traffic could be taken back for all that is known."""
        return bool(
            self.standing
            and not any(found for *_, found in _each(self.standing, self.now))
            and not (self.take_back and self.take_back.verdict == "impossible")
        )


def deploying(
    archive: Archive, keeper: Keeper, sources: Sources, metrics: MetricSource, migration: Migration, *, clock: Clock
) -> Deploying:
    """What is due is asked and kept, and everything read from the archive. Raises ArchiveError."""
    keep_happenings(archive, keeper, sources)
    now = clock()
    archive.bring(Window.last(LOOK_BACK_MINUTES, now=now), metrics, now=now)
    standing, seen = archive.standing(), archive.traffic()
    traffic: Traffic | None = seen[0] if seen else None
    until = int(now.timestamp()) // 60 * 60 - migration.provisional_minutes * 60
    most = proven(archive, migration, metrics.name, until=until)
    carried = loads(archive, metrics.name, until=until, proven=most)
    telling = {source.name for source in sources.events} & {"ecs", "codedeploy"}
    return Deploying(
        now,
        standing,
        preflights(traffic, standing) if traffic else (),
        take_back(traffic, carried) if traffic else None,
        tuple(problem for state in archive.states() if state.source in telling for problem in state.problems),
    )


def deployments_json(migration: Migration, found: Deploying) -> dict[str, Any]:
    standing = found.standing
    return {
        "ok": found.ok,
        "migration": migration.name,
        "demo": migration.demo,
        "asked_at": stamp(standing.asked_at) if standing else None,
        "services": [asdict(one) for one in standing.services] if standing else [],
        "deployments": [{**asdict(one), "outcome": one.outcome, "running": one.running} for one in standing.deployments]
        if standing
        else [],
        "troubles": [
            {"fleet": fleet, "slug": slug}
            for fleet, _, _, slugs in (_each(standing, found.now) if standing else ())
            for slug in slugs
        ],
        "preflights": [
            {
                "fleet": one.fleet,
                "system": one.system,
                "verdict": one.verdict,
                "text": words.preflight(one),
                "findings": [asdict(finding) for finding in one.findings],
                "meanwhile": one.meanwhile,
                "steps": [asdict(step) for step in one.steps],
            }
            for one in found.preflights
        ],
        "take_back": {**asdict(found.take_back), "text": words.take_back(found.take_back, migration)}
        if found.take_back
        else None,
        "problems": [problem_json(problem) for problem in found.problems],
    }


def deployments_table(migration: Migration, found: Deploying) -> RenderableType:
    parts: list[RenderableType] = [title(migration), Text()]
    for _, service, deployment, slugs in _each(found.standing, found.now) if found.standing else ():
        parts += [*_service(service), *_deployment(service, deployment, found.now)]
        for slug in slugs:
            stage_s = int(found.now.timestamp()) - stage_began(deployment) if deployment else 0
            parts.append(plain(words.trouble(slug, service, deployment, stage_s=stage_s), BAD))
        parts.append(Text())
    if not found.standing:
        parts += [Text(words.nothing_known(), REMARK), Text()]
    for one in found.preflights:
        parts.append(plain(words.preflight(one), {"ready": GOOD, "blocked": REMARK, "unknown": ""}[one.verdict]))
        parts += [
            Padding(plain(f"{HOLDS[finding.holds]} {words.finding(finding, one)}"), (0, 0, 0, 2))
            for finding in one.findings
        ]
    if found.take_back:
        colour = {"ready": GOOD, "unproven": REMARK, "impossible": BAD, "unknown": ""}[found.take_back.verdict]
        parts.append(plain(words.take_back(found.take_back, migration), colour))
    parts += [said_lines(problems.say(problem)) for problem in found.problems]
    return Group(*parts)


def _service(service: Service | None) -> list[RenderableType]:
    if service is None:
        return []
    facts = [words.counts(service), words.definition(service), words.strategy(service.strategy), words.rollout(service)]
    line = plain(service.name, "bold")
    for fact in facts:
        line.append("  ·  " if fact else "").append_text(plain(fact))
    return [line, *(plain(f"  {one.text}", FAINT) for one in service.messages[:MESSAGES])]


def _deployment(service: Service | None, deployment: Deployment | None, now: datetime) -> list[RenderableType]:
    if deployment is None:
        return []
    at = stage_began(deployment) if deployment.running else deployment.ended or deployment.created
    lines = [plain(words.latest(deployment, age=times.ago(datetime.fromtimestamp(at, UTC), now=now)))]
    shift = traffic_shift(service, deployment) if deployment.running else ()
    if shift:
        told = " → ".join(words.shift(part.target_group, part.task_definition, part.percent) for part in shift)
        lines.append(plain(f"{words.shift_title()}: {told}"))
    return [*lines]


def commands(migration: Migration, found: Deploying) -> str:
    """The commands, each under what it is for, to be printed as they are: one that was wrapped or cut to the terminal's width could not be copied."""
    every = [(words.purpose(step.purpose), step.text) for one in found.preflights for step in one.steps]
    if found.take_back and found.take_back.reason not in ("all_there", "not_in_rule"):
        every.append((words.take_back_purpose(migration), found.take_back.command))
    if not every:
        return ""
    lines = ["", words.never_run(), *(words.way(one, migration) for one in found.preflights if one.meanwhile)]
    for name, command in every:
        lines += ["", f"# {name}", command or f"# {words.not_told()}"]
    return "".join(letter for letter in "\n".join(lines) if letter == "\n" or letter.isprintable())


def _each(
    standing: Standing, now: datetime
) -> list[tuple[FleetName, Service | None, Deployment | None, tuple[DeployingTrouble, ...]]]:
    """Each fleet's service and newest deployment, with what is the matter."""
    at = int(now.timestamp())
    both = [(fleet, standing.service(fleet), standing.latest(fleet)) for fleet in FLEETS]
    known = [one for one in both if one[1] or one[2]]
    return [(fleet, service, latest, troubles(service, latest, now=at)) for fleet, service, latest in known]
