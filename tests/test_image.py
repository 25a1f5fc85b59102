"""The container image: what .dockerignore lets into it runs by itself, for a user who cannot write there; and compose.yaml is of the same program."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the image, as the build has them."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert patterns[1] == "**", "everything is left out, but for:"
    folder = tmp_path_factory.mktemp("image")
    for name in (pattern[1:] for pattern in patterns if pattern.startswith("!")):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.mo"))
        else:
            shutil.copy(source, target)
    return folder


def run(image: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the image, where no module of the checkout is found."""
    environment = {"HOME": str(image.parent), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *command], cwd=image, env=environment, text=True, capture_output=True, check=False
    )


def test_the_translations_are_compiled_and_the_commands_judge(image: Path) -> None:
    assert run(image, "-m", "messages.catalogues", "--compile").returncode == 0
    before = sorted(image.rglob("*"))
    judged = run(image, "cli.py", "judge", "--demo", "--json")
    assert json.loads(judged.stdout)["decision"], judged.stderr
    assert sorted(image.rglob("*")) == before, "nothing is written beside the program"


def test_the_pages_are_complete(image: Path) -> None:
    pages = "import dashboard, ui.server.endpoints, pages.router"
    found = run(image, "-c", pages)
    assert found.returncode == 0, found.stderr


def test_the_image_runs_as_a_user_without_rights_and_asks_for_its_health() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    final = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001$", final, re.M) and "VOLUME /data" in final
    assert "/healthz" in final.partition("HEALTHCHECK")[2]
    assert "COPY . ." not in final


def test_compose_runs_dashboard_and_recorder_of_one_image_on_loopback_and_read_only() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert set(services) == {"dashboard", "recorder", "postgres"}
    for name in ("dashboard", "recorder"):
        assert (services[name]["image"], services[name]["read_only"]) == ("migration-dashboard", True)
        assert services[name]["cap_drop"] == ["ALL"]
    assert services["dashboard"]["ports"] == ["127.0.0.1:8501:8501"] and services["recorder"]["ports"] == []
    assert services["recorder"]["command"] == ["python", "cli.py", "record"]
