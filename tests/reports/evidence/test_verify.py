"""An evidence file is checked offline: what was changed is named, and nothing hostile is read."""

import json
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from reports.evidence import verify
from reports.evidence.manifest import FORMAT_VERSION, evidence_digest, sha256
from reports.evidence.render import zip_files
from reports.evidence.verify import EvidenceCheck, UnverifiableError, verify_evidence
from tests.factories.evidence import MADE_AT, WINDOW
from tests.factories.signed_evidence import EVIDENCE_SHA256, signed_evidence

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def signed() -> Files:
    return signed_evidence({"name": "Mika"}, {"name": "Taro", "evidence_sha256": "0" * 64})


def write(folder: Path, files: Files) -> Path:
    (folder / "evidence.zip").write_bytes(zip_files(files, MADE_AT))
    return folder / "evidence.zip"


def check(folder: Path, files: Files) -> EvidenceCheck:
    return verify_evidence(write(folder, files))


def problems(found: EvidenceCheck) -> list[tuple[int, str | None]]:
    return [(entry.row.sequence, entry.problem) for entry in found.ledger.problems]


def names(entries: tuple[Any, ...]) -> list[str]:
    return [entry.sign_off.name for entry in entries]


def test_an_unchanged_file_is_that_of_its_manifest_with_the_signatures_under_it(tmp_path: Path, signed: Files) -> None:
    found = check(tmp_path, signed)
    assert (found.changes, found.ledger.problems, found.is_unchanged) == ((), (), True)
    assert (found.evidence_sha256, found.window) == (EVIDENCE_SHA256, WINDOW)
    assert (names(found.signatures), names(found.others)) == (["Mika"], ["Taro"])


def test_a_file_without_signatures_is_unchanged(tmp_path: Path) -> None:
    found = check(tmp_path, signed_evidence())
    assert (found.is_unchanged, found.signatures, found.others) == (True, (), ())


@pytest.mark.parametrize("name", ["evidence.html", "data.csv", "data.parquet", "judgement.json", "sign_offs.json"])
def test_a_changed_file_is_named(name: str, tmp_path: Path, signed: Files) -> None:
    found = check(tmp_path, signed | {name: signed[name] + b" "})
    covered = name in ("data.csv", "data.parquet", "judgement.json")
    assert found.changes == (("changed", name), *((("digest", "manifest.json"),) if covered else ()))
    assert names(found.signatures) == ([] if covered else ["Mika"])


def test_a_changed_file_is_found_out_even_if_the_manifest_was_made_to_agree(tmp_path: Path, signed: Files) -> None:
    changed = signed | {"data.csv": signed["data.csv"].replace(b"3.0", b"1.0")}
    manifest = json.loads(changed["manifest.json"])
    for item in manifest["files"]:
        item["sha256"] = sha256(changed[item["name"]])
    manifest["evidence_sha256"] = evidence_digest(changed)
    found = check(tmp_path, changed | {"manifest.json": json.dumps(manifest).encode()})
    assert (found.is_unchanged, found.signatures, names(found.others)) == (True, (), ["Mika", "Taro"])


def test_a_missing_file_and_one_that_is_not_listed_are_named(tmp_path: Path, signed: Files) -> None:
    files = {name: content for name, content in signed.items() if name != "data.parquet"}
    assert check(tmp_path, files).changes == (("missing", "data.parquet"), ("digest", "manifest.json"))
    manifest = json.loads(signed["manifest.json"])
    manifest["files"] = [item for item in manifest["files"] if item["name"] != "evidence.html"]
    found = check(tmp_path, signed | {"manifest.json": json.dumps(manifest).encode()})
    assert found.changes == (("extra", "evidence.html"),)


def test_a_changed_row_of_the_ledger_is_named_and_is_no_signature(tmp_path: Path, signed: Files) -> None:
    ledger = json.loads(signed["sign_offs.json"])
    ledger["sign_offs"][0]["body"] = ledger["sign_offs"][0]["body"].replace("Mika", "Eve!")
    found = check(tmp_path, signed | {"sign_offs.json": json.dumps(ledger).encode()})
    assert (found.changes, problems(found)) == ((("changed", "sign_offs.json"),), [(1, "changed")])
    assert found.signatures == ()


def test_the_ledger_of_another_migration_is_named(tmp_path: Path, signed: Files) -> None:
    manifest = json.loads(signed["manifest.json"]) | {"migration": "Orders"}
    found = check(tmp_path, signed | {"manifest.json": json.dumps(manifest).encode()})
    assert problems(found) == [(1, "changed"), (2, "changed")] and found.signatures == ()


def refused(path: Path) -> tuple[str, str]:
    with pytest.raises(UnverifiableError) as caught:
        verify_evidence(path)
    return caught.value.code, caught.value.about


def test_what_is_no_evidence_file_is_refused(tmp_path: Path, signed: Files) -> None:
    assert refused(tmp_path / "none.zip")[0] == "unreadable"
    assert refused(tmp_path)[0] == "unreadable"
    (tmp_path / "text.zip").write_text("evidence")
    assert refused(tmp_path / "text.zip") == ("not_a_zip", "text.zip")
    (tmp_path / "empty.zip").write_bytes(b"")
    assert refused(tmp_path / "empty.zip") == ("not_a_zip", "empty.zip")
    assert refused(write(tmp_path, {"data.csv": b""}))[0] == "not_evidence"


def test_a_file_of_another_version_is_refused_with_its_version(tmp_path: Path, signed: Files) -> None:
    before = {name: content for name, content in signed.items() if name not in ("manifest.json", "sign_offs.json")}
    assert refused(write(tmp_path, before)) == ("older", "1")
    manifest = json.loads(signed["manifest.json"]) | {"program": "9.0.0"}
    for version, code in ((FORMAT_VERSION + 1, "newer"), (FORMAT_VERSION - 1, "older")):
        changed = json.dumps(manifest | {"format": version, "files": "of another shape"}).encode()
        assert refused(write(tmp_path, signed | {"manifest.json": changed})) == (code, f"{version} (9.0.0)")


@pytest.mark.parametrize(
    "name", ["../evidence.html", "/etc/passwd", "sub/data.csv", "..\\data.csv", "readme.txt", "\x1b[2J"]
)
def test_an_entry_that_no_evidence_file_has_is_refused(name: str, tmp_path: Path, signed: Files) -> None:
    assert refused(write(tmp_path, {**signed, name: b"x"})) == ("foreign", name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence.zip"]


def test_an_entry_that_occurs_twice_is_refused(tmp_path: Path, signed: Files) -> None:
    path = write(tmp_path, signed)
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("data.csv", b"other")
    assert refused(path) == ("foreign", "data.csv")


def test_a_bomb_is_not_unpacked(tmp_path: Path, signed: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MAX_TOTAL_BYTES", 1 << 20)
    path = write(tmp_path, signed | {"data.csv": bytes(2 << 20)})
    assert path.stat().st_size < 500_000 and refused(path)[0] == "too_large"
    monkeypatch.setattr(verify, "MAX_FILE_BYTES", 1_000)
    assert refused(path) == ("too_large", "evidence.zip")
    monkeypatch.undo()
    many = {f"{number}": b"" for number in range(verify.MAX_ENTRIES + 1)}
    assert refused(write(tmp_path, many))[0] == "too_large"
    monkeypatch.setattr(verify, "MAX_JSON_BYTES", 10)
    assert refused(write(tmp_path, signed)) == ("too_large", "manifest.json")


def test_a_bomb_that_lies_about_its_size_is_read_no_further_than_it_says(tmp_path: Path, signed: Files) -> None:
    content = bytearray(zip_files(signed | {"data.csv": bytes(8 << 20)}, MADE_AT))
    real, claimed = struct.pack("<L", 8 << 20), struct.pack("<L", 1_000)
    assert content.count(real) == 2
    (tmp_path / "evidence.zip").write_bytes(bytes(content).replace(real, claimed))
    assert refused(tmp_path / "evidence.zip")[0] == "damaged"


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    at = content.index(b"data.csv") + 60
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def encrypt(content: bytes) -> bytes:
    """Marks every entry in the directory as encrypted."""
    changed = BytesIO(content)
    with zipfile.ZipFile(changed) as file:
        start = file.start_dir
    head, directory = content[:start], content[start:]
    return head + directory.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")


@pytest.mark.parametrize("spoil", [flip, encrypt])
def test_a_damaged_file_is_refused(spoil: Callable[[bytes], bytes], tmp_path: Path, signed: Files) -> None:
    content = zip_files(signed, MADE_AT)
    (tmp_path / "evidence.zip").write_bytes(spoil(content))
    assert spoil(content) != content and refused(tmp_path / "evidence.zip")[0] == "damaged"
    (tmp_path / "evidence.zip").write_bytes(cut(content))
    assert refused(tmp_path / "evidence.zip")[0] == "not_a_zip"


@pytest.mark.parametrize(
    "manifest",
    [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'{"format": 1e999}', b'{"format": "x"}', b'{"format": 2}',
     b'{"format": 2, "files": [1], "window": 1}', b'{"format": 2, "files": [{"name": 1}]}'],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_refused(manifest: bytes, tmp_path: Path, signed: Files) -> None:
    assert refused(write(tmp_path, signed | {"manifest.json": manifest}))[0] == "damaged"


@pytest.mark.parametrize(
    "ledger", [b"{}", b"[]", b'{"sign_offs": 1}', b'{"sign_offs": [{}]}', b'{"sign_offs": [{"sequence": []}]}']
)
def test_a_ledger_of_another_shape_is_refused(ledger: bytes, tmp_path: Path, signed: Files) -> None:
    assert refused(write(tmp_path, signed | {"sign_offs.json": ledger}))[0] == "damaged"
