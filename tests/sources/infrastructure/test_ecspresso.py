"""ecspresso's configuration and definitions: what is used is rendered, what cannot be is named with its line, everything else is never looked at."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from domain.infrastructure import InfrastructureHints
from sources.infrastructure import jsonnet
from sources.infrastructure.base import HintsResult, InfrastructureError, InfrastructureIssue
from sources.infrastructure.ecspresso import read_ecspresso
from sources.infrastructure.terraform_state import TerraformState, parse_state

SAMPLES = Path(__file__).parents[2] / "samples" / "infrastructure"
ENVIRONMENT = {"AWS_REGION": "ap-northeast-1", "DATABASE_PASSWORD": "hunter2-of-the-environment"}
ELB = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
BLUE, GREEN = (
    f"{ELB}:targetgroup/photo-ecs-blue/943f017f100becff",
    f"{ELB}:targetgroup/photo-ecs-green/a0b1c2d3e4f50617",
)


def photo_state() -> TerraformState:
    return parse_state([(SAMPLES / "photo.tfstate").read_bytes()], "photo.tfstate")


def no_state(location: str) -> TerraformState:
    raise InfrastructureError(InfrastructureIssue("not_readable", location, params={"detail": "no such file"}))


def read(path: Path, environment: Mapping[str, str] = ENVIRONMENT, *states: TerraformState) -> HintsResult:
    return read_ecspresso(path, environment, no_state, states)


def issues(result: HintsResult) -> list[tuple[str, str, int]]:
    return [(issue.code, Path(issue.origin).name, issue.line) for issue in result.issues]


def write(folder: Path, text: str, name: str = "ecspresso.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configuration_with_its_definitions() -> None:
    path = SAMPLES / "ecspresso" / "ecspresso.yml"
    result = read(path, ENVIRONMENT, photo_state())
    assert result.hints == InfrastructureHints(
        region="ap-northeast-1",
        target_group_arns=(BLUE,),
        clusters=("photo",),
        services=("photo/web",),
        task_definition_families=("web",),
        codedeploy_applications=("AppECS-photo",),
        origins=(str(path),),
    )
    # `ssm` is ecspresso's own; the state is outside of the folder, and was given.
    assert issues(result) == [("outside_folder", "ecspresso.yml", 0), ("unknown_function", "ecspresso.yml", 10)]
    assert result.issues[1].params == {
        "function": "ssm",
        "key": "codedeploy.deployment_group_name",
        "expression": "ssm `/photo/deployment-group`",
    }


def test_without_a_state_or_a_variable_everything_else_is_used() -> None:
    result = read(SAMPLES / "ecspresso" / "ecspresso.yml", {"SERVICE": "api"})
    assert (result.hints.region, result.hints.services) == ("", ("api",))
    assert result.hints.task_definition_families == ("web",)
    assert issues(result)[1:] == [
        ("variable_not_set", "ecspresso.yml", 2),
        ("no_state", "ecspresso.yml", 3),
        ("unknown_function", "ecspresso.yml", 10),
        ("no_state", "ecs-service-def.json", 10),
    ]


def test_jsonnet_with_native_functions_and_imports(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLES / "jsonnet", tmp_path / "jsonnet")
    opened = list[str]()

    def read_state(location: str) -> TerraformState:
        opened.append(location)
        return photo_state()

    result = read_ecspresso(folder / "ecspresso.jsonnet", ENVIRONMENT, read_state)
    assert result.issues == ()
    assert opened == [str(folder / "terraform.tfstate")]  # once
    assert result.hints.target_group_arns == (GREEN, BLUE)
    assert result.hints.listener_rule_arns == (
        f"{ELB}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
    )
    assert (result.hints.services, result.hints.task_definition_families) == (("photo/web",), ("web",))


def test_jsonnet_imports_nothing_outside_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ecspresso"
    folder.mkdir()
    write(tmp_path, "{ service: 'stolen' }", "other.libsonnet")
    path = write(folder, "import '../other.libsonnet'", "ecspresso.jsonnet")
    result = read(path)
    assert result.hints == InfrastructureHints()
    assert [(issue.code, issue.params) for issue in result.issues] == [
        ("outside_folder", {"path": "../other.libsonnet"})
    ]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("{ service: std.extVar('SERVICE') }", "external variable"),
        ("{\n service: ", "ecspresso.jsonnet:2:"),
        ("local f(x) = f(x) + 1; { service: f(1) }", "stack"),
    ],
)
def test_jsonnet_that_cannot_be_evaluated(text: str, detail: str, tmp_path: Path) -> None:
    result = read(write(tmp_path, text, "ecspresso.jsonnet"))
    assert issues(result) == [("not_jsonnet", "ecspresso.jsonnet", 0)]
    assert detail in result.issues[0].params["detail"]


def test_without_a_program_for_jsonnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jsonnet, "_PACKAGE", "no_such_package")
    monkeypatch.setenv("PATH", "")
    result = read(write(tmp_path, "{}", "ecspresso.jsonnet"))
    assert issues(result) == [("no_jsonnet", "ecspresso.jsonnet", 0)]


def test_the_command_is_used_if_no_package_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "jsonnet"
    command.write_text('#!/bin/sh\n[ "$*" = "--max-stack 500 -" ] && grep -q service && echo \'{"service": "web"}\'\n')
    command.chmod(0o755)
    monkeypatch.setattr(jsonnet, "_PACKAGE", "no_such_package")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert read(write(tmp_path, "{ service: 'web' }", "ecspresso.jsonnet")).hints.services == ("default/web",)
    command.write_text("#!/bin/sh\necho 'STATIC ERROR: line 1' >&2; exit 1\n")
    result = read(write(tmp_path, "{ service: ", "ecspresso.jsonnet"))
    assert [issue.params for issue in result.issues] == [{"detail": "STATIC ERROR: line 1"}]


def test_the_default_cluster_is_named_only_for_a_service(tmp_path: Path) -> None:
    assert read(write(tmp_path, "service: web\n")).hints.services == ("default/web",)
    assert read(write(tmp_path, "region: ap-northeast-1\n")).hints.clusters == ()
    # A cluster that could not be rendered is not the default one.
    assert read(write(tmp_path, "service: web\ncluster: '{{ must_env `NONE` }}'\n")).hints.services == ("web",)


def test_several_states_with_prefixes(tmp_path: Path) -> None:
    text = (
        "cluster: '{{ net_tfstate `aws_ecs_cluster.a.name` }}'\nservice: '{{ tfstate `aws_ecs_service.a.name` }}'\nplugins:\n"
        "  - {name: tfstate, func_prefix: net_, config: {url: s3://states/net}}\n  - {name: tfstate, config: {url: s3://states/app}}\n"
    )

    def read_state(location: str) -> TerraformState:
        kind, name = {"s3://states/net": ("cluster", "photo"), "s3://states/app": ("service", "web")}[location]
        instance = f'{{"attributes": {{"name": "{name}"}}}}'
        resource = f'{{"mode": "managed", "type": "aws_ecs_{kind}", "name": "a", "instances": [{instance}]}}'
        return parse_state([f'{{"version": 4, "resources": [{resource}]}}'.encode()], location)

    result = read_ecspresso(write(tmp_path, text), {}, read_state)
    assert (result.issues, result.hints.services) == ((), ("photo/web",))


def test_blocks_are_left_out_and_named(tmp_path: Path) -> None:
    text = (
        "service: web\n{{ if (env `BUCKET` ``) }}\ncluster: a\n{{ else }}\ncluster: b\n{{ end }}\nregion: eu-west-1\n"
    )
    result = read(write(tmp_path, text))
    assert (result.hints.services, result.hints.region) == (("default/web",), "eu-west-1")
    assert issues(result) == [("control_block", "ecspresso.yml", 2)]
    assert result.issues[0].params == {"expression": "if (env `BUCKET` ``)"}


@pytest.mark.parametrize("name", ["/etc/passwd", "../other.json", "link.json"])
def test_definitions_outside_of_the_folder_are_not_read(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "ecspresso"
    folder.mkdir()
    write(tmp_path, '{"family": "stolen"}', "other.json")
    (folder / "link.json").symlink_to("../other.json")
    result = read(write(folder, f"service: web\ntask_definition: {name}\n"))
    assert result.hints.task_definition_families == ()
    assert [(issue.code, issue.params) for issue in result.issues] == [("outside_folder", {"path": name})]


def test_only_what_is_used_is_read_from_the_environment() -> None:
    read_names = set[str]()

    class Recorded(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            read_names.add(key)
            return super().__getitem__(key)

        def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
            read_names.add(key)
            return super().get(key, default)  # type: ignore[return-value,arg-type]

    environment = Recorded(ENVIRONMENT)
    read(SAMPLES / "ecspresso" / "ecspresso.yml", environment, photo_state())
    # ecspresso looks up the last argument of `env`, too, which is the default.
    assert read_names == {"AWS_REGION", "SERVICE", "web", "COLOR", "blue"}


def test_a_value_that_looks_like_a_secret_is_withheld(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "abcdefgh12345678")
    path = write(tmp_path, "service: web\ncluster: '{{ must_env `DEPLOY_TOKEN` }}'\n")
    result = read(path, {"DEPLOY_TOKEN": "abcdefgh12345678"})
    assert issues(result) == [("withheld", "ecspresso.yml", 2)]
    assert "abcdefgh" not in repr(result)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("ecspresso.yml", "service: [web\nregion: x\n", ("not_yaml", 2)),
        ("ecspresso.yml", "service: 'web\n", ("not_yaml", 2)),
        ("ecspresso.yml", "service: web\ncluster: {{ must_env `A`\n", ("not_an_expression", 2)),
        ("ecspresso.yml", "service: web\ncluster: '{{ env ; }}'\n", ("not_an_expression", 2)),
        ("ecspresso.yml", "service: web\ncluster: '{{ $cluster }}'\n", ("unknown_function", 2)),
        ("ecspresso.yml", "service: web\ncluster: '{{ .Cluster | printf `%s` }}'\n", ("unknown_function", 2)),
        ("ecspresso.yml", "service: web\ncluster: '{{ must_env `A` `B` }}'\n", ("not_an_expression", 2)),
        ("ecspresso.toml", "service = 'web'\n", ("unknown_suffix", 0)),
        ("ecspresso.json", '{"service": ', ("not_jsonnet", 0)),
    ],
)
def test_what_is_wrong_is_named_with_its_line(name: str, text: str, expected: tuple[str, int], tmp_path: Path) -> None:
    result = read(write(tmp_path, text, name))
    assert [(issue.code, issue.line) for issue in result.issues] == [expected]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert issues(read(tmp_path / "none.yml")) == [("not_readable", "none.yml", 0)]
    (tmp_path / "folder.yml").mkdir()
    assert issues(read(tmp_path / "folder.yml")) == [("not_readable", "folder.yml", 0)]
    (tmp_path / "a.yml").write_bytes(b"service: \xff\n")
    assert issues(read(tmp_path / "a.yml")) == [("not_utf8", "a.yml", 0)]
    (tmp_path / "b.yml").write_bytes(b"a" * (257 << 10))
    assert issues(read(tmp_path / "b.yml")) == [("file_too_large", "b.yml", 0)]


def test_a_bomb_of_aliases_stays_small(tmp_path: Path) -> None:
    lines = ["a0: &a0 {service: web}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], x: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    result = read(write(tmp_path, "\n".join([*lines, "service: web"])))
    assert result.hints.services == ("default/web",)
