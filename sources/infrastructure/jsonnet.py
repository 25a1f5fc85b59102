"""Evaluates Jsonnet, if a program for it is installed: the package rjsonnet, or the command `jsonnet`.

ecspresso's functions for Jsonnet, std.native('tfstate') and the like, return a call in the syntax of its templates, which templates.py evaluates.
"""

import importlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from sources.infrastructure.base import InfrastructureError, InfrastructureIssue
from sources.infrastructure.files import is_inside, read_text

_PACKAGE, _COMMAND = "rjsonnet", "jsonnet"
_TIMEOUT_S = 10.0
_MAX_STACK = 500
# Put before the first line, so that lines keep their numbers.
_NATIVES = (
    "local std__ = std; local quoted__(text) = '`' + std__.strReplace(std__.toString(text), '\"', \"'\") + '`'; "
    "local std = std__ { native(name):: if name == 'env' then function(name, default='') '{{ env ' + quoted__(name) + ' ' + quoted__(default) + ' }}' "
    "else function(argument) '{{ ' + name + ' ' + quoted__(argument) + ' }}' }; "
)


def evaluate_jsonnet(path: Path, folder: Path) -> str:
    """The JSON of a Jsonnet file. Files that it imports must be in `folder`, if a package evaluates it. Raises InfrastructureError."""
    snippet = _NATIVES + read_text(path)
    if package := _package():
        return _evaluate_with_package(package, path, folder, snippet)
    command = shutil.which(_COMMAND)
    if not command:
        raise InfrastructureError(InfrastructureIssue("no_jsonnet", str(path)))
    return _evaluate_with_command(command, path, snippet)


def is_jsonnet_installed() -> bool:
    return _package() is not None or shutil.which(_COMMAND) is not None


def _package() -> Any:
    try:
        return importlib.import_module(_PACKAGE)
    except ImportError:
        return None


def _evaluate_with_package(package: Any, path: Path, folder: Path, snippet: str) -> str:
    refused = list[InfrastructureError]()

    def read(base: str, name: str) -> tuple[str, str]:
        """The path and text of what is imported; of the file itself at first, so that its own imports are relative to it."""
        if name == str(path):
            return name, snippet
        imported = Path(base, name)
        try:
            if not is_inside(imported, folder):
                raise InfrastructureError(InfrastructureIssue("outside_folder", str(path), params={"path": name}))
            return str(imported), read_text(imported)
        except InfrastructureError as error:
            refused.append(error)
            raise RuntimeError(name) from None

    main = f"import {json.dumps(str(path))}"
    try:
        return str(package.evaluate_snippet(path.name, main, max_stack=_MAX_STACK, import_callback=read))
    except RuntimeError as error:
        detail = str(error)
    raise refused[0] if refused else _not_jsonnet(path, detail)


def _evaluate_with_command(command: str, path: Path, snippet: str) -> str:
    try:
        result = subprocess.run(
            [command, "--max-stack", str(_MAX_STACK), "-"],
            input=snippet,
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _not_jsonnet(path, f"no result after {_TIMEOUT_S:g} s") from None
    except (OSError, ValueError) as error:
        raise _not_jsonnet(path, type(error).__name__) from None
    if result.returncode:
        raise _not_jsonnet(path, result.stderr)
    return result.stdout


def _not_jsonnet(path: Path, detail: str) -> InfrastructureError:
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    return InfrastructureError(InfrastructureIssue("not_jsonnet", str(path), params={"detail": ", ".join(lines[:2])}))
