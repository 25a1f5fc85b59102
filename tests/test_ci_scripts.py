"""The scripts of `.ci/` that install what the tests need, on a machine that does not have it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / ".ci"
OS_RELEASE = Path("/etc/os-release")
DEBIAN = OS_RELEASE.exists() and "ID=debian" in OS_RELEASE.read_text().splitlines()


@pytest.mark.skipif(not DEBIAN, reason="Debian has a package with Chromium; elsewhere Playwright downloads one")
def test_installed_chromium_is_found(tmp_path: Path) -> None:
    ci, programs, venv = tmp_path / ".ci", tmp_path / "programs", tmp_path / ".venv" / "bin"
    for folder in (ci, programs, venv):
        folder.mkdir(parents=True)
    shutil.copy(CI / "chromium", ci)
    for name in ("bash", "cat", "chmod", "dirname", "grep", "head", "readlink"):
        (programs / name).symlink_to(str(shutil.which(name)))
    _script(programs / "chromium.deb", "echo Chromium 1.0")
    _script(
        ci / "apt-install", f'cat "{programs}/chromium.deb" >"{programs}/chromium"', f'chmod +x "{programs}/chromium"'
    )
    _script(venv / "playwright", '[ "$1" = --version ]')
    _script(venv / "python", "exit 1")

    found = subprocess.run(
        [ci / "chromium"], env={"PATH": str(programs)}, capture_output=True, text=True, timeout=30, check=False
    )

    assert (found.returncode, found.stdout, found.stderr) == (0, f"{programs / 'chromium'}\n", "")


def _script(path: Path, *lines: str) -> None:
    path.write_text("\n".join(("#!/usr/bin/env bash", *lines, "")))
    os.chmod(path, 0o755)
