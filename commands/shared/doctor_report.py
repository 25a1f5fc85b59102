"""The report of `doctor`, which other commands print if they cannot start."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from archive import ArchiveProblem
from commands.shared.output import message_lines, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain import ConfigIssue, Migration
from domain.files import FileExposure
from domain.sign_offs import Ledger
from messages import cli as text
from messages import sign_offs, states
from messages.errors import config
from messages.live import elapsed
from messages.times import duration
from reports.judgement_json import archive_problem_json, issue_json, pick, problem_json
from reports.sign_offs import ledger_state_json
from sources.base import SUPPLEMENTARY, Health, Problem

LABEL_WIDTH = max(cell_len(str(label)) for label in (text.CONFIGURATION, text.ARCHIVE))
NAME_WIDTH = 47  # of permissions and subjects; longer ones move their state to the right


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """`configuration`: a path, or text for the demo. With `config_issues` there is no migration, and no other check."""

    configuration: str
    config_issues: tuple[ConfigIssue, ...] = ()
    migration: Migration | None = None
    archive: str = ""
    archive_problem: ArchiveProblem | None = None
    archive_exposure: FileExposure | None = None
    checks: tuple[Health, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def n_failures(self) -> int:
        """Without warnings."""
        failed = sum(is_ok(check) is False for check in self.checks)
        return len(self.config_issues) + (self.archive_problem is not None) + len(self.ledger.problems) + failed


def is_ok(check: Health) -> bool | None:
    """None if not checked: the check that prevented it failed. A failed check of a supplementary source is only a warning."""
    if check.state == "not_checked":
        return None
    return check.state in ("up", "slow", "stale", "idle") or check.source in SUPPLEMENTARY


def doctor_json(report: DoctorReport) -> dict[str, Any]:
    migration, problem = report.migration, report.archive_problem
    archive = {
        "url": report.archive,
        "ok": problem is None and not report.ledger.problems,
        "problem": archive_problem_json(problem) if problem else None,
        "exposure": report.archive_exposure,
        "ledger": ledger_state_json(report.ledger),
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
                **pick(check, "source", "permission", "subject", "state"),
                "ok": is_ok(check),
                "took_s": round(check.took_s, 3),
                "newest_age_s": check.newest_age_s,
                "problem": problem_json(check.problem) if check.problem else None,
            }
            for check in report.checks
        ],
    }


def doctor_table(report: DoctorReport) -> RenderableType:
    """A line for each check, at most 80 columns wide unless a name is longer than any permission."""
    parts: list[RenderableType] = [title(report.migration)] if report.migration else []
    parts.append(
        _line(not report.config_issues, str(text.CONFIGURATION), plain(report.configuration), width=LABEL_WIDTH)
    )
    parts += [_indented(message_lines(config.format_config_issue(issue))) for issue in report.config_issues]
    if report.migration:
        ok, exposure = report.archive_problem is None and not report.ledger.problems, report.archive_exposure
        parts.append(
            _line(ok, str(text.ARCHIVE), plain(report.archive), remark=exposure is not None, width=LABEL_WIDTH)
        )
        if exposure:
            parts.append(_indented(plain(str(text.ARCHIVE_EXPOSED[exposure]))))
    parts += map(_indented, problem_lines((), report.archive_problem))
    parts += [_indented(plain(problem, BAD)) for problem in sign_offs.problems(report.ledger)]
    for source, checks in groupby(report.checks, key=lambda check: check.source):
        parts += _source_lines(source, tuple(checks))
    parts.append(Text(text.doctor_summary(report.n_failures), BAD if report.n_failures else GOOD))
    return Group(*parts)


def _source_lines(source: str, checks: Sequence[Health]) -> Iterator[RenderableType]:
    """The source's name, its checks, and each problem once, below consecutive checks that have it."""
    yield plain(states.source_name(source), "bold")
    width = max(cell_len(_name(check)) for check in checks)
    for (not_checked, problem), group in groupby(checks, key=_reason):
        for check in group:
            yield _line(
                is_ok(check), _name(check), _state(check), remark=_is_remark(check), width=min(width, NAME_WIDTH)
            )
        if isinstance(problem, Problem):
            yield from map(_indented, problem_lines([problem]))
        elif not_checked:
            yield _indented(plain(str(text.not_checked(problem) if problem else text.NOTHING_TO_CHECK), FAINT))


def _reason(check: Health) -> tuple[bool, Problem | str | None]:
    """Whether it was not checked, and the problem or the operation that prevented it."""
    if is_ok(check) is None:
        return True, check.problem.operation if check.problem else ""
    return False, check.problem


def _name(check: Health) -> str:
    return check.subject or check.permission


def _is_remark(check: Health) -> bool:
    return check.problem is not None or check.state == "stale"


def _state(check: Health) -> Text:
    label, age_s = str(states.CHECK_LABELS[check.state]), check.newest_age_s
    if age_s is not None:
        label = f"{label}, {text.newest(duration(age_s))}"
    elif not check.subject and check.state != "not_checked":
        label = f"{label}, {elapsed(check.took_s)}"
    return Text(label, FAINT)


def _line(ok: bool | None, name: str, details: Text, *, remark: bool = False, width: int = 0) -> Text:
    """`ok` is None if not checked."""
    sign = ("–", FAINT) if ok is None else ("✘", BAD) if not ok else ("!", WARN) if remark else ("✔", GOOD)
    return (
        Text.assemble(sign)
        .append("  ")
        .append_text(plain(name))
        .append(" " * max(2, width + 2 - cell_len(name)))
        .append_text(details)
    )


def _indented(lines: Text) -> Padding:
    return Padding(lines, (0, 0, 0, 4))
