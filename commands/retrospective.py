"""`retrospective`: prints the summary of the migration and writes the report, from the archive alone."""

from pathlib import Path
from typing import Annotated

import typer

from commands.shared import startup
from commands.shared.context import open_context
from commands.shared.options import Config, Demo, Json, MigrationName, ReportLanguage, Source
from commands.shared.output import echo, echo_text, write_file
from messages import retrospective as text
from messages.i18n import in_language
from reports.retrospective.render import build_report
from services.evaluation import EXIT_UNAVAILABLE


def retrospective(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=str(text.OUT))] = None,
    source: Source = "",
    language: ReportLanguage = None,
) -> None:
    with open_context(config, demo, migration_name, source, as_json=as_json, exit_code=EXIT_UNAVAILABLE) as context:
        source_name, read_runs = context.metrics.name, context.archived_batches
        report = build_report(context.archive, context.migration, source_name, read_runs=read_runs, now=startup.now())
    if report is None:
        echo_text(str(text.EMPTY), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    path = out or (None if as_json else Path(report.file_name))
    if path is not None:
        with in_language(language):
            page = report.html()
        write_file(path, page.encode())
    if as_json:
        echo(report.json())
    else:
        echo_text("\n".join((*report.sentences(), str(path))))
