"""CodeDeploy and ECS on loopback, in AWS JSON 1.1: one service with its deployments, for an unpatched boto3, with every fault."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import ThreadingHTTPServer
from typing import Any

from botocore.session import get_session

from tests.fakes.http import ErrorReply, LoopbackServer, aws_json_handler

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
    """A task set of a service that CodeDeploy deploys; its target group by name, or by ARN if it is not one of this module."""
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


def deployment_payload(
    id_: str, status: str, created: int, revision: int, *, before: int, **more: Any
) -> dict[str, Any]:
    """A CodeDeploy deployment, with its complete AppSpec."""

    def app_spec_content(number: int) -> dict[str, Any]:
        return {"revisionType": "AppSpecContent", "appSpecContent": {"content": app_spec(number)}}

    return {
        "applicationName": APPLICATION,
        "deploymentGroupName": DEPLOYMENT_GROUP,
        "deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce",
        "deploymentId": id_,
        "revision": app_spec_content(revision),
        "previousRevision": app_spec_content(before),
        "status": status,
        "createTime": created,
        "startTime": created + 1,
        "creator": "user",
        "computePlatform": "ECS",
        **more,
    }


def target(id_: str, stages: Sequence[tuple[str, str]], *task_sets: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A deployment's ECS target; the stages begin a minute apart, the first at `at`."""
    events = [
        {
            "lifecycleEventName": name,
            "status": status,
            **({"startTime": at + 60 * i} if status != "Pending" else {}),
            **({"endTime": at + 60 * (i + 1)} if status == "Succeeded" else {}),
        }
        for i, (name, status) in enumerate(stages)
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


class FakeDeployments(LoopbackServer):
    """Answers for both services. Its state and faults are plain attributes, set at any time.

    Every reply is validated against botocore's model: a field that AWS does not have fails the call with HTTP 500.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.services: list[dict[str, Any]] = [service()]
        self.deployments: list[dict[str, Any]] = []  # CodeDeploy's, newest first
        self.targets: dict[str, dict[str, Any]] = {}  # deployment id → its target
        self.revisions: dict[str, str] = {}  # SHA-256 of an AppSpec → the AppSpec
        self.service_deployments: list[dict[str, Any]] = []  # ECS's own
        self.service_revisions: list[dict[str, Any]] = []
        self.images: dict[int, list[str]] = {}  # revision of the task definition → images
        self.tags: dict[int, dict[str, str]] = {}  # revision of the task definition → its tags
        self.application_exists = True
        self.target_group_pair, self.listener = (BLUE, GREEN), LISTENER
        self.page_size = 100
        self.errors: dict[str, ErrorReply] = {}  # operation → its reply
        self.calls: list[str] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        super().__init__(ThreadingHTTPServer(("127.0.0.1", port), aws_json_handler(self._reply)))

    def _reply(self, target: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        prefix, _, operation = target.partition(".")
        return self.handle(_SERVICES[prefix], operation, request)

    def handle(self, service_name: str, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(operation)
        self.requests.append((operation, request))
        if operation in self.errors:
            status, code, message = self.errors[operation]
            return status, {"__type": code, "message": message}
        operations: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ListClusters": self._list_clusters,
            "ListServices": self._list_services,
            "DescribeServices": self._describe_services,
            "DescribeTaskDefinition": self._describe_task_definition,
            "ListServiceDeployments": self._list_service_deployments,
            "DescribeServiceDeployments": self._describe_service_deployments,
            "DescribeServiceRevisions": self._describe_service_revisions,
            "ListApplications": self._list_applications,
            "BatchGetApplications": self._batch_get_applications,
            "ListDeploymentGroups": self._list_deployment_groups,
            "BatchGetDeploymentGroups": self._batch_get_deployment_groups,
            "GetDeploymentGroup": self._get_deployment_group,
            "ListDeployments": self._list_deployments,
            "BatchGetDeployments": self._batch_get_deployments,
            "BatchGetDeploymentTargets": self._batch_get_targets,
            "GetApplicationRevision": self._get_application_revision,
            "GetDeployment": self._get_deployment,
            "PutLifecycleEventHookExecutionStatus": self._put_hook_status,
        }
        if service_name == "codedeploy" and not self.application_exists:
            return 400, {"__type": "ApplicationDoesNotExistException", "message": f"No application {APPLICATION}"}
        payload = operations[operation](request)
        unknown = _unknown_fields(payload, _MODELS[service_name].operation_model(operation).output_shape)
        return (
            (500, {"__type": "InternalFailure", "message": f"not in the model: {unknown}"})
            if unknown
            else (200, payload)
        )

    # ---- ECS

    def _list_clusters(self, request: dict[str, Any]) -> dict[str, Any]:
        arns = sorted({service["clusterArn"] for service in self.services})
        return self._page(request, "clusterArns", arns)

    def _list_services(self, request: dict[str, Any]) -> dict[str, Any]:
        suffix = f"/{request['cluster']}"
        arns = [service["serviceArn"] for service in self.services if service["clusterArn"].endswith(suffix)]
        return self._page(request, "serviceArns", arns)

    def _describe_services(self, request: dict[str, Any]) -> dict[str, Any]:
        assert len(request["services"]) <= 10
        names = {name.rpartition("/")[2] for name in request["services"]}  # ARNs or names
        services = [service for service in self.services if service["serviceName"] in names]
        missing = names - {service["serviceName"] for service in services}
        return {
            "services": services,
            "failures": [{"arn": f"{ECS_ARN_PREFIX}service/{CLUSTER}/{name}", "reason": "MISSING"} for name in missing],
        }

    def _describe_task_definition(self, request: dict[str, Any]) -> dict[str, Any]:
        revision = int(request["taskDefinition"].rpartition(":")[2])
        containers = [{"name": "web", "image": image} for image in self.images.get(revision, ())]
        payload = {"taskDefinitionArn": request["taskDefinition"], "containerDefinitions": containers}
        tags = self.tags.get(revision, {}) if "TAGS" in request.get("include", ()) else {}
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        return {"taskDefinition": payload, "tags": listed}

    def _list_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        keys = ("serviceDeploymentArn", "serviceArn", "createdAt", "status")
        listed = [{key: item[key] for key in keys if key in item} for item in self.service_deployments]
        return self._page(request, "serviceDeployments", listed)

    def _describe_service_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        assert len(request["serviceDeploymentArns"]) <= 20
        by_arn = {item["serviceDeploymentArn"]: item for item in self.service_deployments}
        return {"serviceDeployments": [by_arn[arn] for arn in request["serviceDeploymentArns"] if arn in by_arn]}

    def _describe_service_revisions(self, request: dict[str, Any]) -> dict[str, Any]:
        assert len(request["serviceRevisionArns"]) <= 20
        by_arn = {item["serviceRevisionArn"]: item for item in self.service_revisions}
        return {"serviceRevisions": [by_arn[arn] for arn in request["serviceRevisionArns"] if arn in by_arn]}

    # ---- CodeDeploy

    def _list_applications(self, request: dict[str, Any]) -> dict[str, Any]:
        return self._page(request, "applications", [APPLICATION])

    def _batch_get_applications(self, request: dict[str, Any]) -> dict[str, Any]:
        infos = [{"applicationName": name, "computePlatform": "ECS"} for name in request["applicationNames"]]
        return {"applicationsInfo": infos}

    def _list_deployment_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        groups = self._page(request, "deploymentGroups", [DEPLOYMENT_GROUP])
        return {"applicationName": request["applicationName"], **groups}

    def _batch_get_deployment_groups(self, request: dict[str, Any]) -> dict[str, Any]:
        infos = [
            self._get_deployment_group({**request, "deploymentGroupName": name})["deploymentGroupInfo"]
            for name in request["deploymentGroupNames"]
        ]
        return {"deploymentGroupsInfo": infos}

    def _get_deployment_group(self, request: dict[str, Any]) -> dict[str, Any]:
        pair = {
            "targetGroups": [{"name": name} for name in self.target_group_pair],  # names, not ARNs
            "prodTrafficRoute": {"listenerArns": [self.listener]},
        }
        info: dict[str, Any] = {
            "applicationName": request["applicationName"],
            "deploymentGroupName": request["deploymentGroupName"],
            "computePlatform": "ECS",
            "ecsServices": [{"clusterName": CLUSTER, "serviceName": SERVICE}],
            "loadBalancerInfo": {"targetGroupPairInfoList": [pair]},
        }
        if self.deployments:
            newest = self.deployments[0]
            info["lastAttemptedDeployment"] = {"deploymentId": newest["deploymentId"], "status": newest["status"]}
        return {"deploymentGroupInfo": info}

    def _list_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        created = request.get("createTimeRange", {})
        ids = [
            item["deploymentId"]
            for item in self.deployments
            if created.get("start", 0) <= item["createTime"] < created.get("end", float("inf"))
        ]
        return self._page(request, "deployments", ids)

    def _batch_get_deployments(self, request: dict[str, Any]) -> dict[str, Any]:
        assert len(request["deploymentIds"]) <= 25
        return {
            "deploymentsInfo": [item for item in self.deployments if item["deploymentId"] in request["deploymentIds"]]
        }

    def _batch_get_targets(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["targetIds"] == [f"{CLUSTER}:{SERVICE}"]
        target = self.targets.get(request["deploymentId"])
        return {"deploymentTargets": [target] if target else []}

    def _get_application_revision(self, request: dict[str, Any]) -> dict[str, Any]:
        content = self.revisions[request["revision"]["appSpecContent"]["sha256"]]
        spec = {**request["revision"]["appSpecContent"], "content": content}
        return {"revision": {"revisionType": "AppSpecContent", "appSpecContent": spec}}

    def _get_deployment(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "deploymentInfo": next(item for item in self.deployments if item["deploymentId"] == request["deploymentId"])
        }

    def _put_hook_status(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"lifecycleEventHookExecutionId": request["lifecycleEventHookExecutionId"]}

    def _page(self, request: dict[str, Any], key: str, listed: list[Any]) -> dict[str, Any]:
        start = int(request.get("nextToken", "0"))
        end = start + self.page_size
        return {key: listed[start:end], **({"nextToken": str(end)} if end < len(listed) else {})}


def deployed_service(group_arn: str, listener_arn: str, *, port: int = 0) -> FakeDeployments:
    """The service in an existing target group, deployed an hour ago by CodeDeploy."""
    fake = FakeDeployments(port=port)
    name = group_arn.split("/")[1]
    fake.target_group_pair, fake.listener = (name, f"{name}-green"), listener_arn
    fake.services = [service(taskSets=[task_set(1, "PRIMARY", 42, group_arn, "d-DONE00042")])]
    created = int(time.time()) - 3600
    fake.deployments = [
        deployment_payload("d-DONE00042", "Succeeded", created, 42, before=41, completeTime=created + 300)
    ]
    return fake


def start_linear_shift(fake: FakeDeployments, now: int) -> None:
    """Begins a linear deployment that has shifted 30% of the traffic to the second group of the pair by `now`."""
    linear = "CodeDeployDefault.ECSLinear10PercentEvery3Minutes"
    day_s = 86_400
    fake.deployments = [
        deployment_payload("d-RUNNING42", "InProgress", now - 900, 42, before=41, deploymentConfigName=linear),
        deployment_payload(
            "d-DONE00041", "Succeeded", now - 2 * day_s, 41, before=40, completeTime=now - 2 * day_s + 540
        ),
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


def _unknown_fields(value: Any, shape: Any, path: str = "") -> list[str]:
    """The paths of fields that botocore's model does not have: a misspelt field would be ignored silently."""
    if shape.type_name == "structure":
        fields = [f"{path}.{key}" for key in value if key not in shape.members]
        for key, member in value.items():
            if key in shape.members:
                fields += _unknown_fields(member, shape.members[key], f"{path}.{key}")
        return fields
    if shape.type_name == "list":
        return [field for item in value for field in _unknown_fields(item, shape.member, path)]
    return []
