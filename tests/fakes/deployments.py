"""A CodeDeploy and an ECS on loopback, in AWS JSON 1.1: one service with its deployments, told to unpatched boto3, with every fault."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from botocore.session import get_session

CLUSTER, SERVICE = "photo", "web"
APPLICATION, DEPLOYMENT_GROUP = "AppECS-photo", "DgpECS-photo"
REGION = "ap-northeast-1"
ECS_ARN_PREFIX = f"arn:aws:ecs:{REGION}:123456789012:"
ELB_ARN_PREFIX = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:"
BLUE, GREEN = "photo-ecs-blue", "photo-ecs-green"
_GROUPS = {
    BLUE: f"{ELB_ARN_PREFIX}targetgroup/{BLUE}/0a1b2c3d4e5f6071",
    GREEN: f"{ELB_ARN_PREFIX}targetgroup/{GREEN}/9f8e7d6c5b4a3928",
}
LISTENER = f"{ELB_ARN_PREFIX}listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2"
RULE = f"{ELB_ARN_PREFIX}listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
_SERVICES = {"AmazonEC2ContainerServiceV20141113": "ecs", "CodeDeploy_20141006": "codedeploy"}
_MODELS = {name: get_session().get_service_model(name) for name in _SERVICES.values()}
ErrorReply = tuple[int, str, str]  # HTTP status, AWS's code, its sentence


def task_definition(revision: int) -> str:
    return f"{ECS_ARN_PREFIX}task-definition/web:{revision}"


def group_arn(name: str) -> str:
    return _GROUPS[name]


def app_spec(revision: int) -> str:
    properties = {
        "TaskDefinition": task_definition(revision),
        "LoadBalancerInfo": {"ContainerName": "web", "ContainerPort": 80},
    }
    resources = [{"TargetService": {"Type": "AWS::ECS::Service", "Properties": properties}}]
    return json.dumps({"version": 1, "Resources": resources})


def task_set(number: int, status: str, revision: int, group: str, deployment: str, **more: Any) -> dict[str, Any]:
    """A task set of a service that CodeDeploy drives; its group by name, or by ARN where it is another world's."""
    return {
        "id": f"ecs-svc/{number:019}",
        "taskSetArn": f"{ECS_ARN_PREFIX}task-set/{CLUSTER}/{SERVICE}/ecs-svc/{number:019}",
        "startedBy": "CODE_DEPLOY",
        "externalId": deployment,
        "status": status,
        "createdAt": 1_767_000_000 + number,
        "taskDefinition": task_definition(revision),
        "computedDesiredCount": 4,
        "pendingCount": 0,
        "runningCount": 4,
        "scale": {"value": 100.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE",
        "loadBalancers": [{"targetGroupArn": _GROUPS.get(group, group), "containerName": "web", "containerPort": 80}],
        **more,
    }


def service(controller: str = "CODE_DEPLOY", **more: Any) -> dict[str, Any]:
    """The service photo/web, four tasks of four."""
    return {
        "serviceArn": f"{ECS_ARN_PREFIX}service/{CLUSTER}/{SERVICE}",
        "serviceName": SERVICE,
        "clusterArn": f"{ECS_ARN_PREFIX}cluster/{CLUSTER}",
        "status": "ACTIVE",
        "desiredCount": 4,
        "runningCount": 4,
        "pendingCount": 0,
        "deploymentController": {"type": controller},
        "loadBalancers": [{"targetGroupArn": group_arn(BLUE), "containerName": "web", "containerPort": 80}],
        "events": [],
        **more,
    }


def deployment(id_: str, status: str, created: int, revision: int, *, before: int, **more: Any) -> dict[str, Any]:
    """A CodeDeploy deployment; its AppSpec is told in whole."""

    def told(number: int) -> dict[str, Any]:
        return {"revisionType": "AppSpecContent", "appSpecContent": {"content": app_spec(number)}}

    return {
        "applicationName": APPLICATION,
        "deploymentGroupName": DEPLOYMENT_GROUP,
        "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
        "deploymentId": id_,
        "revision": told(revision),
        "previousRevision": told(before),
        "status": status,
        "createTime": created,
        "startTime": created + 1,
        "creator": "user",
        "computePlatform": "ECS",
        **more,
    }


def target(id_: str, stages: Sequence[tuple[str, str]], *task_sets: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A deployment's ECS target; each stage began a minute after the one before it, the first at `at`."""
    events = [
        {
            "lifecycleEventName": name,
            "status": status,
            **({"startTime": at + 60 * place} if status != "Pending" else {}),
            **({"endTime": at + 60 * (place + 1)} if status == "Succeeded" else {}),
        }
        for place, (name, status) in enumerate(stages)
    ]
    return {
        "deploymentTargetType": "ECSTarget",
        "ecsTarget": {
            "deploymentId": id_,
            "targetId": f"{CLUSTER}:{SERVICE}",
            "lifecycleEvents": events,
            "status": "InProgress",
            "taskSetsInfo": list(task_sets),
        },
    }


class FakeDeployments:
    """Answers both services at `.url`. A context manager. What it tells, and its faults, are plain attributes, set at any time.

    Every reply is checked against botocore's own model: a field that AWS does not have fails the call with HTTP 500.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.services: list[dict[str, Any]] = [service()]
        self.deployments: list[dict[str, Any]] = []  # CodeDeploy's, the newest first
        self.targets: dict[str, dict[str, Any]] = {}  # deployment id → its target
        self.revisions: dict[str, str] = {}  # sum of an AppSpec → the AppSpec
        self.service_deployments: list[dict[str, Any]] = []  # ECS's own
        self.service_revisions: list[dict[str, Any]] = []
        self.images: dict[int, list[str]] = {}  # revision of the task definition → images
        self.application_exists = True
        self.target_group_pair, self.listener = (BLUE, GREEN), LISTENER
        self.page_size = 100
        self.errors: dict[str, ErrorReply] = {}  # action → what it is refused with
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _make_handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, service_name: str, action: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(action)
        self.requests.append((action, asked))
        if action in self.errors:
            status, code, sentence = self.errors[action]
            return status, {"__type": code, "message": sentence}
        answers: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "DescribeServices": self._describe_services,
            "DescribeTaskDefinition": self._describe_task_definition,
            "ListServiceDeployments": self._list_service_deployments,
            "DescribeServiceDeployments": self._describe_service_deployments,
            "DescribeServiceRevisions": self._describe_service_revisions,
            "GetDeploymentGroup": self._get_deployment_group,
            "ListDeployments": self._list_deployments,
            "BatchGetDeployments": self._batch_get_deployments,
            "BatchGetDeploymentTargets": self._batch_get_targets,
            "GetApplicationRevision": self._get_application_revision,
        }
        if service_name == "codedeploy" and not self.application_exists:
            return 400, {"__type": "ApplicationDoesNotExistException", "message": f"No application {APPLICATION}"}
        told = answers[action](asked)
        unknown = _unknown_fields(told, _MODELS[service_name].operation_model(action).output_shape)
        return (
            (500, {"__type": "InternalFailure", "message": f"not in the model: {unknown}"}) if unknown else (200, told)
        )

    # ---- ECS

    def _describe_services(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in self.services if one["serviceName"] in asked["services"]]
        missing = set(asked["services"]) - {one["serviceName"] for one in found}
        return {
            "services": found,
            "failures": [{"arn": f"{ECS_ARN_PREFIX}service/{CLUSTER}/{name}", "reason": "MISSING"} for name in missing],
        }

    def _describe_task_definition(self, asked: dict[str, Any]) -> dict[str, Any]:
        revision = int(asked["taskDefinition"].rpartition(":")[2])
        containers = [{"name": "web", "image": image} for image in self.images.get(revision, ())]
        return {"taskDefinition": {"taskDefinitionArn": asked["taskDefinition"], "containerDefinitions": containers}}

    def _list_service_deployments(self, asked: dict[str, Any]) -> dict[str, Any]:
        brief = ("serviceDeploymentArn", "serviceArn", "createdAt", "status")
        listed = [{key: one[key] for key in brief if key in one} for one in self.service_deployments]
        return self._page(asked, "serviceDeployments", listed)

    def _describe_service_deployments(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert len(asked["serviceDeploymentArns"]) <= 20
        every = {one["serviceDeploymentArn"]: one for one in self.service_deployments}
        return {"serviceDeployments": [every[arn] for arn in asked["serviceDeploymentArns"] if arn in every]}

    def _describe_service_revisions(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert len(asked["serviceRevisionArns"]) <= 20
        every = {one["serviceRevisionArn"]: one for one in self.service_revisions}
        return {"serviceRevisions": [every[arn] for arn in asked["serviceRevisionArns"] if arn in every]}

    # ---- CodeDeploy

    def _get_deployment_group(self, asked: dict[str, Any]) -> dict[str, Any]:
        pair = {
            "targetGroups": [{"name": name} for name in self.target_group_pair],  # names, not ARNs
            "prodTrafficRoute": {"listenerArns": [self.listener]},
        }
        info: dict[str, Any] = {
            "applicationName": asked["applicationName"],
            "deploymentGroupName": asked["deploymentGroupName"],
            "computePlatform": "ECS",
            "ecsServices": [{"clusterName": CLUSTER, "serviceName": SERVICE}],
            "loadBalancerInfo": {"targetGroupPairInfoList": [pair]},
        }
        if self.deployments:
            newest = self.deployments[0]
            info["lastAttemptedDeployment"] = {"deploymentId": newest["deploymentId"], "status": newest["status"]}
        return {"deploymentGroupInfo": info}

    def _list_deployments(self, asked: dict[str, Any]) -> dict[str, Any]:
        span = asked.get("createTimeRange", {})
        ids = [
            one["deploymentId"]
            for one in self.deployments
            if span.get("start", 0) <= one["createTime"] < span.get("end", float("inf"))
        ]
        return self._page(asked, "deployments", ids)

    def _batch_get_deployments(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert len(asked["deploymentIds"]) <= 25
        return {"deploymentsInfo": [one for one in self.deployments if one["deploymentId"] in asked["deploymentIds"]]}

    def _batch_get_targets(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["targetIds"] == [f"{CLUSTER}:{SERVICE}"]
        found = self.targets.get(asked["deploymentId"])
        return {"deploymentTargets": [found] if found else []}

    def _get_application_revision(self, asked: dict[str, Any]) -> dict[str, Any]:
        content = self.revisions[asked["revision"]["appSpecContent"]["sha256"]]
        spec = {**asked["revision"]["appSpecContent"], "content": content}
        return {"revision": {"revisionType": "AppSpecContent", "appSpecContent": spec}}

    def _page(self, asked: dict[str, Any], key: str, listed: list[Any]) -> dict[str, Any]:
        start = int(asked.get("nextToken", "0"))
        end = start + self.page_size
        return {key: listed[start:end], **({"nextToken": str(end)} if end < len(listed) else {})}


def deployed_service(group_arn: str, listener_arn: str, *, port: int = 0) -> FakeDeployments:
    """The service in a target group of another world, deployed an hour ago by CodeDeploy."""
    world = FakeDeployments(port=port)
    name = group_arn.split("/")[1]
    world.target_group_pair, world.listener = (name, f"{name}-green"), listener_arn
    world.services = [service(taskSets=[task_set(1, "PRIMARY", 42, group_arn, "d-DONE00042")])]
    made = int(time.time()) - 3600
    world.deployments = [deployment("d-DONE00042", "Succeeded", made, 42, before=41, completeTime=made + 300)]
    return world


def start_linear_shift(fake: FakeDeployments, now: int) -> None:
    """Begins a linear deployment that has shifted 30 % of the traffic to the second group of the pair by `now`."""
    linear = "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"
    day_s = 86_400
    fake.deployments = [
        deployment("d-RUNNING42", "InProgress", now - 900, 42, before=41, deploymentConfigName=linear),
        deployment("d-DONE00041", "Succeeded", now - 2 * day_s, 41, before=40, completeTime=now - 2 * day_s + 540),
    ]
    blue, green = fake.target_group_pair
    sets = (
        {"identifer": "ecs-svc/1", "taskSetLabel": "Blue", "status": "PRIMARY", "trafficWeight": 70.0}
        | {"desiredCount": 4, "runningCount": 4, "pendingCount": 0, "targetGroup": {"name": blue}},
        {"identifer": "ecs-svc/2", "taskSetLabel": "Green", "status": "ACTIVE", "trafficWeight": 30.0}
        | {"desiredCount": 4, "runningCount": 3, "pendingCount": 1, "targetGroup": {"name": green}},
    )
    stages = [("BeforeInstall", "Succeeded"), ("Install", "Succeeded"), ("AllowTraffic", "InProgress")]
    stages.append(("AfterAllowTraffic", "Pending"))
    fake.targets["d-RUNNING42"] = target("d-RUNNING42", stages, *sets, at=now - 840)


def _unknown_fields(told: Any, shape: Any, at: str = "") -> list[str]:
    """Where a reply says what botocore's model of it does not know: a misspelt field would go unread in silence."""
    if shape.type_name == "structure":
        unknown = [f"{at}.{key}" for key in told if key not in shape.members]
        known = [(key, one) for key, one in told.items() if key in shape.members]
        return unknown + [
            place for key, one in known for place in _unknown_fields(one, shape.members[key], f"{at}.{key}")
        ]
    if shape.type_name == "list":
        return [place for one in told for place in _unknown_fields(one, shape.member, at)]
    return []


def _make_handler(world: FakeDeployments) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            prefix, _, action = self.headers["X-Amz-Target"].partition(".")
            status, told = world.handle(_SERVICES[prefix], action, body)
            reply = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `world.calls`."""

    return Handler
