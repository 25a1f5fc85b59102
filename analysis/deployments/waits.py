"""What deployments wait for: ECS's hooks of type PAUSE and CodeDeploy's waits, with the commands that end them. The program only prints those."""

from dataclasses import dataclass
from typing import Literal

from analysis.deployments.aws_commands import aws_command
from domain.deployments import Deployment, DeploymentState, Wait

WaitEnd = Literal["continue", "roll_back", "terminate"]


@dataclass(frozen=True, slots=True)
class WaitCommand:
    """A command and how it ends the wait."""

    end: WaitEnd
    command: str


@dataclass(frozen=True, slots=True)
class WaitingDeployment:
    """A running deployment and one of its waits. `commands`: empty if they are not known."""

    deployment: Deployment
    wait: Wait
    commands: tuple[WaitCommand, ...] = ()


def waiting_deployments(state: DeploymentState | None, *, region: str = "") -> tuple[WaitingDeployment, ...]:
    """Every wait of the running deployments. `region`: for the commands of CodeDeploy, whose deployments have no ARN."""
    return tuple(
        WaitingDeployment(deployment, wait, wait_commands(deployment, wait, region))
        for deployment in (state.deployments if state else ())
        if deployment.running
        for wait in deployment.waits
    )


def wait_commands(deployment: Deployment, wait: Wait, region: str) -> tuple[WaitCommand, ...]:
    if deployment.system == "ecs":
        return _hook_commands(wait)
    options = [("--region", region)] if region else []
    options += [("--deployment-id", deployment.id)]
    go_on = aws_command("deploy continue-deployment", *options, ("--deployment-wait-type", wait.id))
    stop = aws_command("deploy stop-deployment", *options, ("--auto-rollback-enabled", ""))
    end: WaitEnd = "terminate" if wait.id == "TERMINATION_WAIT" else "continue"
    return WaitCommand(end, go_on), WaitCommand("roll_back", stop)


def _hook_commands(wait: Wait) -> tuple[WaitCommand, ...]:
    """Each with its action: without one, ECS continues."""
    if not wait.id or not wait.deployment_arn:
        return ()
    options = ("--service-deployment-arn", wait.deployment_arn), ("--hook-id", wait.id)
    ends: tuple[tuple[WaitEnd, str], ...] = (("continue", "CONTINUE"), ("roll_back", "ROLLBACK"))
    return tuple(
        WaitCommand(end, aws_command("ecs continue-service-deployment", *options, ("--action", action)))
        for end, action in ends
    )
