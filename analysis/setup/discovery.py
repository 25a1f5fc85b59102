"""Decides from an inventory which load balancer, rule and target groups are those of a migration, with a reason for each. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.setup.batches import ProposedBatches, propose_batches
from analysis.setup.proposal import (
    Answers,
    Choice,
    DecisionKey,
    DiscoveryFailure,
    Option,
    Proposal,
    ProposedFleet,
    ProposedMackerel,
    Reason,
)
from domain import Arn
from domain.infrastructure import InfrastructureHints
from domain.inventory import FoundLoadBalancer, FoundService, FoundTargetGroup, Inventory
from domain.traffic import LISTENER_ORDER, Rule, unreachable_rules

_HINTED = 10  # added to the grade of what a file names
_ECS_WORDS, _EC2_WORDS = ("ecs", "fargate", "green", "new"), ("ec2", "asg", "old", "legacy")


def propose(
    inventory: Inventory, hints: InfrastructureHints | None = None, answers: Answers | None = None, *, profile: str = ""
) -> Proposal:
    """The migration that the inventory suggests. Raises DiscoveryFailure if there is none, or if an answer is not among the options.

    A choice of `choices` that follows an open one depends on what was preselected there: answer them in order.
    """
    return _Discovery(inventory, hints or InfrastructureHints(), answers or {}).propose(profile)


class _Discovery:
    def __init__(self, inventory: Inventory, hints: InfrastructureHints, answers: Answers) -> None:
        self._inventory, self._hints, self._answers = inventory, hints, answers
        self._groups = {group.arn: group for group in inventory.target_groups if group.target_type != "lambda"}
        self._service_of = {arn: item for item in inventory.services for arn in item.target_group_arns}
        self._unreachable = unreachable_rules(inventory.rules)
        self._choices: list[Choice] = []

    def propose(self, profile: str) -> Proposal:
        balancer_option = self._choose("load_balancer", self._load_balancers())
        balancer = next(item for item in self._inventory.load_balancers if item.arn == balancer_option.values[0])
        splits = self._splits(balancer)
        rule_option = self._choose("listener_rule", self._rules_of(splits)) if splits else None
        rule = next((item for item in splits if rule_option and item.arn == rule_option.values[0]), None)
        groups = self._groups_of(balancer, rule)
        if len(groups) < 2:
            raise DiscoveryFailure("one_target_group", given=balancer.name)
        canary_option = self._choose("ecs_target_group", self._canaries(groups), groups=groups)
        rest = [group for group in groups if group.arn not in canary_option.values]
        if not rest:
            raise DiscoveryFailure("one_target_group", given=balancer.name)
        baseline_option = self._choose("ec2_target_group", self._baselines(rest, rule), groups=rest)
        canary, baseline = self._fleet("ECS", canary_option), self._fleet("EC2", baseline_option)
        if baseline.service:  # from one ECS service to another
            baseline, canary = (replace(fleet, label=fleet.target_group_names[0]) for fleet in (baseline, canary))
        mackerel = self._mackerel(balancer, baseline, canary)
        return Proposal(
            name=balancer.name,
            region=self._inventory.region,
            load_balancer=balancer,
            load_balancer_reasons=balancer_option.reasons,
            rule=rule,
            rule_reasons=rule_option.reasons if rule_option else (),
            baseline=baseline,
            canary=canary,
            mackerel=mackerel,
            choices=tuple(self._choices),
            batches=self._batches(mackerel.service),
            profile=profile,
        )

    def _choose(
        self, key: DecisionKey, graded: Sequence[tuple[int, Option]], *, groups: Sequence[FoundTargetGroup] = ()
    ) -> Option:
        """The answer, else the best option. Open if several options have the best grade, or if the best grade is 0: a guess.

        `groups`: an answer may be any of these target groups.
        """
        ordered = sorted(graded, key=lambda item: -item[0])
        options, grades = tuple(option for _, option in ordered), [grade for grade, _ in ordered]
        if key in self._answers:
            chosen = self._answered(key, options, groups)
            self._choices.append(Choice(key, options, chosen, is_open=False))
            return chosen
        is_open = len(options) > 1 and (grades[0] == grades[1] or grades[0] == 0)
        self._choices.append(Choice(key, options, options[0], is_open))
        return options[0]

    def _answered(self, key: DecisionKey, options: tuple[Option, ...], groups: Sequence[FoundTargetGroup]) -> Option:
        given = self._answers[key]
        for option in options:
            if set(given) == set(option.values) or given == (option.label,):
                return option
        by_name = {name: group for group in groups for name in (group.name, group.arn)}
        if given and groups and all(name in by_name for name in given):
            return _groups_option([by_name[name] for name in given], Reason("answered"))
        raise DiscoveryFailure("no_answer", key, ", ".join(given), options)

    # ---- the load balancer

    def _load_balancers(self) -> list[tuple[int, Option]]:
        found = self._inventory.load_balancers
        if not found:
            raise DiscoveryFailure("no_load_balancer")
        graded = [
            (grade, Option((balancer.arn,), balancer.name, reasons))
            for balancer in found
            for grade, reasons in (self._grade(balancer),)
            if len(found) == 1 or grade >= 0
        ]
        if not graded:
            raise DiscoveryFailure("one_target_group", given=", ".join(balancer.name for balancer in found[:3]))
        return graded

    def _grade(self, balancer: FoundLoadBalancer) -> tuple[int, tuple[Reason, ...]]:
        """How well it qualifies; below 0 if it has fewer than two target groups. One that is named in a file is better than any other."""
        groups = self._groups_of(balancer, None)
        grade, reason = self._grade_of_groups(balancer, groups)
        services = [self._service_of[group.arn] for group in groups if group.arn in self._service_of]
        is_hinted = (
            balancer.arn in self._hints.load_balancer_arns
            or self._is_hinted(group.arn for group in groups)
            or any(map(self._is_hinted_service, services))
        )
        if is_hinted and grade >= 0:
            return grade + _HINTED, (reason, self._hint_reason())
        return grade, (reason,)

    def _grade_of_groups(self, balancer: FoundLoadBalancer, groups: Sequence[FoundTargetGroup]) -> tuple[int, Reason]:
        splits = self._splits(balancer)
        if len(self._inventory.load_balancers) == 1:
            return 4, Reason("only_load_balancer")
        if splits:
            names = comma(share.target_group for share in splits[0].shares)
            sides = [{share.arn in self._service_of for share in rule.shares} for rule in splits]
            return (3 if {True, False} in sides else 2), Reason("splits", (("groups", names),))
        if {True, False} <= {group.arn in self._service_of for group in groups}:
            return 1, Reason("has_both_sides")
        return (0 if len(groups) > 1 else -1), Reason("several_groups", (("n", str(len(groups))),))

    # ---- the rule

    def _splits(self, balancer: FoundLoadBalancer) -> list[Rule]:
        """Its reachable rules that forward to several target groups, the best one first."""
        path = _path(balancer.arn)
        rules = [
            rule
            for rule in self._inventory.rules
            if _path(rule.listener_arn) == path
            and len({share.arn for share in rule.shares if share.arn in self._groups}) > 1
            and rule.arn not in self._unreachable
        ]
        return sorted(rules, key=_split_order)

    def _rules_of(self, rules: Sequence[Rule]) -> list[tuple[int, Option]]:
        graded = []
        for rule in rules:
            reasons = [Reason("forwards", (("weights", weights_text(rule)),))]
            reasons.append(Reason("conditional" if rule.is_conditional else "unconditional"))
            grade = 1 if rule.is_conditional else 2
            if rule.arn in self._hints.listener_rule_arns:
                grade, reasons = grade + _HINTED, [*reasons, self._hint_reason()]
            elif len(rules) == 1:
                reasons.append(Reason("only_rule"))
            graded.append((grade, Option((rule.arn,), rule_label(rule), tuple(reasons))))
        return graded

    # ---- the fleets

    def _groups_of(self, balancer: FoundLoadBalancer, rule: Rule | None) -> list[FoundTargetGroup]:
        """The target groups of the rule and those to which a deployment moves their traffic; without a rule, those of the load balancer."""
        if rule is None:
            return [group for group in self._groups.values() if balancer.arn in group.load_balancer_arns]
        arns = [share.arn for share in rule.shares]
        for service in self._inventory.services:
            if set(service.target_group_arns) & set(arns):
                arns += service.target_group_arns
        names = {self._groups[arn].name for arn in arns if arn in self._groups}
        for pair in (group.target_group_names for group in self._inventory.deployment_groups):
            if set(pair) & names:
                arns += [arn for arn, group in self._groups.items() if group.name in pair]
        return [self._groups[arn] for arn in dict.fromkeys(arns) if arn in self._groups]

    def _canaries(self, groups: Sequence[FoundTargetGroup]) -> list[tuple[int, Option]]:
        """Each ECS service's groups, then each group without a service: ip targets may be tasks of an unread service."""
        graded, taken = list[tuple[int, Option]](), set[str]()
        by_name = sorted(groups, key=_looks_like_ec2)
        services = dict.fromkeys(self._service_of[item.arn] for item in by_name if item.arn in self._service_of)
        for service in services:
            of_service = [
                group for group in groups if group.arn in service.target_group_arns and group.arn not in taken
            ]
            if not of_service:  # another service has them
                continue
            reasons = [Reason("registered", (("service", service.name),))]
            names = {group.name for group in of_service}
            for deployed in self._inventory.deployment_groups:
                if service.name in deployed.services or names & set(deployed.target_group_names):
                    pair = [
                        group
                        for group in groups
                        if group.name in deployed.target_group_names and group not in of_service
                    ]
                    of_service += [group for group in pair if group.arn not in taken]
                    reasons += [Reason("pair", (("group", deployed.name),))] if pair else []
            taken |= {group.arn for group in of_service}
            grade = 3
            if self._is_hinted_service(service):
                grade, reasons = grade + _HINTED, [*reasons, self._hint_reason()]
            graded.append((grade, _groups_option(of_service, *reasons)))
        has_service = bool(graded)
        for group in by_name:
            if group.arn not in taken:
                grade = 1 if group.target_type == "ip" and not has_service else 0
                graded.append((grade, _groups_option([group], *self._type_reasons(group))))
        return graded

    def _baselines(self, groups: Sequence[FoundTargetGroup], rule: Rule | None) -> list[tuple[int, Option]]:
        """All remaining groups of the rule together, then each of them: those without an ECS service are the old fleet."""
        without = [group for group in groups if group.arn not in self._service_of]
        graded = []
        if rule and without:
            reasons = self._type_reasons(without[0]) if len(without) == 1 else (Reason("not_ecs"), Reason("remaining"))
            graded.append((3, _groups_option(without, *reasons)))
        for group in sorted(groups, key=_looks_like_ec2, reverse=True):
            if not (rule and [group] == without):
                is_instances = group.target_type == "instance" and group.arn not in self._service_of
                graded.append((2 if is_instances else 1, _groups_option([group], *self._type_reasons(group))))
        return graded

    def _type_reasons(self, group: FoundTargetGroup) -> tuple[Reason, ...]:
        if service := self._service_of.get(group.arn):
            return (Reason("registered", (("service", service.name),)),)
        reasons = {"instance": (Reason("instance_targets"),), "ip": (Reason("ip_targets"),)}.get(group.target_type, ())
        return (*reasons, Reason("ecs_unread" if "ecs" in self._inventory.unread else "not_ecs"))

    def _fleet(self, label: str, option: Option) -> ProposedFleet:
        services = [item for arn, item in self._service_of.items() if arn in option.values]
        service = max(services, key=lambda item: item.desired, default=None)
        names = {self._groups[arn].name for arn in option.values}
        deployed = next(
            (
                group
                for group in self._inventory.deployment_groups
                if (service and service.name in group.services) or names & set(group.target_group_names)
            ),
            None,
        )
        return ProposedFleet(
            label,
            option.values,
            tuple(self._groups[arn].name for arn in option.values),
            option.reasons,
            service if service and _is_pair(service.name) else None,
            deployed if deployed and _is_pair(deployed.name) else None,
        )

    # ---- Mackerel

    def _mackerel(
        self, balancer: FoundLoadBalancer, baseline: ProposedFleet, canary: ProposedFleet
    ) -> ProposedMackerel:
        found = self._inventory.mackerel
        if found is None:
            return ProposedMackerel("", (Reason("unread" if "mackerel" in self._inventory.unread else "no_key"),))
        names = {*baseline.target_group_names, *canary.target_group_names}
        host = next((host for host in found.hosts if host.target_groups & names), None)
        if host is None:
            return ProposedMackerel("", (Reason("no_host", (("organization", found.organization),)),))
        own_names = {balancer.name, *(canary.service.name.split("/") if canary.service else ())}
        graded = [(0, Option((), "", (Reason("none"),)))]
        for name in found.services:
            if name in host.services:
                graded.append((3, Option((name,), name, (Reason("role_of_host", (("host", host.name),)),))))
            elif name in own_names:
                graded.append((2, Option((name,), name, (Reason("same_name", (("name", name),)),))))
            elif len(found.services) == 1:
                graded.append((1, Option((name,), name, (Reason("only_service"),))))
            else:
                graded.append((0, Option((name,), name)))
        option = self._choose("mackerel_service", graded)
        return ProposedMackerel(
            next(iter(option.values), ""),
            (*option.reasons, Reason("has_metrics", (("host", host.name or host.id),))),
            host,
        )

    def _batches(self, service: str) -> ProposedBatches | None:
        """Those that report to the Mackerel service."""
        found = self._inventory.mackerel
        names = next((names for name, names in found.metric_names if name == service), ()) if found else ()
        return propose_batches(self._inventory.triggers, service, names)

    # ---- hints

    def _is_hinted(self, arns: Iterable[str]) -> bool:
        return not set(self._hints.target_group_arns).isdisjoint(arns)

    def _is_hinted_service(self, service: FoundService) -> bool:
        return service.name in self._hints.services or service.name.split("/")[-1] in self._hints.services

    def _hint_reason(self) -> Reason:
        return Reason("hinted", (("origins", comma(self._hints.origins)),))


def rule_label(rule: Rule) -> str:
    """ "HTTPS:443 default: photo-ec2 90, photo-ecs 10"."""
    return f"{rule.listener} {rule.priority}: {weights_text(rule)}"


def weights_text(rule: Rule) -> str:
    return comma(f"{share.target_group} {share.weight}" for share in rule.shares)


def comma(words: Iterable[str]) -> str:
    return ", ".join(words)


def _groups_option(groups: Sequence[FoundTargetGroup], *reasons: Reason) -> Option:
    return Option(tuple(group.arn for group in groups), " + ".join(group.name for group in groups), reasons)


def _split_order(rule: Rule) -> tuple[bool, bool, int, bool, tuple[bool, int, str]]:
    """As `domain.traffic.find_split` orders them, with the fleets not yet known."""
    listener = LISTENER_ORDER.get(rule.listener, len(LISTENER_ORDER))
    return (
        rule.is_conditional,
        len(rule.weighted_shares) < 2,
        listener,
        not rule.matches_all,
        rule.evaluation_order,
    )


def _looks_like_ec2(group: FoundTargetGroup) -> int:
    """A rank by the name, where nothing else decides: 0 for a name of ECS, 2 for one of EC2."""
    name = group.name.lower()
    return 0 if any(word in name for word in _ECS_WORDS) else 2 if any(word in name for word in _EC2_WORDS) else 1


def _path(arn: str) -> str:
    """`app/photo/50dc…` of a load balancer or a listener."""
    parsed = Arn.parse(arn)
    return parsed.load_balancer_path if parsed else ""


def _is_pair(name: str) -> bool:
    """Whether the configuration accepts it as `cluster/service` or `application/deployment group`."""
    return (
        name.count("/") == 1 and ":" not in name and not any(char.isspace() for char in name) and all(name.split("/"))
    )
