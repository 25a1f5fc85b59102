"""What a signature says of the margins, and when it is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis import Phase
from archive.sign_offs import Margins, PastMargins
from domain.decision import Decision
from domain.sign_offs import MarginChange
from services.evaluation import Evaluation
from services.gate import GateRecorder
from services.phases import read_phases
from services.retrospective import evaluate_phase
from services.sign_off import Signature, judged_margins, margin_changes, refusal, sign
from tests.factories.archived_migration import NOW, archived_migration, make_migration
from tests.factories.incidents import INCIDENT, evaluation_with

BEFORE: Margins = (("error_rate", "0.5 pp"), ("latency_p95", "20 ms"))
AFTER: Margins = (("error_rate", "1 pp"), ("slow_0.3s", "2 pp"))
CHANGES = [("error_rate", "0.5 pp", "1 pp"), ("latency_p95", "20 ms", ""), ("slow_0.3s", "", "2 pp")]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([(100, BEFORE), (500, AFTER)], [(500, *change) for change in CHANGES]),  # after the phase began, at 200
        ([(100, BEFORE), (200, AFTER)], []),
        ([(100, BEFORE)], [(1000, *change) for change in CHANGES]),  # just now
        ([(100, AFTER)], []),
        ([(300, BEFORE), (500, AFTER)], [(500, *change) for change in CHANGES]),  # not known at its beginning
        ([], []),
        ([(100, AFTER), (500, BEFORE), (600, AFTER)],
         [(500, "error_rate", "1 pp", "0.5 pp"), (500, "slow_0.3s", "2 pp", ""), (500, "latency_p95", "", "20 ms"),
          *((600, *change) for change in CHANGES)]),  # and back
    ],
)  # fmt: skip
def test_the_margins_that_changed_after_the_phase_began_are_said(
    history: list[tuple[int, Margins]], expected: list[tuple[int, str, str, str]]
) -> None:
    past = [PastMargins(first_seen, first_seen, margins) for first_seen, margins in history]
    assert margin_changes(past, AFTER, since=200, now=1000) == tuple(MarginChange(*change) for change in expected)


def evaluation_on_hold() -> Evaluation:
    made = evaluation_with(INCIDENT)
    assert made.decision.decision == "hold"
    return replace(made, phase=Phase(made.window, 0.5, "weight"))


@pytest.mark.parametrize(
    ("shown", "signature", "expected"),
    [
        ("hold", Signature("Mika"), "no_reason"),
        ("hold", Signature("Mika", " \n\x00"), "no_reason"),
        ("hold", Signature("Mika", "The incident is known."), None),
        ("continue", Signature("Mika", "Go on."), "changed"),
        ("hold", Signature(" \x00", "Go on."), "no_name"),
    ],
)
def test_a_signature_needs_a_name_the_decision_that_was_read_and_a_reason(
    shown: Decision, signature: Signature, expected: str | None
) -> None:
    assert refusal(evaluation_on_hold(), signature, shown=shown) == expected


def test_without_data_or_a_phase_nothing_is_signed() -> None:
    made = evaluation_on_hold()
    stale = replace(made, circumstances=replace(made.circumstances, no_data="stale"))
    assert refusal(stale, Signature("Mika", "Go on."), shown="no_data") == "no_data"
    assert refusal(replace(made, phase=None), Signature("Mika", "Go on."), shown="hold") == "no_phase"


def test_a_signature_says_what_was_decided_and_by_which_margins(tmp_path: Path) -> None:
    migration = make_migration()
    with archived_migration(tmp_path, migration) as archive:
        GateRecorder(archive, migration, "mackerel", lambda _evaluation: {}).record(NOW)
        phase = read_phases(archive, "mackerel", now=NOW)[-1]
        made = evaluate_phase(archive, migration, "mackerel", phase, now=NOW)
        signature = Signature(" Mika\n", "Go\ton.", "mika@example.com", verified=True)
        sign(archive, made, signature, evidence_sha256="ab" * 32, now=NOW)
        (entry,) = archive.sign_offs.read().of_window(phase.window)
    assert entry.sign_off and entry.problem is None
    signed = entry.sign_off
    assert (signed.name, signed.sentence, signed.email, signed.verified) == ("Mika", "Go on.", "mika@example.com", True)
    assert (signed.phase, signed.phase_start, signed.window) == (4, phase.window.start, phase.judged_window)
    assert (signed.decision, signed.verdict) == (made.decision.decision, made.judgement.verdict)
    assert dict(signed.margins)["error_rate"] == "0.05 pp"
    assert (signed.margins, signed.margin_changes) == (judged_margins(made.judgement), ())
    assert (signed.margins_since, signed.signed_at) == (int(NOW.timestamp()), int(NOW.timestamp()))
