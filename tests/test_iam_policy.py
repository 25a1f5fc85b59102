"""The documented IAM policy is exactly what the program calls: every operation over all sources, probes and notifications is recorded and compared."""

import ast
import re
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from channels.sns import SnsChannel
from domain import Window
from domain.window import DAY_S
from sources.access_logs.base import LogFile
from sources.aws.client import AwsAccess
from sources.aws.codedeploy import CodeDeploy
from sources.aws.inventory import read_aws_inventory
from sources.aws.load_balancer_dns import load_balancer_dns
from sources.infrastructure.cloudformation import read_cloudformation
from sources.registry import create_sources
from tests.factories.aws import aws_migration
from tests.factories.aws_operations import recorded_actions
from tests.factories.deployments import NOON, clock, deployments_migration, no_retry_client
from tests.factories.iam_policy import IAM_PAGE, ROOT, statements
from tests.factories.notify import NOTICE
from tests.factories.proxied_sources import ProxiedSources, proxied_sources
from tests.factories.releases import HOUR, release_config, released_service, service_deployment
from tests.fakes.deployments import FakeDeployments, app_spec, deployment_payload
from tests.fakes.services import EXAMPLE_CREDENTIALS
from tests.fakes.webhooks import FakeSns

# Pages of sources and channels, with their parts of the policy.
PAGES = (
    *("access_logs", "athena", "batches", "cloudtrail", "cloudwatch", "codedeploy"),
    *("ecs", "init", "load_balancer", "notifications", "probe"),
)
# Athena calls these with the caller's permissions, for the queries that the program starts.
CALLED_BY_ATHENA = frozenset(
    {
        *("glue:GetDatabase", "glue:GetTable", "glue:CreateTable", "glue:GetPartition", "glue:GetPartitions"),
        *("s3:GetBucketLocation", "s3:PutObject", "s3:AbortMultipartUpload"),
    }
)
CALLED_BY_S3 = frozenset({"kms:Decrypt"})  # with the caller's permissions, for a state that is encrypted
# Names of operations that are not called: the changes that the program looks for in CloudTrail, and functions of Python and of its own.
NOT_CALLED = frozenset(
    {
        *("CreateRule", "DeleteRule", "ModifyListener", "ModifyRule", "SetRulePriorities"),
        *("CreateConnection", "ListObjects"),
    }
)
SERVICES = (
    *("athena", "cloudformation", "cloudtrail", "cloudwatch", "codedeploy", "ecs", "elbv2"),
    *("events", "logs", "s3", "scheduler", "sns"),
)


def actions_of(page: Path) -> set[str]:
    names = (statement["Action"] for statement in statements(page))
    return {name for item in names for name in ([item] if isinstance(item, str) else item)}


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The actions of every request of all sources and channels."""
    with proxied_sources(tmp_path_factory.mktemp("iam")) as sources, recorded_actions() as actions:
        call_sources(sources)
    with recorded_actions() as more_actions, pytest.MonkeyPatch.context() as patch:
        for name, value in EXAMPLE_CREDENTIALS.items():
            patch.setenv(name, value)
        call_codedeploy_without_app_specs()
        call_ecs_of_releases(tmp_path_factory.mktemp("releases"), patch)
        call_sns(patch)
    return actions | more_actions


def call_sources(sources: ProxiedSources) -> None:
    for source in sources.create():
        for request in sources.requests_of(source).values():
            request()
        if hasattr(source, "count_day"):
            day = LogFile("athena:2026-09-21", 1, Window(NOON, NOON + DAY_S), (LogFile("a", 1),))
            source.count_day(day, on_progress=lambda _: None, should_stop=lambda: True)
    load_balancer_dns(sources.migration)
    read_aws_inventory(AwsAccess(sources.migration.region))
    read_cloudformation("photo", AwsAccess(sources.migration.region))


def call_codedeploy_without_app_specs() -> None:
    payload = deployment_payload("d-DONE00042", "Succeeded", NOON - HOUR, 42, before=41)
    for revision in ("revision", "previousRevision"):
        payload[revision]["appSpecContent"] = {"sha256": "ab12"}
    with FakeDeployments() as fake:
        fake.deployments, fake.revisions = [payload], {"ab12": app_spec(42)}
        client = no_retry_client("codedeploy", fake.url)
        CodeDeploy(deployments_migration(), clock=clock, client=client).events(Window(NOON - HOUR, NOON))


def call_ecs_of_releases(folder: Path, patch: pytest.MonkeyPatch) -> None:
    with released_service(folder, patch, migration=release_config(commit_tag="commit")) as service:
        service.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
        for source in create_sources(service.migration, clock=service.clock).events:
            source.events(Window(NOON - HOUR, NOON))


def call_sns(patch: pytest.MonkeyPatch) -> None:
    migration = aws_migration()
    assert migration.aws
    with FakeSns() as sns:
        patch.setenv("AWS_ENDPOINT_URL_SNS", sns.url)
        SnsChannel("arn:aws:sns:ap-northeast-1:123456789012:migration", migration.aws).send(NOTICE, is_repeat=False)


def test_the_documented_policy_is_exactly_what_is_called(called: set[str]) -> None:
    assert actions_of(IAM_PAGE) - CALLED_BY_ATHENA - CALLED_BY_S3 == called


def test_the_pages_of_the_sources_document_the_same_policy() -> None:
    actions = {page: actions_of(ROOT / "docs" / f"{page}.md") for page in PAGES}
    assert all(actions.values()), "a page without a policy"
    assert set().union(*actions.values()) == actions_of(IAM_PAGE)


def test_every_operation_that_the_program_names_is_called_here(called: set[str]) -> None:
    """So that a new call, which no test above would make, is not missed."""
    loader = Loader()
    operations = {
        name for service in SERVICES for name in loader.load_service_model(service, "service-2")["operations"]
    }
    by_name = {name: name for name in operations} | {xform_name(name): name for name in operations}
    named = {by_name[word] for package in ("sources", "channels") for word in words_of(ROOT / package) & set(by_name)}
    recorded = {action.partition(":")[2].replace("ListBucket", "ListObjectsV2") for action in called}
    assert named - NOT_CALLED == recorded


def words_of(package: Path) -> set[str]:
    """Every string and attribute in the code of a package."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")]
    words = set[str]()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
    return words


def test_no_statement_can_change_what_is_observed() -> None:
    """Writing is limited to Athena's own results and table, and to messages of the one topic."""
    writing = {
        name
        for name in actions_of(IAM_PAGE)
        if not re.search(r":(Get|List|Describe|BatchGet|Lookup|Filter|Decrypt)", name)
    }
    assert writing == {
        *("athena:StartQueryExecution", "athena:StopQueryExecution", "glue:CreateTable"),
        *("s3:PutObject", "s3:AbortMultipartUpload", "sns:Publish"),
    }
