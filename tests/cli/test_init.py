"""`init` on loopback: what it finds, asks, prints and writes; and that `doctor` passes on the file."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from domain.config.loader import load
from tests.cli.conftest import json_output, lines, run
from tests.fakes.deployments import service as service_payload
from tests.fakes.elbv2 import EXPIRED
from tests.fakes.mackerel import SERVICE
from tests.fakes.services import FakeServices, fake_services
from tests.fakes.traffic_model import SteadyTraffic

pytestmark = pytest.mark.xdist_group("elbv2")
DENIED = (400, "AccessDeniedException", "User is not authorized to perform: codedeploy:ListApplications")
CLI = Path(cli.__file__)
WAIT_S = 60.0


@pytest.fixture(scope="module")
def services() -> Iterator[FakeServices]:
    with fake_services(SteadyTraffic(lambda _: {"photo-ec2": 0.9, "photo-ecs": 0.1})) as running:
        yield running


@pytest.fixture
def folder(services: FakeServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The working directory, without a configuration."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "MIGRATION_CONFIG", "MIGRATION_DEMO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in services.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MIGRATION_LANGUAGE", "en")
    monkeypatch.chdir(tmp_path)
    deployed = services.deployments.services
    yield tmp_path
    services.elbv2.reset()
    services.deployments.errors.clear()
    services.deployments.services = deployed
    services.mackerel.has_read_permission = True


def run_program(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CLI), *args], capture_output=True, text=True, check=False, timeout=WAIT_S
    )


def two_equal_services(services: FakeServices) -> None:
    """An ECS service in both target groups: which one is the old fleet is ambiguous."""
    payload = service_payload("ECS")
    services.deployments.services = [
        payload
        | {
            "serviceName": name,
            "serviceArn": payload["serviceArn"].replace("/web", f"/{name}"),
            "loadBalancers": [{"targetGroupArn": services.elbv2.groups[group]}],
            "taskDefinition": f"arn:aws:ecs:ap-northeast-1:123456789012:task-definition/{name}:1",
        }
        for name, group in (("old", "photo-ec2"), ("web", "photo-ecs"))
    ]


def test_the_program_writes_a_file_that_doctor_passes(folder: Path) -> None:
    written = run_program("init")
    assert (written.returncode, lines(written.stderr)[0]) == (0, "Reading Elastic Load Balancing…")
    assert lines(written.stdout) == [
        "Load balancer: photo",
        "the only load balancer that was found",
        "Listener rule: HTTPS:443 default",
        "forwards with the weights photo-ec2 90, photo-ecs 10",
        "for all visitors alike",
        "the only rule with several target groups",
        "Old fleet (EC2): photo-ec2",
        "its targets are IP addresses",
        "no ECS service registers its tasks here",
        "New fleet (ECS): photo-ecs",
        "the ECS service photo/web registers its tasks here",
        "ECS service: photo/web · desired tasks: 4 · task definition: web:42",
        "CodeDeploy: AppECS-photo/DgpECS-photo",
        "Mackerel service: photo",
        "has the name of the load balancer or of the ECS service",
        "the host photo has metrics of these target groups",
        "Written: migration.toml",
        "Next: cli.py doctor checks every permission, then make run.",
    ]
    checked = run_program("doctor")
    assert (checked.returncode, lines(checked.stdout)[-1]) == (0, "All checks passed.")
    assert "✘" not in checked.stdout and "!" not in checked.stdout


def test_batches_are_found_and_doctor_passes_on_them(folder: Path, services: FakeServices) -> None:
    events, now = services.elbv2.client("events"), int(time.time()) // 60 * 60
    function = "arn:aws:lambda:ap-northeast-1:123456789012:function:photo-thumbnails"
    events.put_rule(Name="photo-thumbnails", ScheduleExpression="rate(5 minutes)")
    events.put_targets(Rule="photo-thumbnails", Targets=[{"Id": "1", "Arn": function}])
    ran = dict.fromkeys(range(now - 1800, now, 300), 1.0)
    services.mackerel.points[SERVICE] = {f"batch.thumbnails.{metric}": ran for metric in ("duration", "success")}
    try:
        assert "Batches: thumbnails" in lines(run("init").stdout)
        batches = load(folder / "migration.toml").batches
        assert batches and [(job.name, job.rule) for job in batches.jobs] == [("thumbnails", "photo-thumbnails")]
        assert run("doctor").exit_code == 0
    finally:
        services.mackerel.points.clear()
        events.remove_targets(Rule="photo-thumbnails", Ids=["1"])
        events.delete_rule(Name="photo-thumbnails")


def test_an_existing_file_is_kept_before_anything_is_asked(folder: Path, services: FakeServices) -> None:
    (folder / "migration.toml").write_text("mine", encoding="utf-8")
    services.elbv2.calls.clear()
    result = run("init")
    assert result.exit_code == 1
    assert result.stderr == "migration.toml exists. Use --overwrite, or another --output.\n"
    assert (folder / "migration.toml").read_text(encoding="utf-8") == "mine"
    assert services.elbv2.calls == []
    assert run("init", "--overwrite").exit_code == 0
    assert load(folder / "migration.toml").name == "photo"


def test_another_file_and_a_folder_that_does_not_exist(folder: Path) -> None:
    assert run("init", "--output", "staging.toml").exit_code == 0
    assert load(folder / "staging.toml").name == "photo"
    result = run("init", "--output", "none/staging.toml")
    assert result.exit_code == 1
    assert "none/staging.toml" in result.stderr


def test_printed_to_standard_output_it_is_the_file_alone(folder: Path) -> None:
    result = run("init", "--output", "-")
    assert result.exit_code == 0
    (folder / "printed.toml").write_text(result.stdout, encoding="utf-8")
    assert load(folder / "printed.toml").fleets.canary.ecs_service == "photo/web"
    assert not (folder / "migration.toml").exists()


def test_the_proposal_as_json(folder: Path, services: FakeServices) -> None:
    output = json_output(run("init", "--json"))
    assert (output["name"], output["region"], output["listener_rule"]) == (
        "photo",
        "ap-northeast-1",
        services.elbv2.rule,
    )
    assert output["fleets"]["canary"] == {
        "label": "ECS",
        "target_groups": [services.elbv2.groups["photo-ecs"]],
        "ecs_service": "photo/web",
        "codedeploy": "AppECS-photo/DgpECS-photo",
    }
    assert [choice["key"] for choice in output["choices"]] == [
        "load_balancer",
        "listener_rule",
        "ecs_target_group",
        "ec2_target_group",
        "mackerel_service",
    ]
    assert output["problems"] == []
    assert not (folder / "migration.toml").exists()


def test_what_is_denied_is_a_sentence_with_the_permission_and_the_rest_is_written(
    folder: Path, services: FakeServices
) -> None:
    services.deployments.errors["ListApplications"] = DENIED
    result = run("init")
    assert result.exit_code == 0
    output = " ".join(lines(result.stdout))
    assert "Allow `codedeploy:ListApplications` in the IAM policy" in output
    migration = load(folder / "migration.toml")
    assert (migration.fleets.canary.ecs_service, migration.fleets.canary.codedeploy) == ("photo/web", "")


def test_without_mackerel(folder: Path, services: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    services.mackerel.has_read_permission = False
    result = run("init")
    assert (result.exit_code, load(folder / "migration.toml").mackerel) == (0, None)
    assert "Mackerel could not be read" in result.stdout
    monkeypatch.delenv("MACKEREL_APIKEY")
    result = run("init", "--overwrite")
    assert (result.exit_code, load(folder / "migration.toml").mackerel) == (0, None)
    assert "MACKEREL_APIKEY is not set" in result.stdout


def test_expired_credentials(folder: Path, services: FakeServices) -> None:
    services.elbv2.errors["*"] = EXPIRED
    result = run("init")
    assert result.exit_code == 1
    assert lines(result.stdout)[0].startswith("AWS credentials expired.")
    assert lines(result.stderr)[-1].startswith("No Application Load Balancer was found in ap-northeast-1.")
    assert list(folder.iterdir()) == []
    as_json = run("init", "--json")
    output = json_output(as_json)
    assert (as_json.exit_code, output["ok"], output["failure"]) == (1, False, "no_load_balancer")
    assert [problem["kind"] for problem in output["problems"]] == ["expired_token"]


def test_without_a_region(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    result = run("init")
    assert result.exit_code == 2
    assert result.stderr == "No AWS region is configured. Set --region, AWS_REGION, or `region` in the profile.\n"
    assert run("init", "--region", "ap-northeast-1").exit_code == 0


def test_what_is_ambiguous_without_a_terminal_lists_the_candidates_and_the_option(
    folder: Path, services: FakeServices
) -> None:
    two_equal_services(services)
    result = run("init")
    assert result.exit_code == 2
    assert lines(result.stderr)[-1] == (
        "Which target groups are the new fleet (ECS)? Candidates: photo-ecs, photo-ec2. Set --ecs-target-group, or --yes for the first."
    )
    assert list(folder.iterdir()) == []
    assert run("init", "--ecs-target-group", "photo-ec2").exit_code == 0
    assert load(folder / "migration.toml").fleets.canary.ecs_service == "photo/old"
    assert run("init", "--yes", "--output", "yes.toml").exit_code == 0
    assert load(folder / "yes.toml").fleets.canary.ecs_service == "photo/web"


def test_an_ecspresso_configuration_decides_between_candidates(folder: Path, services: FakeServices) -> None:
    two_equal_services(services)
    (folder / "ecspresso.yml").write_text("region: ap-northeast-1\ncluster: photo\nservice: old\n", encoding="utf-8")
    result = run("init", "--ecspresso", "ecspresso.yml")
    assert result.exit_code == 0
    assert "named in ecspresso.yml" in result.stdout
    assert load(folder / "migration.toml").fleets.canary.ecs_service == "photo/old"


def test_a_state_names_the_region_and_the_load_balancer(
    folder: Path, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "none"))
    attributes = {"arn": services.elbv2.load_balancer, "name": "photo"}
    resource = {
        "mode": "managed",
        "type": "aws_lb",
        "name": "photo",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": attributes}],
    }
    state = {"version": 4, "terraform_version": "1.9.8", "serial": 1, "lineage": "x", "outputs": {}}
    (folder / "photo.tfstate").write_text(json.dumps(state | {"resources": [resource]}), encoding="utf-8")
    result = run("init", "--tfstate", "photo.tfstate")
    assert result.exit_code == 0, result.stderr
    assert "named in photo.tfstate" in result.stdout
    migration = load(folder / "migration.toml")
    assert migration.aws and migration.aws.region == "ap-northeast-1"


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(folder: Path) -> None:
    result = run("init", "--ecspresso", "none.yml", "--tfstate", "none.tfstate")
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in lines(result.stderr) if "none." in line] == ["none.yml", "none.tfstate"]
    assert result.stderr.count("docs/init.md#what-could-not-be-read") == 2


def test_an_option_that_names_nothing_lists_what_was_found(folder: Path) -> None:
    result = run("init", "--ec2-target-group", "shop")
    assert result.exit_code == 2
    assert lines(result.stderr)[-1] == "--ec2-target-group shop: not found. Found: photo-ec2."


def test_no_mackerel_service_by_option(folder: Path) -> None:
    assert run("init", "--mackerel-service", "").exit_code == 0
    mackerel = load(folder / "migration.toml").mackerel
    assert mackerel and mackerel.service == "" and mackerel.alb_host


def test_in_a_terminal_the_arrow_keys_choose(folder: Path, services: FakeServices) -> None:
    two_equal_services(services)
    output = in_terminal("init", keys=b"\x1b[B\r", after="Which target groups are the new fleet (ECS)?")
    assert "Written: migration.toml" in output
    assert load(folder / "migration.toml").fleets.canary.ecs_service == "photo/old"


def test_in_a_terminal_enter_takes_what_is_preselected(folder: Path, services: FakeServices) -> None:
    two_equal_services(services)
    in_terminal("init", keys=b"\r", after="Which target groups are the new fleet (ECS)?")
    assert load(folder / "migration.toml").fleets.canary.ecs_service == "photo/web"


def test_in_a_terminal_ctrl_c_writes_nothing(folder: Path, services: FakeServices) -> None:
    two_equal_services(services)
    in_terminal("init", keys=b"\x03", after="Which target groups are the new fleet (ECS)?")
    assert list(folder.iterdir()) == []


def in_terminal(*args: str, keys: bytes, after: str) -> str:
    """The output of the program in a terminal, in which `keys` are pressed when the text `after` is shown."""
    terminal, other_end = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, str(CLI), *args],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(other_end)
    shown, pressed, until = b"", False, time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:  # the program has ended
                break
        if b"\x1b[6n" in shown and not pressed:  # the position of the cursor is asked for
            os.write(terminal, b"\x1b[1;1R")
            shown = shown.replace(b"\x1b[6n", b"")
        if after.encode() in shown and not pressed:
            os.write(terminal, keys)
            pressed = True
    program.wait(WAIT_S)
    os.close(terminal)
    assert pressed, shown.decode()
    return shown.decode()
