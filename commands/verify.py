"""`verify`: checks an evidence file and its sign-offs without configuration, archive or network."""

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from commands.shared import startup
from commands.shared.options import Json
from commands.shared.output import echo, plain
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain.sign_offs import LedgerEntry
from messages import sign_offs, times
from messages import verify as text
from reports.evidence.manifest import FORMAT_VERSION
from reports.evidence.verify import EvidenceCheck, UnverifiableError, verify_evidence
from reports.judgement_json import window_json
from reports.sign_offs import ledger_state_json, sign_off_rows, sign_offs_json

EXIT_SIGNED, EXIT_CHANGED, EXIT_NOT_SIGNED, EXIT_UNVERIFIABLE = 0, 1, 2, 3


def verify(file: Annotated[Path, typer.Argument(metavar="FILE", help=str(text.FILE))], as_json: Json = False) -> None:
    try:
        check = verify_evidence(file)
    except UnverifiableError as error:
        sentence = text.unverifiable(error.code, error.about, version=FORMAT_VERSION)
        body = {"ok": False, "exit_code": EXIT_UNVERIFIABLE, "file": str(file), "code": error.code, "text": sentence}
        echo(body if as_json else plain(f"✘ {sentence}", BAD))
        raise typer.Exit(EXIT_UNVERIFIABLE) from None
    exit_code = EXIT_CHANGED if not check.is_unchanged else EXIT_SIGNED if check.signatures else EXIT_NOT_SIGNED
    echo(check_json(file, check, exit_code) if as_json else check_lines(check))
    raise typer.Exit(exit_code)


def check_json(file: Path, check: EvidenceCheck, exit_code: int) -> dict[str, Any]:
    return {
        "ok": exit_code == EXIT_SIGNED,
        "exit_code": exit_code,
        "file": str(file),
        "program": check.program,
        "window": window_json(check.window),
        "evidence_sha256": check.evidence_sha256,
        "changes": [{"file": name, "code": code, "text": text.change(code, name)} for code, name in check.changes],
        "ledger": ledger_state_json(check.ledger),
        "sign_offs": sign_offs_json(check.signatures),
        "other_sign_offs": sign_offs_json(check.others),
    }


def check_lines(check: EvidenceCheck) -> RenderableType:
    window = times.span(check.window.starts_at, check.window.ends_at, UTC)
    lines = [plain(text.evidence(check.evidence_sha256), "bold"), plain(window, FAINT)]
    lines += [plain(f"✘ {text.change(code, name)}", BAD) for code, name in check.changes]
    if not check.changes:
        lines.append(plain(f"✔ {text.UNCHANGED}", GOOD))
    lines += [plain(f"✘ {problem}", BAD) for problem in sign_offs.problems(check.ledger)]
    if intact := sign_offs.intact(check.ledger):
        lines.append(plain(f"✔ {intact}", GOOD))
    lines += signature_lines(check.signatures) if check.signatures else [plain(f"– {text.NOT_SIGNED}", WARN)]
    if check.others:
        lines.append(plain(f"– {text.others(len(check.others))}", FAINT))
    return Group(*lines)


def signature_lines(entries: tuple[LedgerEntry, ...]) -> list[Text]:
    """Two lines or more for each signature, the newest first."""
    now, lines = startup.now(), list[Text]()
    for row in sign_off_rows(entries, UTC, now=now):
        lines.append(plain(f"✔ {sign_offs.in_short(row.name, row.clock, row.decision)} ({row.how})", GOOD))
        details = (row.sentence, row.margins, *row.changes)
        lines += [Text("  ").append_text(plain(detail, FAINT)) for detail in details if detail]
    return lines
