"""`doctor`: checks the configuration, the archive, every permission of every source, and the sign-in."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

from archive import Archive, ArchiveError
from commands.shared import startup
from commands.shared.options import Config, Demo, Json, MigrationName
from domain import FLEETS, Migration
from services.channels import channel_reports, channel_words
from services.sign_in import sign_in_checks
from sources.base import IDLE_GROUP, Health
from sources.registry import Sources


def doctor(
    config: Config = None, demo: Demo = False, migration_name: MigrationName = "", as_json: Json = False
) -> None:
    configuration = startup.load_all_or_exit(config, demo, migration_name, as_json=as_json)
    reports = list(startup.invalid_reports(configuration))
    of_sign_in = sign_in_checks(configuration, os.environ)
    for migration in configuration.migrations:
        checks = mark_idle_groups(run_checks(startup.open_sources(migration)), migration)
        checks = (*checks, *channel_checks(migration), *of_sign_in)
        reports.append(startup.examine(migration, config, checks))
    startup.exit_with_reports(reports, as_json=as_json)


def run_checks(sources: Sources) -> tuple[Health, ...]:
    """The checks of all sources, in parallel."""
    optional = (sources.traffic, sources.logs, sources.athena)
    batches = (
        *sources.batches,
        *((sources.triggers,) if sources.triggers else ()),
        *((sources.run_logs,) if sources.run_logs else ()),
    )
    checked = (
        *sources.metrics,
        *sources.criteria,
        *(source for source in optional if source),
        *sources.events,
        *batches,
    )
    with ThreadPoolExecutor(len(checked) or 1) as threads:
        return tuple(chain.from_iterable(threads.map(lambda source: source.check(), checked)))


def channel_checks(migration: Migration) -> tuple[Health, ...]:
    """The channels of [notify]: whether something could be sent, and what became of the last message. Sends nothing."""
    now = startup.now()
    try:
        with Archive.open(migration.archive, migration) as archive:
            reports = channel_reports(archive, migration, now)
    except ArchiveError:  # the report on the archive has it
        reports = channel_reports(None, migration, now)
    return tuple(
        Health(
            report.channel,
            "POST",
            "failed" if report.problem else "up",
            0.0,
            report.problem,
            channel_words(report, now),
        )
        for report in reports
    )


def mark_idle_groups(checks: tuple[Health, ...], migration: Migration) -> tuple[Health, ...]:
    """The checks with "idle" in place of "never_reported" for a target group if the same source has datapoints of another one of its fleet."""
    fleet_of = {group: fleet for fleet in FLEETS for group in migration.fleets[fleet].names}
    reported = {(check.source, fleet_of.get(check.subject)) for check in checks if check.newest_age_s is not None}
    return tuple(
        replace(check, state="idle", problem=check.problem and replace(check.problem, detail=IDLE_GROUP))
        if check.state == "never_reported" and (check.source, fleet_of.get(check.subject, "")) in reported
        else check
        for check in checks
    )
