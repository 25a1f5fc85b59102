"""The lines of the board: decision, phase, shares, freshness and next step of each migration, the most urgent first."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from domain.decision import Decision
from messages import board as text
from messages import numbers, states
from messages.errors.sources import format_archive_problem, shorten
from messages.i18n import LazyText
from reports.judgement_json import shown_reasons
from services.board import BoardRow
from services.evaluation import Evaluation
from services.freshness import is_stale
from ui.app_context import AppContext
from ui.layout import format_ago

URGENCY: tuple[Decision, ...] = ("roll_back", "hold", "no_data", "wait", "continue")
URGENT: tuple[Decision, ...] = ("roll_back", "hold")
MAX_REASON_CHARS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One migration as the template has it. Shares of the canary; None if unknown. Without an evaluation, `note` says why."""

    name: str
    url: str
    evaluation: Evaluation | None = None
    configured: float | None = None
    observed: float | None = None
    freshness: str = ""
    is_stale: bool = False
    note: LazyText | str = ""
    next_step: LazyText | str = ""
    reasons: str = ""

    @property
    def urgency(self) -> int:
        """A place in URGENCY; the last one while nothing is known."""
        return URGENCY.index(self.evaluation.decision.decision) if self.evaluation else len(URGENCY)


def board_line(app: AppContext, row: BoardRow | None, now: datetime) -> Line:
    """The line of a migration. `row`: None if it was not read yet."""
    migration = app.migration
    name, url = migration.name, "/?" + urlencode({"migration": migration.slug})
    if row is None:
        return Line(name, url, note=text.LOADING)
    if row.problem:
        message = format_archive_problem(row.problem.kind, row.problem.detail)
        return Line(name, url, note=f"{message.title}. {message.text}", next_step=message.next_step)
    evaluation, traffic = row.evaluation, row.traffic
    if evaluation is None or traffic is None:
        return Line(name, url, note=text.NOT_READ)
    configured = traffic.traffic.configured_shares.get("canary") if traffic.traffic else None
    ratio, until = traffic.sample_ratio, evaluation.data_until
    down = [states.source_name(source) for source in evaluation.circumstances.sources_down]
    return Line(
        name,
        url,
        evaluation,
        None if configured is None else float(configured),
        ratio.observed_share if ratio else traffic.observed_share,
        numbers.NONE if until is None else format_ago(until, now),
        is_stale(migration, evaluation.source, until, now),
        text.unavailable(down) if down else "",
        text.NEXT_STEPS[evaluation.decision.decision],
        shorten(" · ".join(shown_reasons(evaluation)), MAX_REASON_CHARS),
    )
