"""`notify`: the channels of the notifications, and what waits to be sent; with --test, sends a message to each."""

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from archive.notifications import ChannelState
from commands.shared import startup
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD
from domain import Migration
from messages import notifications as text
from messages import states
from reports.judgement_json import iso_time, migration_json, pick, problems_json
from services.channels import ChannelReport, channel_reports, channel_words, send_test


def notify(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    test: Annotated[bool, typer.Option("--test", help=str(text.TEST_OPTION))] = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json)
    with startup.open_archive(migration, config, as_json=as_json) as archive:
        now = startup.now()
        reports = send_test(migration, now) if test else channel_reports(archive, migration, now)
    echo(notify_json(migration, reports) if as_json else notify_table(migration, reports, now, is_test=test))
    raise typer.Exit(0 if reports and all(report.problem is None for report in reports) else 1)


def notify_json(migration: Migration, reports: tuple[ChannelReport, ...]) -> dict[str, Any]:
    return {
        **migration_json(migration),
        "ok": bool(reports) and all(report.problem is None for report in reports),
        "channels": [
            {"channel": report.channel, **_state_json(report.state), "problems": problems_json(_problems(report))}
            for report in reports
        ],
    }


def _state_json(state: ChannelState | None) -> dict[str, Any]:
    if state is None:
        return {"last_sent_at": None, "waiting": 0, "attempts": 0, "failed": 0}
    return {"last_sent_at": iso_time(state.last_sent_at), **pick(state, "waiting", "attempts", "failed")}


def _problems(report: ChannelReport) -> tuple[Any, ...]:
    return (report.problem,) if report.problem else ()


def notify_table(
    migration: Migration, reports: tuple[ChannelReport, ...], now: datetime, *, is_test: bool
) -> RenderableType:
    parts: list[RenderableType] = [title(migration)]
    for report in reports:
        sign = ("✘", BAD) if report.problem else ("✔", GOOD)
        test_words = text.TEST_FAILED if report.problem else text.TEST_SENT
        words = str(test_words) if is_test else channel_words(report, now)
        line = Text.assemble(sign, "  ", states.source_name(report.channel), "  ")
        parts.append(line.append_text(plain(words, FAINT)))
        parts += [Padding(lines, (0, 0, 0, 4)) for lines in problem_lines(_problems(report), is_retried=not is_test)]
    if not reports:
        parts.append(plain(str(text.NO_CHANNELS)))
    return Group(*parts)
