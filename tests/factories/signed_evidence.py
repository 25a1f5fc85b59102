"""Evidence files with a ledger."""

from dataclasses import replace
from typing import Any

from domain.serialization import to_json
from domain.sign_offs import GENESIS, Ledger, LedgerRow, sha256
from reports.evidence.manifest import evidence_digest
from reports.evidence.render import evidence_files, signed_files
from tests.factories.evidence import MADE_AT, WINDOW, make_evidence
from tests.factories.sign_offs import make_sign_off

CASE = make_evidence()
EVIDENCE_SHA256 = evidence_digest(signed_files(CASE))


def make_ledger(key: str, *signatures: dict[str, Any]) -> Ledger:
    """A chain of signatures, each with these fields."""
    rows: list[LedgerRow] = []
    for sequence, fields in enumerate(signatures, 1):
        previous = rows[-1].hash if rows else GENESIS
        body = to_json(make_sign_off(migration=key, sequence=sequence, previous_hash=previous, **fields))
        rows.append(LedgerRow(sequence, body, sha256(body)))
    return Ledger.of(key, rows)


def signed_evidence(*signatures: dict[str, Any]) -> dict[str, bytes]:
    """The files of `make_evidence()`, whose ledger has these signatures; each is of it, unless it says otherwise."""
    of_evidence = {"window": WINDOW, "evidence_sha256": EVIDENCE_SHA256}
    ledger = make_ledger(CASE.migration.key, *(of_evidence | fields for fields in signatures))
    return evidence_files(replace(CASE, ledger=ledger), made_at=MADE_AT)
