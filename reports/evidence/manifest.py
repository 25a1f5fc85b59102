"""The files of an evidence file, and the manifest with their checksums, by which `cli.py verify` checks them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from domain import Migration
from domain.sign_offs import GENESIS, SIGNED_FILES, Ledger, evidence_sha256
from domain.version import version
from reports.judgement_json import window_json
from services.evaluation import Evaluation

FORMAT_VERSION = 2  # 1: without manifest and ledger
PAGE_NAME = "evidence.html"
DATA_NAME, PARQUET_NAME, JUDGEMENT_NAME = SIGNED_FILES
MANIFEST_NAME, LEDGER_NAME = "manifest.json", "sign_offs.json"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def evidence_digest(files: Mapping[str, bytes]) -> str:
    """The SHA-256 of the evidence: that of the checksums of its signed files."""
    return evidence_sha256({name: sha256(files[name]) for name in SIGNED_FILES})


def ledger_json(migration_key: str, ledger: Ledger) -> dict[str, Any]:
    """The ledger as it is stored: `hash` is the SHA-256 of `body`, a JSON text."""
    rows = [
        {"sequence": entry.row.sequence, "hash": entry.row.hash, "body": entry.row.body} for entry in ledger.entries
    ]
    return {"migration": migration_key, "genesis": GENESIS, "sign_offs": rows}


def manifest_json(migration: Migration, evaluation: Evaluation, files: Mapping[str, bytes]) -> dict[str, Any]:
    """`files`: all others of the evidence file."""
    phase = evaluation.phase
    return {
        "format": FORMAT_VERSION,
        "program": version(),
        "migration": migration.key,
        "window": window_json(evaluation.window),
        "phase": window_json(phase.window) if phase else None,
        "evidence_sha256": evidence_digest(files),
        "files": [{"name": name, "bytes": len(content), "sha256": sha256(content)} for name, content in files.items()],
    }


def to_bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
