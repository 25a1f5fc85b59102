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
    REMARK,
    archive_problem_json,
    plain,
    problem_json,
    said_json,
    said_lines,
    title,
)
from domain import Migration, Mistake
from messages import cli as words
from messages import states
from messages.errors import config, sources
from messages.live import took
from sources.base import SUPPLEMENTARY, Health


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor found. `migration` is None where the configuration has `mistakes`; then nothing else was looked at."""

    configuration: str  # a path, or words for the demo
    mistakes: tuple[Mistake, ...]
    migration: Migration | None
    archive: str
    archive_problem: ArchiveProblem | None
    checks: tuple[Health, ...]

    @property
    def wrong(self) -> int:
        """How many things are not right; a remark is none of them."""
        return len(self.mistakes) + (self.archive_problem is not None) + sum(not well(check) for check in self.checks)


def well(check: Health) -> bool:
    """Whether all works: without a source that only adds to others it does."""
    return check.state in ("up", "slow") or check.source in SUPPLEMENTARY


def doctor_json(found: Examination) -> dict[str, Any]:
    return {
        "ok": not found.wrong,
        "migration": found.migration.name if found.migration else None,
        "demo": bool(found.migration and found.migration.demo),
        "configuration": found.configuration,
        "mistakes": [
            {"key": one.key, "slug": one.slug, "particulars": dict(one.particulars), **said_json(config.say(one))}
            for one in found.mistakes
        ],
        "archive": {
            "place": found.archive,
            "ok": found.archive_problem is None,
            "problem": archive_problem_json(found.archive_problem) if found.archive_problem else None,
        }
        if found.migration
        else None,
        "checks": [
            {
                "source": one.source,
                "permission": one.permission,
                "ok": well(one),
                "state": one.state,
                "took_s": round(one.took_s, 3),
                "problem": problem_json(one.problem) if one.problem else None,
            }
            for one in found.checks
        ],
    }


def doctor_table(found: Examination) -> RenderableType:
    parts: list[RenderableType] = [title(found.migration)] if found.migration else []
    parts.append(_line(not found.mistakes, words.configuration(), plain(found.configuration)))
    parts += [_under(said_lines(config.say(one))) for one in found.mistakes]
    if found.migration:
        parts.append(_line(found.archive_problem is None, words.archive(), plain(found.archive)))
    if found.archive_problem:
        parts.append(_under(said_lines(sources.say_archive(found.archive_problem.kind, found.archive_problem.detail))))
    for problem, checks in groupby(found.checks, key=lambda check: check.problem):
        parts += map(_check, checks)
        if problem:  # what keeps several permissions from being tried is told once, under the last of them
            parts.append(_under(said_lines(sources.say(problem))))
    parts.append(Text(words.summary(found.wrong), BAD if found.wrong else GOOD))
    return Group(*parts)


def _check(check: Health) -> Text:
    state = Text(f"{states.label(check.state)}, {took(check.took_s)}", FAINT)
    about = plain(check.permission).append("  ").append_text(state)
    return _line(well(check), states.source_name(check.source), about, remark=check.problem is not None)


def _line(good: bool, what: str, about: Text, *, remark: bool = False) -> Text:
    mark = Text.assemble(("✘", BAD) if not good else ("!", REMARK) if remark else ("✔", GOOD))
    line = mark.append("  ").append_text(plain(what)).append(" " * max(1, 32 - len(what)))
    return line.append_text(about)


def _under(text: Text) -> Padding:
    return Padding(text, (0, 0, 0, 4))
