"""`report`: the file it writes, its output and its exit codes."""

import hashlib
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import cli
from commands.shared import startup
from domain import Migration, Window
from sources.base import Problem, Pull
from sources.demo.sources import DemoEvents, DemoMetrics
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, NOW, json_output
from tests.cli.conftest import run as run_command

pytestmark = pytest.mark.usefixtures("demo")
run = partial(run_command, "report")


def test_it_writes_the_file_of_the_current_phase_and_prints_path_and_checksum(tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stderr == "Reading Demo metrics …\n"
    path, sum_of_data = result.stdout.splitlines()
    assert path == "evidence-photo-service-demo-20261123T1352Z-20261123T2017Z.zip"
    with zipfile.ZipFile(tmp_path / path) as file:
        assert sum_of_data == f"{hashlib.sha256(file.read('data.csv')).hexdigest()}  data.csv"
        data = json.loads(file.read("judgement.json"))
    assert (data["phase"]["canary_share"], data["phase"]["started_by"]) == (0.5, "weight")
    assert data["phase"]["errors"] == {"baseline": 6131, "canary": 6031}


def test_its_json_has_the_path_and_the_checksum() -> None:
    output = json_output(run("--window", "1h", "--out", "out.zip", "--json"))
    with zipfile.ZipFile("out.zip") as file:
        checksum = hashlib.sha256(file.read("data.csv")).hexdigest()
        assert json.loads(file.read("manifest.json"))["evidence_sha256"] == output["evidence_sha256"]
    assert output == {
        "schema": 1,
        "ok": True,
        "path": "out.zip",
        "data_sha256": checksum,
        "evidence_sha256": output["evidence_sha256"],
        **{name: output[name] for name in ("verdict", "decision", "reasons", "incidents")},
        "window": {"from": "2026-11-23T19:17:00Z", "to": "2026-11-23T20:17:00Z"},
    }
    assert (output["verdict"], output["decision"]) == ("undecided", "hold")
    assert output["reasons"][0]["code"] == "route_regression"


def test_its_judgement_equals_that_of_judge(tmp_path: Path) -> None:
    run("--window", "3h", "--out", "evidence.zip")
    result = CliRunner().invoke(cli.app, ["judge", "--window", "3h", "--json"])
    with zipfile.ZipFile(tmp_path / "evidence.zip") as file:
        judgement = json.loads(file.read("judgement.json"))
    assert judgement | {name: json.loads(result.stdout)[name] for name in ("sign_offs", "ledger")} == json.loads(
        result.stdout
    )


def test_a_phase_long_past_is_judged_to_its_end(tmp_path: Path) -> None:
    assert run("--phase", "8", "--out", "eight.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "eight.zip") as file:
        data = json.loads(file.read("judgement.json"))
    assert data["phase"]["number"] == 8
    assert {item["excluded"]["provisional"] for item in data["criteria"]} == {0}
    assert all(item["minutes"] for item in data["criteria"])


def test_an_existing_file_is_replaced_and_an_unwritable_one_reported(tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("old")
    assert run("--window", "1h", "--out", "out.zip").exit_code == 0
    assert zipfile.is_zipfile(tmp_path / "out.zip")
    result = run("--window", "1h", "--out", "no/such/folder.zip")
    assert result.exit_code == 3
    assert "Cannot write no/such/folder.zip: No such file or directory. Use another --out." in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "args", [("--window", "soon"), ("--phase", "99"), ("--window", "3h", "--phase", "2"), ("--source", "x"), ("--no",)]
)
def test_an_invalid_option_exits_with_3_and_writes_nothing(tmp_path: Path, args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 3
    assert not list(tmp_path.glob("*.zip"))


def test_without_an_answer_there_is_no_evidence(
    tmp_path: Path, demo: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Denied(DemoMetrics):
        def pull(self, window: Window, series: Any = None) -> Pull:
            problem = Problem(
                "denied", self.name, "cloudwatch:GetMetricData", "ap-northeast-1", "AccessDenied: not you"
            )
            return Pull(window, int(NOW.timestamp()), problems=(problem,))

    def denied(migration: Migration, **_: Any) -> Sources:
        clock = {"anchor": ANCHOR, "clock": lambda: NOW}
        return Sources((Denied(migration, **clock),), None, (DemoEvents(**clock),))

    monkeypatch.setattr(startup, "create_sources", denied)
    result = run()
    assert result.exit_code == 3
    assert "NO DATA" in result.stdout and "cloudwatch:GetMetricData" in result.stdout
    assert not list(tmp_path.glob("*.zip"))


def test_a_configuration_with_issues_exits_with_3(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("[migration]\n")
    assert run("--config", "wrong.toml").exit_code == 3


def test_every_option_is_documented() -> None:
    docs = (Path(cli.__file__).parent / "docs" / "cli.md").read_text(encoding="utf-8")
    assert "## report" in docs and "evidence.md" in docs
    assert "`--out FILE`" in docs
