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
        return _hook_commands(deployment.arn, wait.id)
    options = (*_of_codedeploy(deployment, region), ("--deployment-wait-type", wait.id))
    end: WaitEnd = "terminate" if wait.id == "TERMINATION_WAIT" else "continue"
    return (
        WaitCommand(end, aws_command("deploy continue-deployment", *options)),
        WaitCommand("roll_back", stop_command(deployment, region=region)),
    )


def stop_command(deployment: Deployment, *, region: str = "") -> str:
    """The command that rolls a running deployment back; "" if its ARN is unknown."""
    if deployment.system == "codedeploy":
        return aws_command(
            "deploy stop-deployment", *_of_codedeploy(deployment, region), ("--auto-rollback-enabled", "")
        )
    of_ecs = ("--service-deployment-arn", deployment.arn), ("--stop-type", "ROLLBACK")
    return aws_command("ecs stop-service-deployment", *of_ecs) if deployment.arn else ""


def _of_codedeploy(deployment: Deployment, region: str) -> tuple[tuple[str, str], ...]:
    of_deployment = ("--deployment-id", deployment.id)
    return (("--region", region), of_deployment) if region else (of_deployment,)


def _hook_commands(deployment_arn: str, hook_id: str) -> tuple[WaitCommand, ...]:
    """Each with its action: without one, ECS continues."""
    if not hook_id or not deployment_arn:
        return ()
    options = ("--service-deployment-arn", deployment_arn), ("--hook-id", hook_id)
    ends: tuple[tuple[WaitEnd, str], ...] = (("continue", "CONTINUE"), ("roll_back", "ROLLBACK"))
    return tuple(
        WaitCommand(end, aws_command("ecs continue-service-deployment", *options, ("--action", action)))
        for end, action in ends
    )
