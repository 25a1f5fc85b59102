"""The report of `doctor`, which other commands print if they cannot start."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from archive import ArchiveProblem
from commands.shared.output import message_lines, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain import ConfigIssue, Migration
from messages import cli as text
from messages import states
from messages.errors import config
from messages.live import elapsed
from reports.judgement_json import archive_problem_json, issue_json, pick, problem_json
from sources.base import SUPPLEMENTARY, Health

LABEL_WIDTH = 32


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """`configuration`: a path, or text for the demo. With `config_issues` there is no migration, and no other check."""

    configuration: str
    config_issues: tuple[ConfigIssue, ...] = ()
    migration: Migration | None = None
    archive: str = ""
    archive_problem: ArchiveProblem | None = None
    checks: tuple[Health, ...] = ()

    @property
    def n_failures(self) -> int:
        """Without warnings."""
        failed = sum(not is_ok(check) for check in self.checks)
        return len(self.config_issues) + (self.archive_problem is not None) + failed


def is_ok(check: Health) -> bool:
    """A failed check of a supplementary source is only a warning."""
    return check.state in ("up", "slow") or check.source in SUPPLEMENTARY


def doctor_json(report: DoctorReport) -> dict[str, Any]:
    migration, problem = report.migration, report.archive_problem
    archive = {
        "url": report.archive,
        "ok": problem is None,
        "problem": archive_problem_json(problem) if problem else None,
    }
    return {
        "ok": not report.n_failures,
        "migration": migration.name if migration else None,
        "demo": bool(migration and migration.demo),
        "configuration": report.configuration,
        "issues": [issue_json(issue, "key", config.format_config_issue(issue)) for issue in report.config_issues],
        "archive": archive if migration else None,
        "checks": [
            {
                **pick(check, "source", "permission", "state"),
                "ok": is_ok(check),
                "took_s": round(check.took_s, 3),
                "problem": problem_json(check.problem) if check.problem else None,
            }
            for check in report.checks
        ],
    }


def doctor_table(report: DoctorReport) -> RenderableType:
    parts: list[RenderableType] = [title(report.migration)] if report.migration else []
    parts.append(_line(not report.config_issues, text.CONFIGURATION, plain(report.configuration)))
    parts += [_indented(message_lines(config.format_config_issue(issue))) for issue in report.config_issues]
    if report.migration:
        parts.append(_line(report.archive_problem is None, text.ARCHIVE, plain(report.archive)))
    parts += map(_indented, problem_lines((), report.archive_problem))
    for problem, checks in groupby(report.checks, key=lambda check: check.problem):
        parts += map(_check, checks)
        if problem:  # once for consecutive checks with the same problem
            parts += map(_indented, problem_lines([problem]))
    parts.append(Text(text.doctor_summary(report.n_failures), BAD if report.n_failures else GOOD))
    return Group(*parts)


def _check(check: Health) -> Text:
    state = Text(f"{states.STATE_LABELS[check.state]}, {elapsed(check.took_s)}", FAINT)
    details = plain(check.permission).append("  ").append_text(state)
    return _line(is_ok(check), states.source_name(check.source), details, warning=check.problem is not None)


def _line(ok: bool, label: str, details: Text, *, warning: bool = False) -> Text:
    sign = Text.assemble(("✘", BAD) if not ok else ("!", WARN) if warning else ("✔", GOOD))
    line = sign.append("  ").append_text(plain(label)).append(" " * max(1, LABEL_WIDTH - len(label)))
    return line.append_text(details)


def _indented(lines: Text) -> Padding:
    return Padding(lines, (0, 0, 0, 4))
