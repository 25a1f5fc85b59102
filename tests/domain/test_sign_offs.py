"""The chain of the ledger: what was changed, removed or put in between is named."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from domain.decision import EXIT_CODES
from domain.serialization import from_json, to_json
from domain.sign_offs import (
    GENESIS,
    SIGNED_FILES,
    Ledger,
    LedgerRow,
    MarginChange,
    SignOff,
    evidence_sha256,
    needs_reason,
    one_line,
    sha256,
)
from tests.factories.sign_offs import SIGNED_WINDOW, make_sign_off
from tests.fakes.metric_source import NOON

KEY = "Photo service @ mackerel:photo"


def make_row(sequence: int, previous_hash: str, **changes: object) -> LedgerRow:
    body = to_json(make_sign_off(migration=KEY, sequence=sequence, previous_hash=previous_hash, **changes))
    return LedgerRow(sequence, body, sha256(body))


def make_rows(*names: str) -> list[LedgerRow]:
    rows: list[LedgerRow] = []
    for sequence, name in enumerate(names, 1):
        rows.append(make_row(sequence, rows[-1].hash if rows else GENESIS, name=name))
    return rows


def problems(rows: list[LedgerRow], key: str = KEY) -> list[tuple[int, str | None]]:
    return [(entry.row.sequence, entry.problem) for entry in Ledger.of(key, rows).problems]


def test_a_chain_of_rows_has_no_problem() -> None:
    rows = make_rows("Mika", "Taro", "Ayumi")
    ledger = Ledger.of(KEY, rows)
    assert ledger.problems == () and ledger.last_hash == rows[-1].hash
    assert [entry.sign_off.name for entry in ledger.entries if entry.sign_off] == ["Mika", "Taro", "Ayumi"]
    assert (Ledger.of(KEY, []).problems, Ledger().last_hash) == ((), GENESIS)


def test_the_hash_is_that_of_the_body() -> None:
    (row,) = make_rows("三香")
    assert row.hash == hashlib.sha256(row.body.encode()).hexdigest()


def test_a_changed_row_is_named() -> None:
    first, second, third = make_rows("Mika", "Taro", "Ayumi")
    changed = replace(second, body=second.body.replace("Taro", "Eve!"))
    assert problems([first, changed, third]) == [(2, "changed")]
    rewritten = replace(changed, hash=sha256(changed.body))
    assert problems([first, rewritten, third]) == [(3, "unlinked")]


def test_a_removed_row_is_named_by_the_one_after_it() -> None:
    first, second, third = make_rows("Mika", "Taro", "Ayumi")
    assert problems([first, third]) == [(3, "missing")]
    assert problems([second, third]) == [(2, "missing")]
    assert problems([first, second]) == []  # at the end: a copy of the ledger shows it


def test_a_row_of_another_place_or_migration_is_named() -> None:
    first, second = make_rows("Mika", "Taro")
    assert problems([first, replace(second, sequence=3)]) == [(3, "changed")]
    assert problems([first, second], "Orders") == [(1, "changed"), (2, "changed")]
    assert problems([first, make_row(2, GENESIS)]) == [(2, "unlinked")]


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", "[]", "null", "[" * 100_000, '{"sequence":1}', "\ud800",
        to_json(make_sign_off(migration=KEY, sequence=1)).replace('"continue"', '"perhaps"'),
        to_json(make_sign_off(migration=KEY, sequence=1, signed_at=253_402_300_800)),
        to_json(make_sign_off(migration=KEY, sequence=1, margin_changes=(MarginChange(-1, "error_rate", "", ""),))),
        to_json(make_sign_off(migration=KEY, sequence=1)).replace(f'"end":{NOON}', '"end":0'),
    ],
)  # fmt: skip
def test_a_row_that_is_no_signature_is_named(body: str) -> None:
    (entry,) = Ledger.of(KEY, [LedgerRow(1, body, sha256(body))]).entries
    assert (entry.sign_off, entry.problem) == (None, "changed")


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.data())
def test_any_change_of_a_body_is_noticed(names: list[str], data: st.DataObject) -> None:
    rows = make_rows(*names)
    at = data.draw(st.integers(0, len(rows) - 1))
    body = rows[at].body
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + ("x" if body[place] != "x" else "y") + body[place + 1 :]
    rows[at] = replace(rows[at], body=changed)
    assert problems(rows)[0] == (at + 1, "changed")


@given(st.builds(SignOff, **{name: st.text() for name in ("migration", "name", "sentence")}, phase=st.integers(1, 99),
    phase_start=st.just(NOON), window=st.just(SIGNED_WINDOW), decision=st.sampled_from(sorted(EXIT_CODES)), verdict=st.text(),
    margins=st.lists(st.tuples(st.text(), st.text())).map(tuple), margin_changes=st.just(()), margins_since=st.none(),
    evidence_sha256=st.just("0" * 64), email=st.just(""), verified=st.booleans(), signed_at=st.just(NOON)))  # fmt: skip
def test_a_signature_reads_back_as_it_was_written(sign_off: SignOff) -> None:
    assert from_json(SignOff, to_json(sign_off)) == sign_off


def test_a_signature_belongs_to_the_phase_in_which_the_middle_of_its_evidence_is() -> None:
    row = make_row(1, GENESIS, window=Window(NOON, NOON + 3600))
    ledger = Ledger.of(KEY, [row, LedgerRow(2, "", "")])
    windows = [Window(NOON - 7200, NOON + 1800), Window(NOON + 1800, NOON + 1860), Window(NOON + 1860, NOON + 7200)]
    assert [len(ledger.of_window(window)) for window in windows] == [0, 1, 0]


def test_only_a_decision_to_continue_needs_no_reason() -> None:
    assert [decision for decision in EXIT_CODES if not needs_reason(decision)] == ["continue"]


def test_a_text_is_one_line_without_control_characters() -> None:
    assert one_line(" Go\x00 \n on\u202e \x1b[31m", 60) == "Go on [31m"
    assert one_line("x" * 61, 60) == "x" * 60


def test_the_digest_of_the_evidence_is_what_sha256sum_makes_of_it(tmp_path: Path) -> None:
    for number, name in enumerate(SIGNED_FILES):
        (tmp_path / name).write_text(f"{number}\n")
    command = f"sha256sum {' '.join(SIGNED_FILES)} | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    files = {name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in reversed(SIGNED_FILES)}
    assert printed.split()[0] == evidence_sha256(files)
