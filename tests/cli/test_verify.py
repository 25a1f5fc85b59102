"""`verify`: its sentences and its exit codes. It reads neither a configuration nor an archive."""

from functools import partial
from pathlib import Path

import pytest

from reports.evidence.manifest import evidence_digest
from reports.evidence.render import evidence_files, signed_files, zip_files
from tests.cli.conftest import json_output
from tests.cli.conftest import run as run_command
from tests.factories.evidence import MADE_AT, make_evidence
from tests.factories.signed_evidence import signed_evidence

run = partial(run_command, "verify")


def write(folder: Path, **changes: bytes) -> str:
    path = folder / "evidence.zip"
    files = signed_evidence(
        {"name": "Mika\x1b[2J", "decision": "hold", "sentence": "The incident is known.", "verified": False}
    )
    files |= {name.replace("_", "."): content for name, content in changes.items()}
    path.write_bytes(zip_files(files, MADE_AT))
    return str(path)


def test_a_signed_file_is_shown_with_its_signature(tmp_path: Path) -> None:
    result = run(write(tmp_path))
    assert result.exit_code == 0
    digest = evidence_digest(signed_files(make_evidence()))
    assert result.stdout.splitlines() == [
        f"SHA-256 {digest}",
        "21 Sep 14:10–15:10 UTC",
        "✔ The files are those of the manifest.",
        "✔ 1 sign-off in the ledger, unchanged.",
        "✔ Signed by Mika [2J, 21 Sep 15:11 UTC: ■ HOLD (name typed, not verified)",
        "  The incident is known.",
        "  error rate ±0.5 pp, p95 ±20 ms",
    ]


def test_a_changed_file_is_exit_code_1(tmp_path: Path) -> None:
    result = run(write(tmp_path, data_csv=b"1"))
    assert result.exit_code == 1
    assert "✘ data.csv was changed: it is not what the manifest has." in result.stdout
    assert "– There is no signature under this evidence." in result.stdout
    assert "1 signature is under other evidence of this phase" in result.stdout
    output = json_output(run(write(tmp_path, data_csv=b"1"), "--json"))
    assert (output["ok"], output["exit_code"]) == (False, 1)
    assert [(item["file"], item["code"]) for item in output["changes"]] == [
        ("data.csv", "changed"),
        ("manifest.json", "digest"),
    ]


def test_a_file_without_a_signature_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "e.zip").write_bytes(zip_files(evidence_files(make_evidence(), made_at=MADE_AT), MADE_AT))
    assert run(str(tmp_path / "e.zip")).exit_code == 2
    output = json_output(run(str(tmp_path / "e.zip"), "--json"))
    assert (output["ok"], output["exit_code"], output["sign_offs"]) == (False, 2, [])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"text", "e.zip is not a ZIP."),
        (zip_files({"a": b""}, MADE_AT), "The ZIP has an entry that no evidence file has, or has it twice: a."),
        (zip_files({"data.csv": b""}, MADE_AT), "The ZIP has no manifest.json: it is not an evidence file."),
    ],
)
def test_what_cannot_be_checked_is_exit_code_3(content: bytes, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "e.zip").write_bytes(content)
    result = run(str(tmp_path / "e.zip"))
    assert result.exit_code == 3 and result.stdout.startswith(f"✘ {sentence}")
    assert json_output(run(str(tmp_path / "e.zip"), "--json"))["exit_code"] == 3
    assert run("--no-such-option").exit_code == 3


def test_it_needs_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIGRATION_CONFIG", "/nowhere.toml")
    assert run(write(tmp_path)).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.zip"]
