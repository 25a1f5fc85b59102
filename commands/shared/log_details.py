"""What was answered, and what failed or slow requests have in common, as lines on the terminal."""

from rich.console import RenderableType
from rich.text import Text

from analysis.endpoints.why import Why
from commands.shared.fitting_table import FittingTable
from commands.shared.output import plain
from commands.shared.styles import BASELINE, CANARY, FAINT, WARN
from domain import Migration
from messages import answers as text
from messages.i18n import full_stop
from services.log_details import LogDetails

MAX_FINDINGS = 10


def details_lines(migration: Migration, details: LogDetails, *, why: bool) -> list[RenderableType]:
    """The findings; with `why`, a table of each kind of event."""
    parts: list[RenderableType] = []
    for finding in details.answers.findings[:MAX_FINDINGS]:
        parts.append(plain(full_stop(f"{finding.route}  {text.finding(finding, migration.labels)}"), WARN))
    if why:
        for item in details.why:
            parts += _why_lines(migration, item)
    if details.undetailed_hours:
        parts.append(Text(text.undetailed(details.undetailed_hours, details.hours), WARN))
    return [*parts, Text()] if parts else []


def _why_lines(migration: Migration, why: Why) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(),
        Text(f"{text.WHY_TITLE}: {full_stop(text.why_subject(why, migration.labels))}"),
    ]
    if why.common:
        grid = FittingTable(*text.why_head(why, migration.labels))
        worse, other = (CANARY, BASELINE) if why.worse == "canary" else (BASELINE, CANARY)
        for column, style in zip(grid.columns[2:], (worse, worse, other, other), strict=True):
            column.justify, column.style, column.no_wrap = "right", style, True
        for item in why.common:
            grid.add_row(*(plain(cell) for cell in text.common_cells(item)))
        parts.append(grid)
    elif why.is_enough:
        parts.append(Text(str(text.NOTHING_IN_COMMON)))
    parts.append(Text(text.why_note(why), FAINT))
    if "zone" in why.missing:
        parts.append(Text(str(text.ZONES_UNKNOWN), FAINT))
    return parts
