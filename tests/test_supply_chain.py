"""`make sbom` lists what is locked, and `make audit` never takes silence for safety."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKED = re.compile(r"(?m)^([a-zA-Z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)")


def test_the_sbom_lists_exactly_the_locked_packages(tmp_path: Path) -> None:
    file = tmp_path / "sbom.json"
    # -o: without installing anything, if a lock file is newer than the environment.
    options = ("-o", ".venv/.installed-dev", f"BIN={Path(sys.executable).parent}", f"SBOM={file}")
    subprocess.run(["make", "--silent", *options, "sbom"], cwd=ROOT, check=True, timeout=60)
    sbom = json.loads(file.read_text(encoding="utf-8"))
    assert (sbom["bomFormat"], sbom["metadata"]["component"]["name"]) == ("CycloneDX", "migration-dashboard")
    # A package may be locked twice, for different versions of Python.
    locked = sorted(LOCKED.findall((ROOT / "requirements.txt").read_text(encoding="utf-8")))
    assert len(locked) > 50
    assert sorted((component["name"], component["version"]) for component in sbom["components"]) == locked
    assert {component["purl"] for component in sbom["components"]} == {f"pkg:pypi/{n}@{v}" for n, v in locked}
    assert all(component["externalReferences"][0]["hashes"] for component in sbom["components"])


FOUND = "Found 1 known vulnerability in 1 package\nName Version ID\njinja2 1.0 PYSEC-1"
NOT_FOUND = "ERROR:pip_audit._cli:jinja2: Dependency not found and could not be audited: jinja2 (1.0)"


@pytest.mark.parametrize(
    ("status", "printed", "exit_code", "output", "error"),
    [
        (0, "No known vulnerabilities found", 0, "No known vulnerabilities found", ""),
        (1, FOUND, 1, FOUND, ""),
        (
            1,
            f"Traceback (most recent call last):\n{NOT_FOUND}",
            2,
            "",
            f"{NOT_FOUND}\nNot audited: the advisory database did not",
        ),
    ],
)
def test_an_audit_without_an_answer_for_every_package_fails_with_a_sentence(
    status: int, printed: str, exit_code: int, output: str, error: str, tmp_path: Path
) -> None:
    (tmp_path / "printed").write_text(f"{printed}\n", encoding="utf-8")
    tool = tmp_path / "pip-audit"
    tool.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/args\ncat {tmp_path}/printed\nexit {status}\n', encoding="utf-8"
    )
    tool.chmod(0o755)
    environment = {**os.environ, "PIP_AUDIT": str(tool)}
    (command,) = re.findall(r"(?m)^\t.*(\.ci/audit .*)$", (ROOT / "Makefile").read_text(encoding="utf-8"))
    result = subprocess.run(
        command.split(), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (result.returncode, result.stdout.strip()) == (exit_code, output)
    assert result.stderr.startswith(error) and bool(result.stderr) == bool(error)
    arguments = (tmp_path / "args").read_text(encoding="utf-8").split()
    assert "--strict" in arguments
    files = [path.name for path in ROOT.glob("requirements*.txt") if path.name != "requirements-dev.txt"]
    assert sorted(re.findall(r"--requirement=(\S+)", " ".join(arguments))) == sorted(files)


INSTALLED_LOCKS = ("requirements.txt", "requirements-otel.txt", "requirements-jsonnet.txt")
LICENSES = ROOT / "docs" / "LICENSES.md"


def test_the_page_of_licences_lists_exactly_the_locked_packages() -> None:
    rows = dict(re.findall(r"(?m)^\| ([a-z0-9-]+) \| (.+) \|$", LICENSES.read_text(encoding="utf-8")))
    del rows["package"]
    names = {name for file in INSTALLED_LOCKS for name, _ in LOCKED.findall((ROOT / file).read_text(encoding="utf-8"))}
    assert set(rows) == {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    copyleft = {name for name, licence in rows.items() if re.search("GPL|General Public", licence)}
    assert copyleft == {"psycopg", "psycopg-binary"}  # LGPL


def test_the_page_of_licences_is_what_the_metadata_names() -> None:
    environment = {**os.environ, "PIP_LICENSES": str(Path(sys.executable).parent / "pip-licenses")}
    command = [str(ROOT / ".ci" / "licenses"), *INSTALLED_LOCKS]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == LICENSES.read_text(encoding="utf-8")


def test_a_package_without_a_known_licence_fails(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("no-such-package==1.0 \\\n", encoding="utf-8")
    environment = {**os.environ, "PIP_LICENSES": str(Path(sys.executable).parent / "pip-licenses")}
    command = [str(ROOT / ".ci" / "licenses"), str(tmp_path / "requirements.txt")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (
        1,
        "The licence of no-such-package is not known: it is not installed here, or its metadata does not name one.\n",
    )
