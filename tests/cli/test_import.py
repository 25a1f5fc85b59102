"""`import mackerel` against a Mackerel on loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain import load
from tests.cli.conftest import run
from tests.factories.small_config import MACKEREL, small_toml
from tests.fakes.mackerel import API_KEY, FakeMackerel

CONFIG = small_toml(f'{MACKEREL}organization = "example"\n')


def widget(title: str, ec2: str, ecs: str) -> dict[str, object]:
    text = f"group(alias({ec2}, 'EC2'), alias({ecs}, 'ECS'))"
    return {"type": "graph", "title": title, "graph": {"type": "expression", "expression": text}}


@pytest.fixture
def mackerel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMackerel]:
    with FakeMackerel() as fake:
        monkeypatch.setenv("MACKEREL_APIBASE", fake.url)
        monkeypatch.setenv("MACKEREL_APIKEY", API_KEY)
        fake.dashboards = [
            {
                "id": "d1",
                "title": "移行",
                "widgets": [
                    widget("uploads", "service(photo, up.ec2)", "service(photo, up.ecs)"),
                    widget(
                        "5xx",
                        *(f"divide(service(photo, {name}.5xx), service(photo, {name}.all))" for name in ("ec2", "ecs")),
                    ),
                    {"type": "graph", "title": "labelled", "graph": {"type": "query", "query": "up"}},
                ],
            }
        ]
        yield fake


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "migration.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_pairs_are_listed_with_what_cannot_be_read(mackerel: FakeMackerel, config: Path) -> None:
    result = run("import", "mackerel", "--config", str(config))
    assert result.exit_code == 0
    words = " ".join(result.output.split())
    assert "Pairs: 2 · dashboards: 1 · expression monitors: 1" in words and "±10%" in words and "移行" in words
    assert "Not read: labelled (移行): a PromQL query; no API of Mackerel reads labelled metrics" in words
    assert "https://mackerel.io/orgs/example/dashboards/d1" in words.replace(" ", "")


def test_chosen_pairs_are_printed_as_criteria(mackerel: FakeMackerel, config: Path, tmp_path: Path) -> None:
    result = run("import", "mackerel", "--config", str(config), "--take", "2")
    assert result.exit_code == 0 and result.output.startswith("# From the dashboard 移行\n[[criteria]]\n")
    whole = tmp_path / "whole.toml"
    whole.write_text(f"{CONFIG}\n{result.output}", encoding="utf-8")
    (criterion,) = load(whole).criteria
    assert (criterion.name, criterion.kind, str(criterion.margin)) == ("5xx", "rate", "10%")


def test_criteria_are_appended_once(mackerel: FakeMackerel, config: Path) -> None:
    assert run("import", "mackerel", "--config", str(config), "--write", str(config)).exit_code == 0
    assert [criterion.name for criterion in load(config).criteria] == ["uploads", "5xx"]
    again = run("import", "mackerel", "--config", str(config), "--write", str(config))
    assert again.exit_code == 0 and len(load(config).criteria) == 2


def test_json_has_the_tables(mackerel: FakeMackerel, config: Path) -> None:
    output = json.loads(run("import", "mackerel", "--config", str(config), "--json").output)
    assert (output["ok"], output["dashboards"], len(output["pairs"])) == (True, 1, 2)
    assert output["pairs"][0]["toml"].startswith("# From the dashboard")
    assert output["unread"][0]["reason"] == "query"
    chosen = json.loads(run("import", "mackerel", "--config", str(config), "--json", "--take", "2").output)
    assert [pair["name"] for pair in chosen["pairs"]] == ["5xx"]


def test_no_such_pair(mackerel: FakeMackerel, config: Path) -> None:
    result = run("import", "mackerel", "--config", str(config), "--take", "7")
    assert result.exit_code == 2 and "Use 1 to 2, or all." in result.output


def test_a_key_without_the_right_to_read(mackerel: FakeMackerel, config: Path) -> None:
    mackerel.has_read_permission = False
    result = run("import", "mackerel", "--config", str(config))
    assert result.exit_code == 1 and "docs/problems.md#denied" in result.output


def test_the_demo_has_no_mackerel() -> None:
    result = run("import", "mackerel", "--demo")
    assert result.exit_code == 1 and "The demo has no Mackerel." in result.output
    output = json.loads(run("import", "mackerel", "--demo", "--json").stdout)
    assert (output["ok"], output["problem"]) == (False, "demo")


def test_only_get_requests_are_sent(mackerel: FakeMackerel, config: Path) -> None:
    run("import", "mackerel", "--config", str(config))
    assert set(mackerel.paths) == {"/api/v0/dashboards", "/api/v0/dashboards/d1", "/api/v0/monitors"}
