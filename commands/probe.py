"""`probe`: sends the configured requests to both fleets, compares the answers, and keeps the results."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from archive import Archive, ArchiveError
from commands.shared import startup
from commands.shared.fitting_table import FittingTable
from commands.shared.options import Config, Demo, Json, MigrationName
from commands.shared.output import echo, echo_text, plain, problem_lines, title
from commands.shared.styles import BAD, FAINT, GOOD, WARN
from domain import Migration
from domain.probe import ProbeResult, ProbeState
from messages import probe as text
from reports.judgement_json import migration_json, problems_json
from reports.probes import probe_json
from services.evaluation import EXIT_UNAVAILABLE
from services.probing import ProbePlans, plan_probes, run_probes
from sources.base import Problem

STYLES: dict[ProbeState, str] = {"same": GOOD, "different": WARN, "unexpected": BAD, "failed": BAD, "refused": FAINT}


def probe(
    config: Config = None,
    demo: Demo = False,
    migration_name: MigrationName = "",
    as_json: Json = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=str(text.DRY_RUN))] = False,
) -> None:
    migration = startup.load_or_exit(config, demo, migration_name, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    if not migration.probe:
        echo_text(str(text.NOT_CONFIGURED), err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    plans = plan_probes(migration, startup.open_sources(migration).traffic)
    if dry_run:
        _print_plans(migration, plans, as_json=as_json)
        raise typer.Exit(0 if plans.n_requests else EXIT_UNAVAILABLE)
    try:
        with Archive.open(migration.archive, migration) as archive:
            results = run_probes(archive, plans, now=startup.now())
    except ArchiveError as error:
        startup.exit_with_archive_problem(migration, config, error.problem, as_json=as_json, exit_code=EXIT_UNAVAILABLE)
    code = exit_code(results)
    echo(
        probes_json(migration, results, plans.problems, code)
        if as_json
        else probes_table(migration, results, plans.problems)
    )
    raise typer.Exit(code)


def exit_code(results: tuple[ProbeResult, ...]) -> int:
    states = {result.state for result in results}
    if states & {"different", "unexpected", "failed"}:
        return 1
    return EXIT_UNAVAILABLE if "refused" in states else 0


def _print_plans(migration: Migration, plans: ProbePlans, *, as_json: bool) -> None:
    rows = [
        {
            "method": plan.probe.method,
            "path": plan.probe.path,
            "host": plan.host,
            "address": plan.address,
            "refusal": plan.refusal,
            "earlier_rule": plan.earlier_rule,
            "headers": {fleet: item.header for fleet, item in (plan.rules or {}).items()},
            "requests": 0 if plan.refusal else 2 * plan.probe.requests,
        }
        for plan in plans.plans
    ]
    if as_json:
        echo({"ok": True, **migration_json(migration), "probes": rows, "problems": problems_json(plans.problems)})
        return
    for plan in plans.plans:
        echo_text(f"{plan.probe.method} {plan.probe.path}")
        if plan.refusal:
            echo_text(f"  {text.state('refused')}: {text.refusal(plan.refusal, plan.earlier_rule)}")
            continue
        echo_text(f"  {text.asks(2 * plan.probe.requests, f'{plan.host} ({plan.address})')}")
        for fleet, item in (plan.rules or {}).items():
            echo_text(f"  {migration.labels[fleet]}: {item.rule.listener} {item.header}")


def probes_json(
    migration: Migration, results: tuple[ProbeResult, ...], problems: tuple[Problem, ...], code: int
) -> dict[str, Any]:
    return {
        "ok": code == 0,
        "exit_code": code,
        **migration_json(migration),
        "probes": [probe_json(result) for result in results],
        "problems": problems_json(problems),
    }


def probes_table(
    migration: Migration, results: tuple[ProbeResult, ...], problems: tuple[Problem, ...]
) -> RenderableType:
    grid = FittingTable(*map(str, text.HEAD))
    for result in results:
        found = text.differences(result) or [text.refusal(result.refusal, result.earlier_rule)]
        grid.add_row(
            plain(f"{result.method} {result.path}"),
            plain(f"{text.SIGNS[result.state]} {text.state(result.state)}", STYLES[result.state]),
            plain("\n".join(found)),
            plain("\n".join(text.statuses(side, migration) for side in result.sides)),
            plain("\n".join(text.latency(side, migration) for side in result.sides)),
        )
    notes = [f"{result.path}: {text.ignored(result)}" for result in results if result.ignored]
    return Group(
        title(migration),
        plain(text.headline(results), "bold"),
        Text(),
        grid,
        Text(),
        *(plain(note, FAINT) for note in notes),
        *problem_lines(problems),
    )
