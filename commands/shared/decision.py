"""The decision, its reasons, the incidents and the sign-offs in the terminal."""

from datetime import datetime

from rich.text import Text

from commands.shared.output import plain
from commands.shared.styles import BAD, DECISION_STYLES, FAINT
from messages import decision, incidents, sign_offs
from messages.errors.sources import shorten
from reports.judgement_json import decision_headline, incident_rows, shown_reasons
from reports.sign_offs import phase_window, signed_in_short
from services.evaluation import Evaluation

MAX_REASONS = 8
MAX_REASON_CHARS = 300


def decision_lines(evaluation: Evaluation) -> list[Text]:
    """The decision, and a line for each of its reasons."""
    sign, style = decision.SIGNS[evaluation.decision.decision], DECISION_STYLES[evaluation.decision.decision]
    sentences = list(shown_reasons(evaluation))
    shown = [f"  {shorten(sentence, MAX_REASON_CHARS)}" for sentence in sentences[:MAX_REASONS]]
    if len(sentences) > MAX_REASONS:
        shown.append(f"  {decision.more(len(sentences) - MAX_REASONS)}")
    return [
        plain(f"{sign} {decision_headline(evaluation)}", f"bold {style}"),
        *(plain(sentence, style) for sentence in shown),
    ]


def incident_lines(evaluation: Evaluation, *, now: datetime) -> list[Text]:
    """A line for each incident, with the note that acknowledges it."""
    lines = (
        (
            incident.id,
            incidents.sentence(incident, evaluation.labels, evaluation.zone, phase_is_over=evaluation.is_over),
            note or str(incidents.NOT_ACKNOWLEDGED),
        )
        for incident, _span, note in incident_rows(evaluation, now=now)
    )
    return [plain(" · ".join(line), FAINT) for line in lines]


def sign_off_lines(evaluation: Evaluation, *, now: datetime) -> list[Text]:
    """A line for each signature under the phase, and for each row of the ledger that was changed."""
    ledger = evaluation.ledger
    if ledger is None:
        return []
    signed = signed_in_short(ledger.of_window(phase_window(evaluation)), evaluation.zone, now=now)
    return [*(plain(line, FAINT) for line in signed), *(plain(line, BAD) for line in sign_offs.problems(ledger))]
