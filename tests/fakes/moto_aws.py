"""All of moto's AWS on loopback, unchanged: the load balancer "photo", what runs behind it, and 20 minutes of its metrics."""

import gzip
import io
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3

from domain import Arn
from tests.factories.access_log_lines import access_log_line
from tests.factories.loopback_config import config_toml
from tests.fakes.elbv2 import REGION
from tests.fakes.mackerel import SERVICE

BUCKET = "photo-logs"
CLUSTER, ECS_SERVICE = "photo", "web"
APPLICATION, DEPLOYMENT_GROUP = "AppECS-photo", "DgpECS-photo"
JOBS: Mapping[str, str] = {"thumbnails": "ENABLED", "digest": "DISABLED"}  # and the state of its rule
MINUTES = 20  # with metrics, up to `now`
START_TIMEOUT_S = 60.0

# Requests and 5xx of each target group in a minute.
REQUESTS: Mapping[str, tuple[int, int]] = {"photo-ec2": (900, 0), "photo-ecs": (100, 1)}
LATENCIES_S = (0.04, 0.08, 0.12)

_TABLES = f"""
[access_logs]
cache = "{{cache}}"

[batches]
service = "{SERVICE}"
duration = "batch.{{{{job}}}}.duration"
success = "batch.{{{{job}}}}.success"
"""


@contextmanager
def run_moto(folder: Path) -> Iterator[str]:
    """Runs `moto_server` in a process of its own, because moto keeps its state in module variables, which the other fakes use. Yields its URL."""
    log = folder / "moto.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host=127.0.0.1", "--port=0"], stdout=output, stderr=output
        )
    try:
        yield _wait_for_url(log, process)
    finally:
        process.terminate()
        process.wait()


def _wait_for_url(log: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < until:
        if match := re.search(r"Running on (http://127\.0\.0\.1:[1-9]\d*)", log.read_text(encoding="utf-8")):
            return match[1]
        time.sleep(0.05)
    raise RuntimeError(f"moto did not start. Its log:\n{log.read_text(encoding='utf-8')}")


class MotoAws:
    """HTTP:80 redirects; HTTPS:443 sends X-Canary: ecs to photo-ecs, all other requests 90 : 10 to photo-ec2 and photo-ecs.

    Replaces everything that the server at `url` had. `now`: the end of the newest minute with metrics.
    """

    def __init__(self, url: str, now: datetime) -> None:
        self.url, self._now = url, now
        with urlopen(Request(f"{url}/moto-api/reset", method="POST")) as reply:
            reply.read()
        self._create_load_balancer()
        self._create_service()
        self._create_jobs()
        self._put_metrics()
        self._put_access_log()

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION)

    def config(self, folder: str) -> str:
        """A migration.toml whose archive and downloaded logs are in `folder`."""
        tables = _TABLES.format(cache=f"{folder}/access-logs")
        jobs = "".join(
            f'[[batches.jobs]]\nname = "{job}"\nschedule = "rate(5 minutes)"\nrule = "photo-{job}"\nfunction = "photo-{job}"\n'
            for job in JOBS
        )
        return config_toml(
            self.load_balancer,
            self.groups,
            archive=f"{folder}/archive.db",
            canary_lines=f'ecs_service = "{CLUSTER}/{ECS_SERVICE}"\ncodedeploy = "{APPLICATION}/{DEPLOYMENT_GROUP}"',
            extra_tables=tables + jobs,
            margin="2pp",
            backfill=False,
        )

    def _create_load_balancer(self) -> None:
        ec2, elbv2 = self.client("ec2"), self.client("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.security_group = ec2.create_security_group(GroupName="photo", Description="photo", VpcId=vpc)["GroupId"]
        self.subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
                "SubnetId"
            ]
            for number, zone in ((1, "a"), (2, "c"))
        ]
        (balancer,) = elbv2.create_load_balancer(Name="photo", Subnets=self.subnets)["LoadBalancers"]
        self.load_balancer = str(balancer["LoadBalancerArn"])
        self.groups: dict[str, str] = {}
        for number, name in enumerate(REQUESTS, start=1):
            created = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
            self.groups[name] = str(created["TargetGroups"][0]["TargetGroupArn"])
            targets = [{"Id": f"10.0.1.{10 * number + target}", "Port": 80} for target in range(2)]
            elbv2.register_targets(TargetGroupArn=self.groups[name], Targets=targets)
        redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
        elbv2.create_listener(
            LoadBalancerArn=self.load_balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "redirect", "RedirectConfig": redirect}],
        )
        certificate = self.client("acm").request_certificate(DomainName="photo.example.com")["CertificateArn"]
        weights = [
            {"TargetGroupArn": self.groups[name], "Weight": weight}
            for name, weight in (("photo-ec2", 90), ("photo-ecs", 10))
        ]
        (listener,) = elbv2.create_listener(
            LoadBalancerArn=self.load_balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weights}}],
        )["Listeners"]
        self.listener = str(listener["ListenerArn"])
        header = {"HttpHeaderName": "X-Canary", "Values": ["ecs"]}
        elbv2.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
            Actions=[{"Type": "forward", "TargetGroupArn": self.groups["photo-ecs"]}],
        )
        attributes = {"enabled": "true", "bucket": BUCKET, "prefix": "alb"}
        elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=self.load_balancer,
            Attributes=[{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in attributes.items()],
        )

    def _create_service(self) -> None:
        """The ECS service, and a deployment of it by CodeDeploy, which moto never starts."""
        ecs, codedeploy = self.client("ecs"), self.client("codedeploy")
        ecs.create_cluster(clusterName=CLUSTER)
        container = {"name": "web", "image": "photo/web:42", "memory": 512, "portMappings": [{"containerPort": 80}]}
        task_definition = ecs.register_task_definition(
            family="web", networkMode="awsvpc", containerDefinitions=[container]
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=ECS_SERVICE,
            taskDefinition=task_definition,
            desiredCount=2,
            launchType="FARGATE",
            deploymentController={"type": "CODE_DEPLOY"},
            networkConfiguration={
                "awsvpcConfiguration": {"subnets": self.subnets, "securityGroups": [self.security_group]}
            },
            loadBalancers=[{"targetGroupArn": self.groups["photo-ecs"], "containerName": "web", "containerPort": 80}],
        )
        codedeploy.create_application(applicationName=APPLICATION, computePlatform="ECS")
        names = {"applicationName": APPLICATION, "deploymentGroupName": DEPLOYMENT_GROUP}
        pair = {
            "targetGroups": [{"name": "photo-ecs"}, {"name": "photo-ecs-green"}],
            "prodTrafficRoute": {"listenerArns": [self.listener]},
        }
        codedeploy.create_deployment_group(
            **names,
            deploymentConfigName="CodeDeployDefault.ECSAllAtOnce",
            serviceRoleArn="arn:aws:iam::123456789012:role/photo-deploy",
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            ecsServices=[{"clusterName": CLUSTER, "serviceName": ECS_SERVICE}],
            loadBalancerInfo={"targetGroupPairInfoList": [pair]},
        )
        app_spec = {"Resources": [{"TargetService": {"Properties": {"TaskDefinition": task_definition}}}]}
        content = {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(app_spec)}}
        codedeploy.create_deployment(**names, revision=content)

    def _create_jobs(self) -> None:
        events, functions = self.client("events"), self.client("lambda")
        trust = {"Version": "2012-10-17", "Statement": []}
        role = self.client("iam").create_role(RoleName="photo-jobs", AssumeRolePolicyDocument=json.dumps(trust))
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("job.py", "def handler(event, context): ...\n")
        for job, state in JOBS.items():
            function = functions.create_function(
                FunctionName=f"photo-{job}",
                Runtime="python3.13",
                Role=role["Role"]["Arn"],
                Handler="job.handler",
                Code={"ZipFile": code.getvalue()},
            )
            events.put_rule(Name=f"photo-{job}", ScheduleExpression="rate(5 minutes)", State=state)
            events.put_targets(Rule=f"photo-{job}", Targets=[{"Id": "1", "Arn": function["FunctionArn"]}])

    def _put_metrics(self) -> None:
        """What the load balancer and the function of the enabled rule publish."""
        cloudwatch = self.client("cloudwatch")
        balancer = _dimension(self.load_balancer)
        for minutes_ago in range(MINUTES, 0, -1):
            at = self._now - timedelta(minutes=minutes_ago)
            data = [_datum("HTTPCode_ELB_5XX_Count", at, 2, LoadBalancer=balancer)]
            for name, (requests, failures) in REQUESTS.items():
                dimensions = {"LoadBalancer": balancer, "TargetGroup": _dimension(self.groups[name])}
                counts = {
                    "RequestCount": requests,
                    "HTTPCode_Target_2XX_Count": requests - failures,
                    "HTTPCode_Target_5XX_Count": failures,
                    "HealthyHostCount": 2,
                    "UnHealthyHostCount": 0,
                }
                data += [_datum(metric, at, count, **dimensions) for metric, count in counts.items()]
                data += [_datum("TargetResponseTime", at, seconds, **dimensions) for seconds in LATENCIES_S]
            cloudwatch.put_metric_data(Namespace="AWS/ApplicationELB", MetricData=data)
            if minutes_ago % 5 == 0:
                counts = {"Invocations": 1, "Errors": 0, "Duration": 1500}
                data = [_datum(metric, at, count, FunctionName="photo-thumbnails") for metric, count in counts.items()]
                cloudwatch.put_metric_data(Namespace="AWS/Lambda", MetricData=data)

    def _put_access_log(self) -> None:
        """One file: three requests to photo-ec2, one to photo-ecs, which failed."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        end = self._now - timedelta(minutes=5 + self._now.minute % 5)
        ts, balancer = f"{end - timedelta(minutes=2):%Y-%m-%dT%H:%M:%S}.000000Z", _dimension(self.load_balancer)
        lines = [
            *[access_log_line(time=ts, group=self.groups["photo-ec2"])] * 3,
            access_log_line(time=ts, group=self.groups["photo-ecs"], elb="500", target="500"),
        ]
        text = "".join(lines).replace("app/photo/50dc6c495c0c9188", balancer)
        folder = f"alb/AWSLogs/123456789012/elasticloadbalancing/{REGION}/{end:%Y/%m/%d}"
        name = f"123456789012_elasticloadbalancing_{REGION}_{balancer.replace('/', '.')}_{end:%Y%m%dT%H%MZ}_10.0.1.1_3c8d6a1b.log.gz"
        s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=gzip.compress(text.encode()))


def batch_points(now: datetime) -> dict[str, dict[int, float]]:
    """The metrics in Mackerel of three runs of "thumbnails", every five minutes until five minutes before `now`."""
    ends = [int((now - timedelta(minutes=minutes)).timestamp()) for minutes in (15, 10, 5)]
    return {"batch.thumbnails.duration": dict.fromkeys(ends, 1.5), "batch.thumbnails.success": dict.fromkeys(ends, 1)}


def _datum(metric: str, at: datetime, value: float, **dimensions: str) -> dict[str, Any]:
    names = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {"MetricName": metric, "Dimensions": names, "Timestamp": at, "Value": value}


def _dimension(arn: str) -> str:
    """The ARN as the value of a CloudWatch dimension."""
    parsed = Arn.parse(arn)
    assert parsed
    return parsed.dimension
