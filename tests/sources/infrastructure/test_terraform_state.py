"""Terraform states: what is kept of them, what they are refused for, and that nothing else of them comes out."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.infrastructure import InfrastructureHints
from messages.errors.infrastructure import format_infrastructure_issue
from sources.aws.client import AwsAccess
from sources.infrastructure import json_stream
from sources.infrastructure.base import HintsResult, InfrastructureError
from sources.infrastructure.json_stream import JsonStreamError, read_members
from sources.infrastructure.reader import read_infrastructure
from sources.infrastructure.terraform_state import TerraformState, parse_state

SAMPLES = Path(__file__).parents[2] / "samples" / "infrastructure"
PHOTO = SAMPLES / "photo.tfstate"
ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
SECRET = re.compile(r"[\w-]*secret-[\w-]+|sensitive-output-\w+")


def read(path: Path) -> HintsResult:
    return read_infrastructure(AwsAccess(), tfstate=[str(path)], environment={})


def codes(result: HintsResult) -> list[str]:
    return [issue.code for issue in result.issues]


def state_of(*resources: object, **members: object) -> bytes:
    return json.dumps({"version": 4, **members, "resources": resources}).encode()


def test_the_resources_of_a_migration() -> None:
    result = read(PHOTO)
    assert (result.issues, result.problems) == ((), ())
    assert result.hints == InfrastructureHints(
        region="ap-northeast-1",
        load_balancer_arns=(f"{ELB}:loadbalancer/app/photo/50dc6c495c0c9188",),  # without the network load balancer
        listener_arns=(f"{ELB}:listener/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2",),
        listener_rule_arns=(f"{ELB}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",),
        target_group_arns=(
            f"{ELB}:targetgroup/photo-ec2/73e2d6bc24d8a067",
            f"{ELB}:targetgroup/photo-ecs-blue/943f017f100becff",
            f"{ELB}:targetgroup/photo-ecs-green/a0b1c2d3e4f50617",
        ),
        clusters=("photo",),
        services=("photo/web",),
        task_definition_families=("web",),
        codedeploy_applications=("AppECS-photo",),
        codedeploy_deployment_groups=("AppECS-photo/DgpECS-photo",),
        schedule_rules=("thumbnails", "batches/digest"),
        functions=("thumbnails",),
        origins=(str(PHOTO),),
    )


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("aws_lb_target_group.ec2.name", "photo-ec2"),
        ("aws_lb_target_group.ecs['blue'].name", "photo-ecs-blue"),
        ('aws_lb_target_group.ecs["green"].name', "photo-ecs-green"),
        ("module.web.aws_ecs_service.web.name", "web"),
        ("output.cluster_name", "photo"),
        ("output.database_url", None),  # sensitive
        ("output.deploy_key", None),
        ("output.subnets", None),  # no text
        ("aws_db_instance.main.password", None),  # no resource that is read
        ("aws_lb.main.tags", None),
        ("aws_lb_target_group.ecs.name", None),  # without its key
        ("", None),
    ],
)
def test_addresses(address: str, value: str | None) -> None:
    assert parse_state([PHOTO.read_bytes()], "photo").lookup(address) == value


def test_counted_resources_and_data_sources() -> None:
    instances = [{"index_key": n, "attributes": {"name": f"photo-{n}"}} for n in range(2)]
    state = parse_state(
        [
            state_of(
                {"mode": "managed", "type": "aws_ecs_cluster", "name": "all", "instances": instances},
                {
                    "mode": "data",
                    "type": "aws_alb",
                    "name": "main",
                    "instances": [{"attributes_flat": {"name": "photo"}}],
                },
            )
        ],
        "state",
    )
    assert [resource.address for resource in state.resources] == [
        "aws_ecs_cluster.all[0]",
        "aws_ecs_cluster.all[1]",
        "data.aws_alb.main",
    ]
    assert state.lookup("aws_ecs_cluster.all[1].name") == "photo-1"


@pytest.mark.parametrize(
    ("name", "code", "text", "next_step"),
    [
        (
            "version3",
            "old_state",
            "A Terraform state of version 3; only version 4 is read, which Terraform 0.12 and later write.",
            "Run `terraform state pull > state.json` with Terraform 0.12 or later, which prints it in version 4, and pass that file.",
        ),
        (
            "backend",
            "backend_only",
            "This file only names the backend that has the state.",
            "Pass the state itself: `--tfstate s3://photo-tfstate/photo/terraform.tfstate`.",
        ),
        (
            "encrypted",
            "encrypted_state",
            "An encrypted state of OpenTofu.",
            "Run `tofu state pull > state.json` where its key is, pass that file, and delete it afterwards.",
        ),
    ],
)
def test_files_that_only_look_like_a_state(name: str, code: str, text: str, next_step: str) -> None:
    result = read(SAMPLES / f"{name}.tfstate")
    assert (codes(result), result.hints) == ([code], InfrastructureHints())
    message = format_infrastructure_issue(result.issues[0])
    assert (message.text, message.next_step) == (text, next_step)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_a_state"),
        (b"[]", "not_a_state"),
        (b"null", "not_a_state"),
        (b'{"version": 4', "not_a_state"),
        (b'{"version": 4} more', "not_a_state"),
        (b'{"version": "4"}', "not_a_state"),
        (b'{"version": true}', "not_a_state"),
        (b'{"version": 5}', "new_state"),
        (b'{"version": 1, "x": ', "old_state"),
        (b'{"version": 4, "resources": [\xff]}', "not_utf8"),
        (b'{"version": 4, "resources": [' + b"[" * 300_000, "not_a_state"),
        (b'{"version": 4, "serial": ' + b"9" * 5000 + b"}", "not_a_state"),
        (b'{"format_version": "1.0", "values": {}}', "not_a_state"),  # of `terraform show -json`
        (b'{"version": 4, "resources": []}', "nothing_found"),
        (b"\xef\xbb\xbf" + b'{"resources": [], "version": 4}', "nothing_found"),  # in any order
        (b'{"version": 4, "backend": {"type": "gcs", "config": {}}}', "backend_only"),
        (b'{"version": 3, "backend": {"type": "remote", "config": {"workspaces": [{"name": 1}]}}}', "backend_only"),
    ],
)
def test_what_is_refused(content: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    assert codes(read(path)) == [code]


@pytest.mark.parametrize(
    ("config", "location"),
    [
        (
            {"organization": "acme", "workspaces": {"name": "photo"}},
            "https://app.terraform.io/app/acme/workspaces/photo",
        ),
        (
            {"hostname": "tfe.example.com", "organization": "acme", "workspaces": [{"name": "photo"}]},
            "https://tfe.example.com/app/acme/workspaces/photo",
        ),
        ({"organization": "acme", "workspaces": {"prefix": "photo-"}}, ""),
    ],
)
def test_the_location_of_a_remote_backend(config: object, location: str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text(json.dumps({"version": 3, "backend": {"type": "remote", "config": config}}))
    (issue,) = read(path).issues
    assert issue.params == {"location": location}


def test_values_that_cannot_be_names_are_dropped(tmp_path: Path) -> None:
    names: list[Any] = ["web", "a\nb", "", "\ud800", "x" * 600, 7, None, "https://me" + ":pw@host"]
    instances = [{"attributes": {"name": name}} for name in names]
    path = tmp_path / "state"
    path.write_bytes(state_of({"mode": "managed", "type": "aws_ecs_cluster", "name": "a", "instances": instances}))
    assert read(path).hints.clusters == ("web",)


def test_nothing_of_a_state_comes_out(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Of every sample, whole and cut at many places: hints, issues, exceptions, and what is logged."""
    caplog.set_level(logging.DEBUG)
    secrets, outputs = set[str](), list[str]()
    for sample in SAMPLES.glob("*.tfstate"):
        content = sample.read_bytes()
        secrets |= set(SECRET.findall(content.decode()))
        for length in (*range(0, len(content), 997), len(content)):
            path = tmp_path / "state"
            path.write_bytes(content[:length])
            result = read(path)
            outputs += [repr(result), *(repr(format_infrastructure_issue(issue)) for issue in result.issues)]
            try:
                outputs.append(repr(parse_state([content[:length]], "state")))
            except InfrastructureError as error:
                outputs.append(repr((error, error.reason, error.__context__, error.__cause__)))
    assert len(secrets) >= 9
    text = "\n".join([*outputs, caplog.text])
    assert {secret for secret in secrets if secret in text} == set()
    assert "not_a_state" in text and "old_state" in text


def chunked(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_chunks_may_end_anywhere(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_MIN_READ_CHARS", 1)
    content = PHOTO.read_bytes()
    assert parse_state(chunked(content, size), "photo") == parse_state([content], "photo")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@settings(max_examples=40)
@given(members=st.dictionaries(st.text(), JSON), size=st.integers(1, 50))
def test_an_object_is_read_as_json_reads_it(members: dict[str, Any], size: int) -> None:
    content = json.dumps(members, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        content.decode()
    except UnicodeDecodeError:
        return
    assert dict(read_members(chunked(content, size))) == members


def test_a_value_that_is_too_large_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARS", 100_000)
    content = b'{"version": 4, "resources": [{"x": "' + b"a" * 300_000 + b'"}]}'
    with pytest.raises(JsonStreamError, match="value_too_large"):
        list(read_members(chunked(content, 1000), arrays=("resources",)))
    encrypted = b'{"serial": 1, "encrypted_data": "' + b"a" * 300_000 + b'", "encryption_version": "v0"}'
    with pytest.raises(InfrastructureError, match="encrypted_state"):
        parse_state(chunked(encrypted, 1000), "state")


RESOURCE = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["managed", "data", ""]) | JSON,
        "type": st.sampled_from(
            ["aws_lb", "aws_ecs_service", "aws_scheduler_schedule", "aws_codedeploy_deployment_group"]
        ),
        "name": st.text() | JSON,
        "module": JSON,
        "instances": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index_key": JSON,
                    "attributes": st.dictionaries(
                        st.sampled_from(["arn", "name", "id", "cluster", "group_name"]), JSON
                    ),
                    "attributes_flat": JSON,
                },
            )
        )
        | JSON,
    },
)
STATES = st.fixed_dictionaries(
    {"version": st.sampled_from([4, 4, 4, 3]) | JSON},
    optional={
        "resources": st.lists(RESOURCE | JSON) | JSON,
        "outputs": st.dictionaries(st.text(), st.dictionaries(st.sampled_from(["value", "sensitive"]), JSON)) | JSON,
        "modules": JSON,
        "backend": st.fixed_dictionaries({"type": st.sampled_from(["s3", "remote", "cloud"]), "config": JSON}) | JSON,
        "encrypted_data": JSON,
    },
)


@given(content=st.one_of(st.binary(), STATES.map(lambda state: json.dumps(state).encode())))
def test_any_content_is_read_or_refused(content: bytes) -> None:
    try:
        assert isinstance(parse_state([content], "state"), TerraformState)
    except InfrastructureError as error:
        assert error.result().issues and format_infrastructure_issue(error.result().issues[0]).next_step
