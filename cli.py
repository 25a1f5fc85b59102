"""The command line: the same use cases as the pages, for people or, with --json, for programs (docs/cli.md)."""

import sys
from typing import Annotated

import typer

from collector.stopping import exit_in_time
from commands import archive, import_criteria
from commands.batches import batches
from commands.deployments import deployments
from commands.doctor import doctor
from commands.drain import drain
from commands.endpoints import endpoints
from commands.init import init
from commands.judge import judge
from commands.next_step import next_step
from commands.note import note
from commands.notify import notify
from commands.probe import probe
from commands.record import record
from commands.releases import releases
from commands.report import report
from commands.retrospective import retrospective
from commands.shared.command_groups import CommandGroups
from commands.shared.exit_codes import GateCommand
from commands.step import step
from commands.trace import trace
from commands.verify import verify
from commands.watch import watch
from commands.weights import weights
from domain.logs import configure_logging, print_exception
from domain.trace import start_reference
from domain.version import version
from messages import access_logs, evidence, notes, notifications, recording, steps
from messages import batches as batch_text
from messages import cli as text
from messages import drain as drain_text
from messages import next_step as next_step_text
from messages import probe as probe_text
from messages import releases as releases_text
from messages import retrospective as retrospective_text
from messages import setup as setup_text
from messages import trace as trace_text
from messages import verify as verify_text

app = typer.Typer(
    cls=CommandGroups,
    help=str(text.HELP),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(version())
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help=str(text.VERSION))
    ] = False,
) -> None:
    # The table of `record` would be overwritten by log lines.
    is_recorder = context.invoked_subcommand == "record" and not sys.stdout.isatty()
    sys.excepthook = print_exception
    start_reference()
    try:
        configure_logging(default_level="INFO" if is_recorder else "WARNING")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="LOG_LEVEL, LOG_FORMAT") from None


watch_group = str(text.WATCH_GROUP)
app.command(help=str(text.WATCH), cls=GateCommand, rich_help_panel=watch_group)(watch)
app.command(help=str(text.WEIGHTS), rich_help_panel=watch_group)(weights)
app.command(help=str(text.DEPLOYMENTS), rich_help_panel=watch_group)(deployments)
app.command(help=str(releases_text.COMMAND), rich_help_panel=watch_group)(releases)
app.command(help=str(access_logs.COMMAND), cls=GateCommand, rich_help_panel=watch_group)(endpoints)
app.command(help=str(trace_text.COMMAND), cls=GateCommand, rich_help_panel=watch_group)(trace)
app.command(help=str(probe_text.COMMAND), cls=GateCommand, rich_help_panel=watch_group)(probe)
app.command(help=str(batch_text.COMMAND), cls=GateCommand, rich_help_panel=watch_group)(batches)
app.command(help=str(text.JUDGE), cls=GateCommand, rich_help_panel=str(text.DECIDE_GROUP))(judge)
app.command("next", help=str(next_step_text.COMMAND), rich_help_panel=str(text.DECIDE_GROUP))(next_step)
app.command(help=str(drain_text.COMMAND), cls=GateCommand, rich_help_panel=str(text.DECIDE_GROUP))(drain)
evidence_group = str(text.EVIDENCE_GROUP)
app.command(help=str(evidence.REPORT), cls=GateCommand, rich_help_panel=evidence_group)(report)
app.command(help=str(verify_text.COMMAND), cls=GateCommand, rich_help_panel=evidence_group)(verify)
app.command(help=str(retrospective_text.RETROSPECTIVE), cls=GateCommand, rich_help_panel=evidence_group)(retrospective)
app.command(help=str(notes.COMMAND), rich_help_panel=evidence_group)(note)
set_up_group = str(text.SET_UP_GROUP)
app.command(help=str(setup_text.COMMAND), rich_help_panel=set_up_group)(init)
app.command(help=str(text.DOCTOR), rich_help_panel=set_up_group)(doctor)
app.command(help=str(notifications.COMMAND), rich_help_panel=set_up_group)(notify)
app.add_typer(import_criteria.app, name="import", rich_help_panel=set_up_group)
data_group = str(text.DATA_GROUP)
app.command(help=str(recording.RECORD), rich_help_panel=data_group)(record)
app.command(help=str(steps.COMMAND), rich_help_panel=data_group)(step)
app.add_typer(archive.app, name="archive", rich_help_panel=data_group)


if __name__ == "__main__":
    try:
        app()
    except SystemExit as ended:
        exit_in_time(ended.code if isinstance(ended.code, int) else 1)
        raise
