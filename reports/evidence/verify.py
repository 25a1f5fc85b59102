"""Checks an evidence file offline: its files by the manifest, the chain of its ledger, and the signatures under it. Nothing is written to disk."""

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

from domain import Window
from domain.sign_offs import SIGNED_FILES, Ledger, LedgerEntry, LedgerRow, evidence_sha256
from domain.window import parse_datetime
from reports.evidence.manifest import FORMAT_VERSION, LEDGER_NAME, MANIFEST_NAME, PAGE_NAME

MAX_ENTRIES = 20
MAX_FILE_BYTES = 1 << 30  # of the ZIP
MAX_TOTAL_BYTES = 4 << 30  # unpacked
MAX_JSON_BYTES = 64 << 20  # of the manifest and of the ledger, which are read into memory
CHUNK_BYTES = 1 << 20
FILE_NAMES = (PAGE_NAME, *SIGNED_FILES, LEDGER_NAME)

# What zipfile raises for entries that are damaged, encrypted or compressed by another method, and what reading JSON of another shape raises.
_OF_DAMAGED_CONTENT = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, LookupError, TypeError, ArithmeticError
)  # fmt: skip
# Why there is nothing to check, or what was changed.
UnreadableCode = Literal["unreadable", "not_a_zip", "not_evidence", "older", "newer", "too_large", "foreign", "damaged"]
ChangeCode = Literal["changed", "missing", "extra", "digest"]


class UnverifiableError(Exception):
    """A file that cannot be checked: `code`, and the name, version or detail that it is `about`."""

    def __init__(self, code: UnreadableCode, about: str = "") -> None:
        super().__init__(f"{code}: {about}")
        self.code, self.about = code, about


@dataclass(frozen=True, slots=True)
class EvidenceCheck:
    """What was found. `changes`: of the files, each by its name. `signatures`: under exactly this evidence; `others`: under other evidence of its phase.

    A row of the ledger that was changed is no signature.
    """

    window: Window
    program: str
    evidence_sha256: str
    changes: tuple[tuple[ChangeCode, str], ...]
    ledger: Ledger
    signatures: tuple[LedgerEntry, ...]
    others: tuple[LedgerEntry, ...]

    @property
    def is_unchanged(self) -> bool:
        return not self.changes and not self.ledger.problems


def verify_evidence(path: Path) -> EvidenceCheck:
    """Raises UnverifiableError."""
    try:
        with path.open("rb") as file:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise UnverifiableError("too_large", path.name)
            if not zipfile.is_zipfile(file):
                raise UnverifiableError("not_a_zip", path.name)
            with zipfile.ZipFile(file) as archive:
                return _verify(archive)
    except OSError as error:
        raise UnverifiableError("unreadable", error.strerror or str(error)) from error
    except _OF_DAMAGED_CONTENT as error:
        raise UnverifiableError("damaged", str(error)) from error


def _verify(archive: zipfile.ZipFile) -> EvidenceCheck:
    names = _checked_names(archive)
    if MANIFEST_NAME not in names:
        raise UnverifiableError("older" if {PAGE_NAME, *SIGNED_FILES} <= names else "not_evidence", "1")
    manifest = _read_json(archive, MANIFEST_NAME)
    _check_version(manifest)
    checksums = {name: _sha256(archive, name) for name in FILE_NAMES if name in names}
    listed = {str(item["name"]): str(item["sha256"]) for item in manifest["files"]}
    changes = list(_changes(checksums, listed))
    digest = evidence_sha256({name: checksums.get(name, "") for name in SIGNED_FILES})
    if manifest["evidence_sha256"] != digest:
        changes.append(("digest", MANIFEST_NAME))
    ledger = _read_ledger(archive, str(manifest["migration"])) if LEDGER_NAME in names else Ledger()
    window = _window(manifest["window"])
    of_phase = ledger.of_window(_window(manifest["phase"]) if manifest["phase"] else window)
    signatures = tuple(
        entry
        for entry in ledger.entries
        if entry.sign_off and entry.problem != "changed" and entry.sign_off.evidence_sha256 == digest
    )
    others = tuple(entry for entry in of_phase if entry not in signatures)
    return EvidenceCheck(window, str(manifest["program"]), digest, tuple(changes), ledger, signatures, others)


def _checked_names(archive: zipfile.ZipFile) -> set[str]:
    """The names of the entries, which are files of an evidence file, each once, and not too large to be read."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise UnverifiableError("too_large", f"{len(entries)}, {sum(entry.file_size for entry in entries)} B")
    names = [entry.filename for entry in entries]
    for at, name in enumerate(names):
        if name not in (*FILE_NAMES, MANIFEST_NAME) or name in names[:at]:
            raise UnverifiableError("foreign", name)
    return set(names)


def _check_version(manifest: Mapping[str, Any]) -> None:
    version = int(manifest["format"])
    if version != FORMAT_VERSION:
        about = f"{version} ({manifest.get('program', '')})"
        raise UnverifiableError("newer" if version > FORMAT_VERSION else "older", about)


def _changes(checksums: Mapping[str, str], listed: Mapping[str, str]) -> Iterator[tuple[ChangeCode, str]]:
    for name in dict.fromkeys((*FILE_NAMES, *listed)):
        if name not in checksums:
            yield "missing", name
        elif name not in listed:
            yield "extra", name
        elif checksums[name] != listed[name]:
            yield "changed", name


def _read_ledger(archive: zipfile.ZipFile, migration: str) -> Ledger:
    content = _read_json(archive, LEDGER_NAME)
    rows = [LedgerRow(int(row["sequence"]), str(row["body"]), str(row["hash"])) for row in content["sign_offs"]]
    return Ledger.of(migration, rows)


def _window(content: Mapping[str, str]) -> Window:
    return Window.between(*(parse_datetime(content[name], UTC) for name in ("from", "to")))


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    """An entry that is changed so that its own checksum does not agree is an error of the ZIP."""
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _read_json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > MAX_JSON_BYTES:
        raise UnverifiableError("too_large", name)
    content = json.loads(archive.read(name))
    if not isinstance(content, dict):
        raise UnverifiableError("damaged", name)
    return content
