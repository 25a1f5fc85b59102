"""The next step of the current phase: the candidates, the choice, and its commands."""

from dataclasses import replace
from datetime import datetime

from analysis.deployments.next_step import (
    FORECAST_ANYWAY,
    CanaryLoad,
    NextStep,
    candidate_shares,
    choose_step,
    obstacle,
    step_commands,
    step_forecasts,
)
from analysis.deployments.waits import WaitingDeployment
from analysis.parity.verdicts import DEFAULT_CRITERIA
from archive import Archive
from domain import Criterion, Migration, Traffic
from domain.decision import gate_criteria
from domain.deployments import DeploymentState
from domain.window import MINUTE_S
from services.deployments import waits_now
from services.evaluation import Evaluation
from services.freshness import provisional_from
from services.parity import prepare_window
from services.phases import read_budget
from services.rollback import fleet_load, max_load_per_target

SETTLING_MINUTES = 2  # after a weight change, which are not judged


def next_step(
    archive: Archive,
    migration: Migration,
    evaluation: Evaluation,
    traffic: Traffic | None,
    state: DeploymentState | None,
    *,
    now: datetime,
) -> NextStep:
    """The next step after the current phase, which `evaluation` is of. `traffic`: the weights, None if unknown. Raises ArchiveError."""
    running = next((item for item in state.deployments if item.running), None) if state else None
    deploying = running.task_definition or running.id if running else ""
    refused = obstacle(traffic, evaluation.decision, deploying, _paused(migration, state))
    if traffic is None or (refused and refused.reason not in FORECAST_ANYWAY):
        return refused or NextStep("no_weights")
    current, source = float(traffic.configured_shares["canary"]), evaluation.source
    until = provisional_from(migration, now.timestamp())
    load = _canary_load(archive, migration, source, traffic, until=until)
    prepared = prepare_window(archive, migration, source, evaluation.window, now=now, canary_share=current)
    rows = step_forecasts(
        prepared,
        evaluation.judgement,
        candidate_shares(current),
        load,
        lead_minutes=lead_minutes(migration),
        budget=read_budget(archive, migration.slo, source, until=until) if migration.slo else None,
    )
    if refused:
        return replace(refused, rows=rows, load=load)
    elapsed = max(int(now.timestamp()) - evaluation.window.start, 0) // MINUTE_S
    step = choose_step(rows, current, evaluation.decision, evaluation.judgement, elapsed=elapsed)
    step = replace(step, load=load, unchanged_rules=traffic.deviating_rules)
    if step.recommended is None or not step.is_change:
        return step
    commands, terraform = step_commands(traffic, step.recommended)
    return replace(step, commands=commands, terraform=terraform)


def _paused(migration: Migration, state: DeploymentState | None) -> WaitingDeployment | None:
    """The release's own deployment, if it waits for approval: of no other one is the decision about the revision that it deploys."""
    waits = (item for item in waits_now(migration, state) if item.wait.id != "TERMINATION_WAIT")
    return next((item for item in waits if migration.release and item.deployment.id == migration.release.id), None)


def gate(migration: Migration) -> tuple[Criterion, ...]:
    """The criteria that decide, in the order of the forecasts."""
    return gate_criteria(migration.criteria or DEFAULT_CRITERIA)


def lead_minutes(migration: Migration) -> int:
    """Minutes from a weight change to the first judged one, and from the newest judged one to its final data."""
    warm_up = -(-migration.warm_up_s // MINUTE_S)
    return max(SETTLING_MINUTES, 1 + warm_up) + migration.provisional_minutes


def _canary_load(archive: Archive, migration: Migration, source: str, traffic: Traffic, *, until: int) -> CanaryLoad:
    split = traffic.split
    serving = {share.arn for share in (split.weighted_shares if split else ()) if share.fleet == "canary"}
    groups = [group for group in traffic.groups if group.arn in serving]
    healthy = (
        sum(group.healthy for group in groups) if groups and all(item.targets is not None for item in groups) else None
    )
    return CanaryLoad(
        fleet_load(archive, migration, source, until=until).total,
        healthy,
        max_load_per_target(archive, migration, source, "canary", until=until),
    )
