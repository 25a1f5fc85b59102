"""`init`: finds the load balancer, its rule, target groups and services, and writes a commented migration.toml."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.setup.discovery import propose
from analysis.setup.proposal import Choice, DecisionKey, DiscoveryFailure, Proposal
from commands.shared.output import echo, echo_text, plain, problem_lines
from commands.shared.styles import FAINT
from domain import ConfigurationError
from domain.infrastructure import InfrastructureHints
from messages import evidence
from messages import setup as text
from messages.errors.config import format_config_issue
from messages.errors.infrastructure import format_infrastructure_issue
from messages.errors.sources import Message
from reports.judgement_json import problem_json
from services.setup.migration_toml import migration_toml, parse_toml
from services.setup.reading import read_hints, read_inventory
from sources.aws.client import available_regions, default_region
from sources.aws.inventory import AwsReading
from sources.base import Problem

EXIT_FAILED, EXIT_USAGE = 1, 2
_Answers = dict[DecisionKey, tuple[str, ...]]


def init(
    load_balancer: Annotated[str, typer.Option(metavar="NAME", help=str(text.LOAD_BALANCER_HELP))] = "",
    listener_rule: Annotated[str, typer.Option(metavar="ARN", help=str(text.RULE_HELP))] = "",
    ec2_target_group: Annotated[list[str] | None, typer.Option(metavar="NAME", help=str(text.EC2_HELP))] = None,
    ecs_target_group: Annotated[list[str] | None, typer.Option(metavar="NAME", help=str(text.ECS_HELP))] = None,
    mackerel_service: Annotated[str | None, typer.Option(metavar="NAME", help=str(text.MACKEREL_HELP))] = None,
    region: Annotated[str, typer.Option(help=str(text.REGION_HELP))] = "",
    profile: Annotated[str, typer.Option(help=str(text.PROFILE_HELP))] = "",
    ecspresso: Annotated[list[Path] | None, typer.Option(metavar="FILE", help=str(text.ECSPRESSO_HELP))] = None,
    tfstate: Annotated[list[str] | None, typer.Option(metavar="LOCATION", help=str(text.TFSTATE_HELP))] = None,
    cloudformation: Annotated[
        list[str] | None, typer.Option(metavar="STACK", help=str(text.CLOUDFORMATION_HELP))
    ] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help=str(text.OUTPUT_HELP))] = Path("migration.toml"),
    yes: Annotated[bool, typer.Option("--yes", help=str(text.YES_HELP))] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help=str(text.OVERWRITE_HELP))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=str(text.INIT_JSON_HELP))] = False,
) -> None:
    is_file = not as_json and str(output) != "-"
    if is_file and not overwrite and output.exists():
        _exit(text.exists(str(output)))
    answers: _Answers = {
        "load_balancer": (load_balancer,) if load_balancer else (),
        "listener_rule": (listener_rule,) if listener_rule else (),
        "ecs_target_group": tuple(ecs_target_group or ()),
        "ec2_target_group": tuple(ec2_target_group or ()),
    }
    answers = {key: given for key, given in answers.items() if given}
    if mackerel_service is not None:
        answers["mackerel_service"] = (mackerel_service,) if mackerel_service else ()
    asks = not yes and not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    files = read_hints(
        region, profile, ecspresso=ecspresso or (), tfstate=tfstate or (), cloudformation=cloudformation or ()
    )
    for issue in files.issues:
        _print_error(format_infrastructure_issue(issue))
    region = region or files.hints.region or default_region(profile) or (_ask_region() if asks else "")
    if not region:
        _exit(str(text.NO_REGION), EXIT_USAGE)
    reading = read_inventory(
        region,
        profile=profile,
        load_balancer=load_balancer,
        hints=files.hints,
        on_progress=lambda source: echo_text(text.reading(source), err=True),
    )
    reading = replace(reading, problems=(*files.problems, *reading.problems))
    try:
        proposal = _propose(reading, files.hints, answers, profile, choose=_chooser(asks=asks, yes=yes))
    except DiscoveryFailure as failure:
        _exit_with_failure(failure, reading, as_json=as_json)
    toml = migration_toml(proposal)
    _check(toml, output)
    if as_json:
        echo(proposal_json(proposal, reading.problems, toml))
    elif not is_file:
        echo_text(toml.rstrip())
    else:
        echo(_table(proposal, reading.problems))
        _write(output, toml, overwrite=overwrite)
        echo_text(text.written(str(output)))
        echo_text(str(text.NEXT_STEP))


def _propose(
    reading: AwsReading,
    hints: InfrastructureHints,
    answers: _Answers,
    profile: str,
    *,
    choose: Callable[[Choice], tuple[str, ...]],
) -> Proposal:
    """The proposal without open choices. Raises DiscoveryFailure if there is none."""
    while choice := (proposal := propose(reading.inventory, hints, answers, profile=profile)).open_choice:
        answers = {**answers, choice.key: choose(choice)}
    return proposal


def _exit_with_failure(failure: DiscoveryFailure, reading: AwsReading, *, as_json: bool) -> NoReturn:
    """With what could not be read, which may be the reason."""
    sentence = text.failure_text(failure, reading.inventory.region)
    if as_json:
        problems = [problem_json(problem) for problem in reading.problems]
        echo({"ok": False, "failure": failure.code, "text": sentence, "problems": problems})
    else:
        for line in problem_lines(reading.problems, is_retried=False):
            echo(line)
        echo_text(sentence, err=True)
    raise typer.Exit(EXIT_USAGE if failure.code == "no_answer" else EXIT_FAILED)


def _chooser(*, asks: bool, yes: bool) -> Callable[[Choice], tuple[str, ...]]:
    def choose(choice: Choice) -> tuple[str, ...]:
        if yes:
            return choice.chosen.values
        if not asks:
            _exit(text.ambiguous(choice), EXIT_USAGE)
        options = {text.option_text(option): option.values for option in choice.options}
        return options[_ask(str(text.QUESTIONS[choice.key]), list(options), text.option_text(choice.chosen))]

    return choose


def _ask_region() -> str:
    regions = available_regions()
    return _ask(str(text.REGION_QUESTION), regions, regions[0])


def _ask(question: str, options: list[str], preselected: str) -> str:
    """The option that was chosen with the arrow keys. Exits if the question is left with Ctrl-C."""
    import questionary  # takes a tenth of a second to import

    answer: str | None = questionary.select(question, choices=options, default=preselected).ask()
    if answer is None:
        raise typer.Exit(EXIT_FAILED)
    return answer


def _check(toml: str, path: Path) -> None:
    """Exits if the program could not load the file: a name that the configuration does not accept."""
    try:
        parse_toml(toml, path)
    except ConfigurationError as error:
        _exit("\n".join(f"{issue.key}: {format_config_issue(issue).text}" for issue in error.issues))


def _write(path: Path, toml: str, *, overwrite: bool) -> None:
    """Exits if the file cannot be written, or was made meanwhile."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(toml)
    except FileExistsError:
        _exit(text.exists(str(path)))
    except OSError as error:
        _exit(evidence.not_written(str(path), error.strerror or str(error)))


def _print_error(message: Message) -> None:
    echo_text(f"{message.title}: {message.text}\n→ {message.next_step}  {message.anchor}", err=True)


def _exit(sentence: str, code: int = EXIT_FAILED) -> NoReturn:
    echo_text(sentence, err=True)
    raise typer.Exit(code)


def _table(proposal: Proposal, problems: tuple[Problem, ...]) -> RenderableType:
    """What was found, and why; then what could not be read."""
    return Group(
        *(line for row in text.findings(proposal) for line in _row_lines(*row)),
        *problem_lines(problems, is_retried=False),
    )


def _row_lines(heading: str, name: str, reasons: tuple[str, ...]) -> Iterator[RenderableType]:
    yield Text.assemble((heading, "bold"), ": ").append_text(plain(name))
    for reason in reasons:
        yield Padding(plain(reason, FAINT), (0, 0, 0, 4))


def proposal_json(proposal: Proposal, problems: tuple[Problem, ...], toml: str) -> dict[str, Any]:
    fleets = {"baseline": proposal.baseline, "canary": proposal.canary}
    return {
        "ok": True,
        "name": proposal.name,
        "region": proposal.region,
        "load_balancer": proposal.load_balancer.arn,
        "listener_rule": proposal.rule.arn if proposal.rule else None,
        "fleets": {
            name: {
                "label": fleet.label,
                "target_groups": fleet.target_group_arns,
                "ecs_service": fleet.service.name if fleet.service else None,
                "codedeploy": fleet.deployment_group.name if fleet.deployment_group else None,
            }
            for name, fleet in fleets.items()
        },
        "mackerel_service": proposal.mackerel.service or None,
        "batches": [name for name, _trigger in proposal.batches.jobs] if proposal.batches else [],
        "choices": [
            {
                "key": choice.key,
                "chosen": choice.chosen.values,
                "options": [
                    {
                        "values": option.values,
                        "label": option.label,
                        "reasons": list(map(text.reason_text, option.reasons)),
                    }
                    for option in choice.options
                ],
            }
            for choice in proposal.choices
        ],
        "problems": [problem_json(problem) for problem in problems],
        "toml": toml,
    }
