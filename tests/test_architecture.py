"""Rules for the whole repository: imports between packages, pinned requirements, and text that must not be committed."""

import ast
import re
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NetworkAccessError

ROOT = Path(__file__).parent.parent
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
PACKAGES = set(TOOLS["importlinter"]["root_packages"])
ENTRY_POINTS = {"cli.py", "dashboard.py"}
NOT_PROGRAM = {"tests", "benchmarks"}
# Patterns in parts, so that this file does not contain what it looks for.
FORBIDDEN_PATTERNS = {
    "an absolute path of a developer's machine": r"(?<![\w.:/*])/(?:home|Users|root|work|mnt)/\w",
    "an access key": r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)(?=[A-Z]*\d)[A-Z0-9]{16}\b",
    "a private key": "-----BEGIN " + r"[A-Z ]*PRIVATE KEY",
    "a password in a URL": r"https?://[^/\s:@{}<>]+:[^/\s:@{}<>]+@",
    "an AWS account that is no example": (
        r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?!123456789012|210987654321|111122223333|444455556666|000000000000|999999999999)\d{12}:"
    ),
}


def tracked_files() -> list[Path]:
    """The files that git tracks or would track; without git, all but those of tools."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        hidden = {".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}
        return [path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)]
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


FILES = tracked_files()
MODULES = [path for path in FILES if path.suffix == ".py"]
PROGRAM_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in PACKAGES | ENTRY_POINTS]


def relative_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_modules(path: Path) -> Iterator[str]:
    """The absolute names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(path)}


def test_files_are_found() -> None:
    assert ROOT / "domain" / "window.py" in PROGRAM_MODULES
    assert not any(".venv" in path.parts for path in FILES)


@pytest.mark.parametrize("pattern", FORBIDDEN_PATTERNS)
def test_no_file_contains_a_secret_or_a_local_path(pattern: str) -> None:
    matches = [
        f"{relative_name(path)}: {match[0]}"
        for path in FILES
        if path.suffix not in (".png", ".gz", ".ico", ".woff2") and path.stat().st_size < 2_000_000
        for match in re.finditer(FORBIDDEN_PATTERNS[pattern], path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert matches == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("an absolute path of a developer's machine", "open('/ho" + "me/me/archive.db')"),
        ("an access key", "AKIA" + "ABCDEFGH2JKLMNOP"),
        ("a password in a URL", "https://me:" + "secret@db.example.com"),
        ("an AWS account that is no example", "arn:aws:iam::" + "314159265358:role/x"),
        ("a private key", "-----BEGIN " + "RSA PRIVATE KEY-----"),
    ],
)
def test_the_patterns_match_what_they_forbid(pattern: str, text: str) -> None:
    assert re.search(FORBIDDEN_PATTERNS[pattern], text)


@pytest.mark.parametrize("path", MODULES, ids=relative_name)
def test_every_module_has_a_docstring(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip():
        docstring = ast.get_docstring(ast.parse(text))
        assert docstring and docstring.splitlines()[0].endswith((".", "?", ":")), "The first line is a sentence."


def test_a_type_name_has_one_meaning() -> None:
    homes: dict[str, set[str]] = {}
    for path in PROGRAM_MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, set()).add(relative_name(path))
            elif isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Literal["):
                homes.setdefault(ast.unparse(node.targets[0]), set()).add(relative_name(path))
    assert homes, "The program has types."
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


@pytest.mark.parametrize("path", PROGRAM_MODULES, ids=relative_name)
def test_nothing_imports_the_entry_points(path: Path) -> None:
    assert not imported_packages(path) & {"cli", "dashboard", *NOT_PROGRAM}


@pytest.mark.parametrize("path", MODULES, ids=relative_name)
def test_no_helper_is_imported_from_a_test_module(path: Path) -> None:
    assert [name for name in imported_modules(path) if name.startswith("tests.") and ".test_" in name] == []


@pytest.mark.parametrize("path", [path for path in PROGRAM_MODULES if path.name != "controls.py"], ids=relative_name)
def test_query_parameters_are_read_and_written_in_one_module(path: Path) -> None:
    """st.query_params is the URL as the browser last reported it, which may be outdated: ui.controls corrects that."""
    assert "st.query_params" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("entry_point", "forbidden"),
    [
        ("cli.py", {"streamlit", "plotly", "boto3", "botocore", "requests", "sqlalchemy", "starlette", "ui", "pages"}),
        ("dashboard.py", {"plotly", "boto3", "botocore", "requests", "sqlalchemy", "typer", "rich", "commands"}),
    ],
)
def test_entry_points_import_their_own_layers_only(entry_point: str, forbidden: set[str]) -> None:
    assert not imported_packages(ROOT / entry_point) & forbidden


def package_names(requirements: str) -> set[str]:
    """The packages of a requirements file, normalized."""
    names = re.findall(r"(?m)^([A-Za-z0-9][\w.-]*)", (ROOT / requirements).read_text(encoding="utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


@pytest.mark.parametrize(
    "requirements",
    ["requirements", "requirements-auth", "requirements-otel", "requirements-jsonnet", "requirements-dev"],
)
def test_every_requirement_has_a_reason_and_a_pin_with_hashes(requirements: str) -> None:
    lines = (ROOT / f"{requirements}.in").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith(("#", "-"))]
    assert [line for line in packages if not re.search(r"\s# \w", line)] == []
    assert package_names(f"{requirements}.in") <= package_names(f"{requirements}.txt")
    pins = (ROOT / f"{requirements}.txt").read_text(encoding="utf-8")
    for pin in re.findall(r"(?m)^[A-Za-z0-9](?:.*\\\n)*.*", pins):
        assert re.match(r"\S+==\S+", pin) and "--hash=sha256:" in pin, pin
    assert "index-url" not in pins and "find-links" not in pins


def test_contracts_and_type_checks_cover_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_PROGRAM
    assert packages == PACKAGES == set(TOOLS["mypy"]["packages"]) == set(TOOLS["coverage"]["run"]["source"])
    layers = TOOLS["importlinter"]["contracts"][0]["layers"]
    assert {name.strip() for layer in layers for name in layer.split("|")} == packages


def test_the_internet_is_out_of_reach() -> None:
    with pytest.raises(NetworkAccessError, match="Tests talk to loopback only"):
        socket.create_connection(("monitoring.ap-northeast-1.amazonaws.com", 443), timeout=1)
    with socket.socket() as client, pytest.raises(NetworkAccessError):
        client.connect(("192.0.2.1", 443))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("no-such-host.invalid", 443), timeout=1)
