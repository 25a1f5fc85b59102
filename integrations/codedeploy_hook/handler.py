"""AWS Lambda function: a lifecycle hook of a CodeDeploy deployment, which asks the dashboard's gate whether the traffic may be shifted.

docs/gate.md describes its setup. The deployment package is this file and the ECS hook's, which asks the gate; Lambda has boto3. CodeDeploy takes one
of two answers, once: so an open decision is asked for again until the function's time is nearly over. Then it is Failed, for "no data" is never a pass.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from integrations.ecs_hook.handler import DEFAULT_DELAY_S, TIMEOUT_S, ask, delay_s, minutes_to_decision, remaining_s

HOOK_STATUS = {"continue": "Succeeded", "roll_back": "Failed"}  # of the others, there is none yet
ROLLBACK_CREATOR = "codeDeployRollback"
REPORT_S = 20.0  # of the function's own time, to report to CodeDeploy
MIN_WAIT_S = 1.0


def handler(event: Mapping[str, Any], context: Any = None) -> dict[str, str]:
    """Reports the status to CodeDeploy, and returns it. Raises botocore's errors; CodeDeploy then waits for its own time-out."""
    client = boto3.client("codedeploy", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}))  # fmt: skip
    deployment_id = str(event["DeploymentId"])
    if _is_rollback(client, deployment_id):
        status, about = "Succeeded", "rolling back"
    else:
        status, about = decide(lambda: remaining_s(context) - REPORT_S)
    print(json.dumps({"status": status, "about": about}))  # in ASCII: a log that cannot encode it would raise
    client.put_lifecycle_event_hook_execution_status(
        deploymentId=deployment_id, lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"], status=status
    )
    return {"status": status}


def decide(left_s: Callable[[], float]) -> tuple[str, str]:
    """The status and the reason for the log. `left_s`: the seconds in which a decision may be awaited."""
    is_dry_run = os.environ.get("GATE_DRY_RUN") == "1"
    while True:
        status, about, pause_s = _ask(left_s())
        pause_s = min(pause_s, left_s() - TIMEOUT_S)
        if status or is_dry_run or pause_s < MIN_WAIT_S:
            break
        time.sleep(pause_s)
    if is_dry_run:
        return "Succeeded", f"dry run, would be {status or 'asked again'}: {about}"
    return (status, about) if status else (_undecided(), f"not decided in time: {about}")


def _ask(left_s: float) -> tuple[str, str, float]:
    """The status ("": not decided), the gate's reason, and the seconds until it is to be asked again."""
    try:
        reply = ask(os.environ.get("GATE_MIGRATION", ""), None, min(TIMEOUT_S, left_s))
        decision, delay = str(reply["decision"]), delay_s(minutes_to_decision(reply))
        return HOOK_STATUS.get(decision, ""), str(reply.get("headline", decision)), delay
    except Exception as error:  # of the gate, whatever answers in its place: no answer passes by mistake
        return "", f"{type(error).__name__}: {error}", DEFAULT_DELAY_S


def _undecided() -> str:
    return "Succeeded" if os.environ.get("GATE_UNDECIDED") == "Succeeded" else "Failed"


def _is_rollback(client: Any, deployment_id: str) -> bool:
    """Whether CodeDeploy created the deployment to roll another one back: never in its way. False if that cannot be read."""
    try:
        info = client.get_deployment(deploymentId=deployment_id).get("deploymentInfo", {})
        return bool(info.get("creator") == ROLLBACK_CREATOR)
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"about": f"unknown whether it is a rollback: {type(error).__name__}: {error}"}))
        return False
