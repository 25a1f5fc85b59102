"""`doctor`: one line a thing that must be right, and under it what to do where it is not."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from archive import ArchiveProblem
from commands.shared.output import (
    BAD,
    FAINT,
    GOOD,
    WARN,
    archive_problem_json,
    message_json,
    message_lines,
    plain,
    problem_json,
    title,
)
from domain import ConfigIssue, Migration
from messages import cli as words
from messages import states
from messages.errors import config, sources
from messages.live import elapsed
from sources.base import SUPPLEMENTARY, Health


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What the doctor found. `migration` is None where the configuration has `mistakes`; then nothing else was looked at."""

    configuration: str  # a path, or words for the demo
    config_issues: tuple[ConfigIssue, ...]
    migration: Migration | None
    archive: str
    archive_problem: ArchiveProblem | None
    checks: tuple[Health, ...]

    @property
    def n_failures(self) -> int:
        """How many things are not right; a remark is none of them."""
        return (
            len(self.config_issues)
            + (self.archive_problem is not None)
            + sum(not is_ok(check) for check in self.checks)
        )


def is_ok(check: Health) -> bool:
    """Whether all works: without a source that only adds to others it does."""
    return check.state in ("up", "slow") or check.source in SUPPLEMENTARY


def doctor_json(report: DoctorReport) -> dict[str, Any]:
    return {
        "ok": not report.n_failures,
        "migration": report.migration.name if report.migration else None,
        "demo": bool(report.migration and report.migration.demo),
        "configuration": report.configuration,
        "mistakes": [
            {
                "key": one.key,
                "slug": one.code,
                "particulars": dict(one.params),
                **message_json(config.format_config_issue(one)),
            }
            for one in report.config_issues
        ],
        "archive": {
            "place": report.archive,
            "ok": report.archive_problem is None,
            "problem": archive_problem_json(report.archive_problem) if report.archive_problem else None,
        }
        if report.migration
        else None,
        "checks": [
            {
                "source": one.source,
                "permission": one.permission,
                "ok": is_ok(one),
                "state": one.state,
                "took_s": round(one.took_s, 3),
                "problem": problem_json(one.problem) if one.problem else None,
            }
            for one in report.checks
        ],
    }


def doctor_table(report: DoctorReport) -> RenderableType:
    parts: list[RenderableType] = [title(report.migration)] if report.migration else []
    parts.append(_line(not report.config_issues, words.CONFIGURATION(), plain(report.configuration)))
    parts += [_indented(message_lines(config.format_config_issue(one))) for one in report.config_issues]
    if report.migration:
        parts.append(_line(report.archive_problem is None, words.ARCHIVE(), plain(report.archive)))
    if report.archive_problem:
        parts.append(
            _indented(
                message_lines(
                    sources.format_archive_problem(report.archive_problem.kind, report.archive_problem.detail)
                )
            )
        )
    for problem, checks in groupby(report.checks, key=lambda check: check.problem):
        parts += map(_check, checks)
        if problem:  # what keeps several permissions from being tried is told once, under the last of them
            parts.append(_indented(message_lines(sources.format_problem(problem))))
    parts.append(Text(words.doctor_summary(report.n_failures), BAD if report.n_failures else GOOD))
    return Group(*parts)


def _check(check: Health) -> Text:
    state = Text(f"{states.label(check.state)}, {elapsed(check.took_s)}", FAINT)
    about = plain(check.permission).append("  ").append_text(state)
    return _line(is_ok(check), states.source_name(check.source), about, warning=check.problem is not None)


def _line(ok: bool, label: str, text: Text, *, warning: bool = False) -> Text:
    mark = Text.assemble(("✘", BAD) if not ok else ("!", WARN) if warning else ("✔", GOOD))
    line = mark.append("  ").append_text(plain(label)).append(" " * max(1, 32 - len(label)))
    return line.append_text(text)


def _indented(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 4))
