"""What holds for the whole house: its doors, its size, what is pinned, and what must never be written down."""

import ast
import re
import socket
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import NetworkAccessError

ROOT = Path(__file__).parent.parent
PACKAGES = ("migration", "sources", "archive", "analysis", "charts", "words", "terminal", "reports", "ui", "pages")
LONGEST_MODULE = 400
# Patterns in pieces, so that this file does not hold what it looks for.
FORBIDDEN_PATTERNS = {
    "an absolute path of somebody's machine": r"(?<![\w.:/*])/(?:home|Users|root|work|mnt)/\w",
    "an access key": r"\b(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)(?=[A-Z]*\d)[A-Z0-9]{16}\b",
    "a private key": "-----BEGIN " + r"[A-Z ]*PRIVATE KEY",
    "a token in an address": r"https?://[^/\s:@{}<>]+:[^/\s:@{}<>]+@",
    "an account that is no example": (
        r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(?!123456789012|210987654321|111122223333|444455556666|000000000000|999999999999)\d{12}:"
    ),
}


def tracked_files() -> list[Path]:
    """The files that git knows; every file but those it ignores, where the house was not cloned."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        hidden = {".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__"}
        return [path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)]
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


FILES = tracked_files()
MODULES = [path for path in FILES if path.suffix == ".py"]
PROGRAM_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in (*PACKAGES, "cli.py", "dashboard.py")]


def relative_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported_packages(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_the_files_are_found() -> None:
    assert ROOT / "migration" / "window.py" in PROGRAM_MODULES
    assert not any(".venv" in path.parts for path in FILES)


@pytest.mark.parametrize("what", FORBIDDEN_PATTERNS)
def test_nothing_is_written_down_that_must_not_be(what: str) -> None:
    found = [
        f"{relative_name(path)}: {match[0]}"
        for path in FILES
        if path.suffix not in (".png", ".gz", ".ico", ".woff2") and path.stat().st_size < 2_000_000
        for match in re.finditer(FORBIDDEN_PATTERNS[what], path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("an absolute path of somebody's machine", "open('/ho" + "me/me/archive.db')"),
        ("an access key", "AKIA" + "ABCDEFGH2JKLMNOP"),
        ("a token in an address", "https://me:" + "secret@db.example.com"),
        ("an account that is no example", "arn:aws:iam::" + "314159265358:role/x"),
        ("a private key", "-----BEGIN " + "RSA PRIVATE KEY-----"),
    ],
)
def test_the_patterns_find_what_they_look_for(what: str, text: str) -> None:
    assert re.search(FORBIDDEN_PATTERNS[what], text)


@pytest.mark.parametrize("path", MODULES, ids=relative_name)
def test_every_module_opens_with_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip():
        said = ast.get_docstring(ast.parse(text))
        assert said and said.splitlines()[0].endswith((".", "?", ":")), "The first line is a sentence."


@pytest.mark.parametrize("path", PROGRAM_MODULES, ids=relative_name)
def test_no_module_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", PROGRAM_MODULES, ids=relative_name)
def test_nobody_imports_the_doors(path: Path) -> None:
    assert not imported_packages(path) & {"cli", "dashboard", "tests", "benchmarks"}


@pytest.mark.parametrize("path", [path for path in PROGRAM_MODULES if path.name != "controls.py"], ids=relative_name)
def test_the_address_is_read_and_written_in_one_place(path: Path) -> None:
    """st.query_params is the address as a busy browser knew it: ui.controls.parameters() and put() know better."""
    assert "st.query_params" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("door", "never"),
    [
        ("cli.py", {"streamlit", "plotly", "boto3", "botocore", "requests", "sqlalchemy", "starlette", "ui", "pages"}),
        ("dashboard.py", {"plotly", "boto3", "botocore", "requests", "sqlalchemy", "typer", "rich"}),
    ],
)
def test_the_doors_do_not_reach_past_the_rooms(door: str, never: set[str]) -> None:
    if (ROOT / door).exists():
        assert not imported_packages(ROOT / door) & never


def package_names(requirements: str) -> set[str]:
    """The packages of a requirements file, normalized."""
    found = re.findall(r"(?m)^([A-Za-z0-9][\w.-]*)", (ROOT / requirements).read_text(encoding="utf-8"))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@pytest.mark.parametrize("requirements", ["requirements", "requirements-dev"])
def test_every_requirement_has_a_reason_and_a_pin_with_hashes(requirements: str) -> None:
    lines = (ROOT / f"{requirements}.in").read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line and not line.startswith(("#", "-"))]
    assert [line for line in asked if not re.search(r"\s# \w", line)] == []
    assert package_names(f"{requirements}.in") <= package_names(f"{requirements}.txt")
    pins = (ROOT / f"{requirements}.txt").read_text(encoding="utf-8")
    for pin in re.findall(r"(?m)^[A-Za-z0-9](?:.*\\\n)*.*", pins):
        assert re.match(r"\S+==\S+", pin) and "--hash=sha256:" in pin, pin
    assert "index-url" not in pins and "find-links" not in pins


def test_every_room_is_held_by_the_contracts_and_the_types() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    rooms = {room for room in PACKAGES if (ROOT / room / "__init__.py").exists()}
    assert set(tools["importlinter"]["root_packages"]) == rooms
    assert rooms - {"ui", "pages", "reports"} <= set(tools["mypy"]["packages"])
    layers = {name.strip() for layer in tools["importlinter"]["contracts"][0]["layers"] for name in layer.split("|")}
    assert layers == rooms


def test_the_internet_is_out_of_reach() -> None:
    with pytest.raises(NetworkAccessError, match="Tests talk to loopback only"):
        socket.create_connection(("monitoring.ap-northeast-1.amazonaws.com", 443), timeout=1)
    with socket.socket() as one, pytest.raises(NetworkAccessError):
        one.connect(("192.0.2.1", 443))
    with pytest.raises(socket.gaierror):
        socket.create_connection(("nobody.invalid", 443), timeout=1)
