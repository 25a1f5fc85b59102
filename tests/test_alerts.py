"""The documented alert rules are valid, name metrics that exist, and fire when they should (with promtool, where it is installed)."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.decision import EXIT_CODES
from services.metrics import GAUGES, POLLS, POLLS_LABELS

ROOT = Path(__file__).parent.parent
RULES = ROOT / "docs" / "alerts.yml"
LABELS = {name: labels for name, (_text, labels) in GAUGES.items()} | {POLLS: POLLS_LABELS}
PROMTOOL = os.environ.get("PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("rule", read_rules(), ids=lambda rule: rule["alert"])
def test_a_rule_is_about_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    (name,) = set(re.findall(r"\bmigration_\w+", rule["expr"]))
    kept = re.findall(r"by \(([^)]*)\)", rule["expr"])
    labels = {label.strip() for names in kept for label in names.split(",")}
    selected = dict(re.findall(r'(\w+)=~?"([^"]*)"', rule["expr"]))
    assert labels | set(selected) <= set(LABELS[name])
    assert selected.get("decision", "continue") in EXIT_CODES
    assert rule["labels"]["severity"] in ("critical", "warning")
    texts = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= labels
    assert set(rule["annotations"]) == {"summary", "description"}


def test_every_rule_is_documented_and_tested() -> None:
    names = [rule["alert"] for rule in read_rules()]
    documented = re.findall(r"(?m)^\| `(Migration\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))
    assert documented == names
    tests = (ROOT / "tests" / "samples" / "alerts" / "rules_test.yml").read_text(encoding="utf-8")
    assert {name for name in names if tests.count(f"alertname: {name}") < 2} == set()


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    subprocess.run([str(PROMTOOL), "check", "rules", str(RULES)], check=True, capture_output=True, timeout=60)


@needs_promtool
def test_the_rules_fire_when_they_should(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(ROOT / "tests" / "samples" / "alerts" / "rules_test.yml", tmp_path)
    command = [str(PROMTOOL), "test", "rules", "rules_test.yml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
