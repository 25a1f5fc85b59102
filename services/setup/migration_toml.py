"""A proposal as a commented migration.toml. Each value has the reason why it was chosen above it."""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from analysis.setup.batches import ProposedBatches
from analysis.setup.proposal import Proposal, ProposedFleet, Reason
from domain import Migration
from domain.config.loader import parse_tables
from domain.toml import quote
from messages import setup as text
from messages.errors.sources import shorten

_ZONES = {
    "ap-northeast-1": "Asia/Tokyo",
    "ap-northeast-3": "Asia/Tokyo",
}  # the regions of one zone that the team surely reads times in


def migration_toml(proposal: Proposal) -> str:
    """The file's text, which ends in a line break."""
    tables = (
        _migration_table(proposal),
        _aws_table(proposal),
        _fleet_table("baseline", proposal.baseline),
        _fleet_table("canary", proposal.canary),
        _mackerel_table(proposal),
        *(_batches_tables(proposal.batches) if proposal.batches else ()),
        _criteria(),
    )
    return "\n\n".join("\n".join(lines) for lines in ([_comment(str(text.FILE_HEAD))], *map(list, tables))) + "\n"


def parse_toml(toml: str, path: Path) -> Migration:
    """The migration in the text, as the program will load it. Raises ConfigurationError."""
    return parse_tables(tomllib.loads(toml), path)


def _migration_table(proposal: Proposal) -> Iterator[str]:
    yield "[migration]"
    yield _comment(str(text.NAME_COMMENT))
    yield f"name = {quote(proposal.name)}"
    if zone := _ZONES.get(proposal.region):
        yield _comment(str(text.TIMEZONE_COMMENT).format(region=proposal.region))
        yield f"timezone = {quote(zone)}"


def _aws_table(proposal: Proposal) -> Iterator[str]:
    yield "[aws]"
    yield f"region = {quote(proposal.region)}"
    if proposal.profile:
        yield f"profile = {quote(proposal.profile)}"
    yield from _reasons(proposal.load_balancer_reasons)
    yield f"load_balancer = {quote(proposal.load_balancer.arn)}"
    if proposal.rule:
        yield from _reasons(proposal.rule_reasons)
        yield f"rule = {quote(proposal.rule.arn)}"


def _fleet_table(name: str, fleet: ProposedFleet) -> Iterator[str]:
    yield f"[fleets.{name}]"
    yield f"label = {quote(fleet.label)}"
    yield from _reasons(fleet.reasons)
    yield f"target_groups = {_list(fleet.target_group_arns)}"
    if service := fleet.service:
        yield _comment(text.service_details(service.name, service.desired, service.task_definition))
        yield f"ecs_service = {quote(service.name)}"
    if fleet.deployment_group:
        about = fleet.service.name if fleet.service else fleet.label
        yield _comment(str(text.CODEDEPLOY_COMMENT).format(service=shorten(about)))
        yield f"codedeploy = {quote(fleet.deployment_group.name)}"


def _mackerel_table(proposal: Proposal) -> Iterator[str]:
    mackerel = proposal.mackerel
    if mackerel.host is None:
        yield _comment(str(text.MACKEREL_COMMENT).format(reasons=text.reasons_text(mackerel.reasons)))
        yield "# [mackerel]"
        yield f"# service = {quote(proposal.name)}"
        return
    yield "[mackerel]"
    yield from _reasons(mackerel.reasons)
    if mackerel.service:
        yield f"service = {quote(mackerel.service)}"
    yield f"alb_host = {quote(mackerel.host.id)}"


def _batches_tables(batches: ProposedBatches) -> Iterator[Iterable[str]]:
    yield (
        "[batches]",
        _comment(str(text.BATCHES_COMMENT)),
        f"service = {quote(batches.service)}",
        *(f"{key} = {quote(pattern)}" for key, pattern in batches.patterns),
    )
    for name, trigger in batches.jobs:
        key = "scheduler" if trigger.kind == "scheduler" else "rule"
        yield (
            "[[batches.jobs]]",
            f"name = {quote(name)}",
            f"{key} = {quote(trigger.name)}",
            f"function = {quote(trigger.function)}",
        )


def _criteria() -> Iterator[str]:
    yield _comment(str(text.CRITERIA_COMMENT))
    for metric, margin in (("error_rate", "0.05pp"), ("latency_p95", "10%")):
        yield from ("# [[criteria]]", f'# metric = "{metric}"', f'# margin = "{margin}"', "# critical = true")


def _reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    for reason in reasons:
        yield _comment(text.reason_text(reason))


def _comment(words: str) -> str:
    return f"# {shorten(words, 1000)}"


def _list(values: Sequence[str]) -> str:
    return "[\n" + "".join(f"  {quote(value)},\n" for value in values) + "]"
