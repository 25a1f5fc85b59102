"""`report`: writes the evidence file of a phase or a window."""

from pathlib import Path
from typing import Annotated

import typer

from commands.batches import read_jobs
from commands.judge import exit_with_evaluation
from commands.shared import startup
from commands.shared.context import open_context
from commands.shared.options import (
    Config,
    Demo,
    Json,
    JudgedPhase,
    JudgedWindow,
    MigrationName,
    ReportLanguage,
    Source,
    judged_minutes,
)
from commands.shared.output import echo, echo_text, write_file
from messages import evidence as text
from messages import states
from messages.i18n import in_language
from reports.evidence.manifest import DATA_NAME, evidence_digest, sha256
from reports.evidence.render import evidence_file_name, evidence_files, zip_files
from reports.judgement_json import decision_json, window_json
from services.evaluation import EXIT_UNAVAILABLE
from services.evidence import collect_evidence


def report(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=str(text.OUT))] = None,
    window: JudgedWindow = "",
    phase: JudgedPhase = "",
    source: Source = "",
    language: ReportLanguage = None,
) -> None:
    minutes = judged_minutes(window, phase)
    with open_context(
        config, demo, migration_name, source, phase=phase, as_json=as_json, exit_code=EXIT_UNAVAILABLE
    ) as context:
        echo_text(text.reading(states.source_name(context.metrics.name)), err=True)
        data = context.judgement_input(minutes, phase)
        metrics = context.metrics
        batches, _problems = read_jobs(context.migration, data.result.window, startup.now())
        bundle = collect_evidence(
            context.archive, context.migration, metrics.name, data, batches=batches, fetch_from=metrics
        )
    if bundle.evaluation.unavailable:
        exit_with_evaluation(bundle.evaluation, as_json=as_json)
    with in_language(language):
        files = evidence_files(bundle, made_at=startup.now())
    judged = bundle.evaluation.window
    path = out or Path(evidence_file_name(context.migration.name, judged))
    write_file(path, zip_files(files, judged.ends_at))
    checksum = sha256(files[DATA_NAME])
    if as_json:
        echo(
            {
                "ok": True,
                "path": str(path),
                "data_sha256": checksum,
                "evidence_sha256": evidence_digest(files),
                "verdict": bundle.evaluation.judgement.verdict,
                **decision_json(bundle.evaluation),
                "window": window_json(judged),
            }
        )
    else:
        echo_text(str(path))
        echo_text(f"{checksum}  {DATA_NAME}")
