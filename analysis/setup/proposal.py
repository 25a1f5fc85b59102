"""What is proposed as a migration: every decision as a `Choice` of options with reasons, and the migration that they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from analysis.setup.batches import ProposedBatches
from domain.inventory import FoundDeploymentGroup, FoundLoadBalancer, FoundMackerelHost, FoundService
from domain.traffic import Rule

DecisionKey = Literal["load_balancer", "listener_rule", "ecs_target_group", "ec2_target_group", "mackerel_service"]
DECISIONS: tuple[DecisionKey, ...] = get_args(DecisionKey)  # in the order in which they are made
Answers = Mapping[DecisionKey, tuple[str, ...]]  # ARNs or names; an empty tuple: none of them

ChoiceReasonCode = Literal[
    "answered",
    "hinted",  # {origins}
    "only_load_balancer",
    "splits",  # {groups}: a rule forwards to them with these weights
    "has_both_sides",  # no rule splits yet, but there are groups of both kinds
    "several_groups",
    "only_rule",
    "forwards",  # {weights}
    "unconditional",
    "conditional",
    "registered",  # {service}: an ECS service registers its tasks in the groups
    "pair",  # {group}: the deployment group of CodeDeploy moves traffic between them
    "ip_targets",
    "instance_targets",
    "not_ecs",  # no ECS service registers its tasks there
    "ecs_unread",  # ECS was not read completely
    "remaining",  # the others in the rule
    "serves_service",  # {service}
    "same_name",  # {name}
    "only_service",
    "role_of_host",  # {host}
    "has_metrics",  # {host}: of these target groups
    "no_host",  # no host has metrics of these target groups
    "no_key",  # Mackerel was not asked
    "unread",  # Mackerel could not be read
    "none",  # no service
]
FailureCode = Literal["no_load_balancer", "one_target_group", "no_answer"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was chosen. messages/setup.py has the texts."""

    code: ChoiceReasonCode
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """One answer: `values` are ARNs, or names of what has none; `label` has their names."""

    values: tuple[str, ...]
    label: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The options of a decision, the best one first; `chosen` is that one or the answer. `is_open`: it is ambiguous and not answered."""

    key: DecisionKey
    options: tuple[Option, ...]
    chosen: Option
    is_open: bool


class DiscoveryFailure(Exception):
    """Nothing can be proposed. `options`: what could have been answered, for "no_answer"; `given`: what was, or the names that it is about."""

    def __init__(
        self, code: FailureCode, key: DecisionKey = "load_balancer", given: str = "", options: tuple[Option, ...] = ()
    ) -> None:
        super().__init__(f"{code}: {key} {given}")
        self.code, self.key, self.given, self.options = code, key, given, options


@dataclass(frozen=True, slots=True)
class ProposedFleet:
    """A fleet. `reasons`: why these groups. `service` and `deployment_group`: None if there is none, or if their names cannot be configured."""

    label: str
    target_group_arns: tuple[str, ...]
    target_group_names: tuple[str, ...]
    reasons: tuple[Reason, ...]
    service: FoundService | None = None
    deployment_group: FoundDeploymentGroup | None = None


@dataclass(frozen=True, slots=True)
class ProposedMackerel:
    """`service`: "" for none. `host`: None if no host has metrics of the target groups; then there is no [mackerel]."""

    service: str
    reasons: tuple[Reason, ...]
    host: FoundMackerelHost | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A migration, and every choice that led to it. `rule`: None if no rule forwards to several groups yet."""

    name: str
    region: str
    load_balancer: FoundLoadBalancer
    load_balancer_reasons: tuple[Reason, ...]
    rule: Rule | None
    rule_reasons: tuple[Reason, ...]
    baseline: ProposedFleet
    canary: ProposedFleet
    mackerel: ProposedMackerel
    choices: tuple[Choice, ...]
    batches: ProposedBatches | None = None
    profile: str = ""

    @property
    def open_choice(self) -> Choice | None:
        """The next question."""
        return next((choice for choice in self.choices if choice.is_open), None)
