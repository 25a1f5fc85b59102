"""Probes: the same request to both fleets, each through the rule that leads to it. Only when a person asks, and only to the load balancer."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from analysis.probe.compare import compare, side_result, state_of
from domain import FLEETS, Rule, Traffic
from domain.conditions import Condition, RequestLine, may_match, pattern_matches
from domain.config.probe import Probe
from domain.probe import Answer, ProbeRefusal, ProbeResult
from domain.series import FleetName
from sources.probe import ProbeRequest

Resolve = Callable[[str], frozenset[str]]


class Sender(Protocol):
    """sources.probe.ProbeClient, or the demo's."""

    def send(self, request: ProbeRequest) -> Answer: ...


@dataclass(frozen=True, slots=True)
class FleetRule:
    """The rule of the load balancer that leads to one fleet, a header rule or the split, and the headers that it asks for."""

    fleet: FleetName
    rule: Rule
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def header(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent: one request per fleet. `refusal`: why nothing is; `earlier_rule`: the rule that takes it, or may, "HTTPS:443 5"."""

    probe: Probe
    host: str = ""
    rules: Mapping[FleetName, FleetRule] | None = None
    address: str = ""
    refusal: ProbeRefusal = ""
    earlier_rule: str = ""

    def request(self, fleet: FleetName) -> ProbeRequest:
        if self.rules is None or self.refusal:
            raise ValueError("A refused probe sends nothing.")
        fleet_rule = self.rules[fleet]
        protocol, _, port = fleet_rule.rule.listener.partition(":")
        tls = protocol == "HTTPS"
        return ProbeRequest(
            self.probe.method,
            self.address,
            int(port or (443 if tls else 80)),
            self.host,
            self.probe.path,
            tls,
            fleet_rule.headers,
        )


def plan_probe(probe: Probe, traffic: Traffic | None, dns_name: str, resolve: Resolve) -> Plan:
    """The rules to both fleets and the address of the load balancer, or why there is none."""
    if traffic is None:
        return Plan(probe, refusal="no_traffic")
    rules: dict[FleetName, FleetRule] = {}
    refusals: list[ProbeRefusal] = []
    for fleet in FLEETS:
        found = _fleet_rule(fleet, probe, traffic)
        if isinstance(found, FleetRule):
            rules[fleet] = found
        else:
            refusals.append(found)
    host = (probe.host or _host_of(rules.values()) or dns_name).lower()
    if refusals:
        return Plan(probe, host, refusal=refusals[0])
    if not dns_name or not (addresses := resolve(dns_name)):
        return Plan(probe, host, refusal="no_dns")
    if host != dns_name and not (_is_host_of(host, rules.values()) and resolve(host) & addresses):
        return Plan(probe, host, refusal="foreign_host")
    plan = Plan(probe, host, rules, min(addresses))
    for fleet in FLEETS:
        if earlier := _earlier_rule(plan.request(fleet), rules[fleet], traffic):
            name = f"{earlier.listener} {earlier.priority}"
            return Plan(probe, host, refusal="earlier_rule", earlier_rule=name)
    return plan


def run_probe(
    plan: Plan, sender: Sender, *, now: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> ProbeResult:
    """Sends the requests, both fleets in turn and in random order within a pair, and compares the answers. Nothing if the plan is refused."""
    probe, key = plan.probe, uuid4().hex
    facts = (key, now, probe.method, probe.path, plan.host, probe.expect, probe.requests)
    if plan.refusal or plan.rules is None:
        refusal = plan.refusal or "no_traffic"
        return ProbeResult(*facts, "refused", refusal, header=probe.header, earlier_rule=plan.earlier_rule)
    answers: dict[FleetName, list[Answer]] = {fleet: [] for fleet in FLEETS}
    total = probe.requests * len(FLEETS)
    for done, fleet in enumerate(_order(probe.requests, random.Random(key))):
        on_progress(done, total)
        answers[fleet].append(sender.send(plan.request(fleet)))
    on_progress(total, total)
    differences, ignored = compare(answers["baseline"], answers["canary"], plan.host)
    sides = tuple(side_result(fleet, plan.rules[fleet].header, answers[fleet]) for fleet in FLEETS)
    state = state_of(sides, differences, probe.expect)
    return ProbeResult(*facts, state, "", sides, differences, ignored, probe.header)


def _order(requests: int, generator: random.Random) -> Iterator[FleetName]:
    """Pairs in random order: servers that take turns must not look like fleets."""
    for _ in range(requests):
        yield from generator.sample(FLEETS, len(FLEETS))


def _fleet_rule(fleet: FleetName, probe: Probe, traffic: Traffic) -> FleetRule | ProbeRefusal:
    """The first header rule to the fleet that the request fulfils; else the split, if it sends everything to the fleet."""
    refusal: ProbeRefusal = "no_header_rule"
    for rule in traffic.header_rules:
        if not _leads_to(rule, fleet):
            continue
        headers = _headers(rule, probe)
        if isinstance(headers, tuple):
            return FleetRule(fleet, rule, headers)
        refusal = headers
    split = traffic.split
    if split and _leads_to(split, fleet):
        headers = _headers(split, probe)
        return FleetRule(fleet, split, headers) if isinstance(headers, tuple) else headers
    return "not_told_apart" if split and refusal == "no_header_rule" and split.configured_shares.get(fleet) else refusal


def _leads_to(rule: Rule, fleet: FleetName) -> bool:
    """Whether it sends all its requests to the fleet."""
    return rule.configured_shares.get(fleet) == 1


def _earlier_rule(request: ProbeRequest, chosen: FleetRule, traffic: Traffic) -> Rule | None:
    """A rule that the load balancer evaluates before the chosen one, that the request may match, and that does not lead to the fleet alone."""
    line = RequestLine(request.method, request.host, request.path, request.sent_headers)
    same_listener = (rule for rule in traffic.rules if rule.listener_arn == chosen.rule.listener_arn)
    for rule in sorted(same_listener, key=lambda rule: rule.evaluation_order):
        if rule.arn == chosen.rule.arn:
            return None
        if may_match(rule.conditions, line) and not _leads_to(rule, chosen.fleet):
            return rule
    return None


def _headers(rule: Rule, probe: Probe) -> tuple[tuple[str, str], ...] | ProbeRefusal:
    """The headers with which the probe's request fulfils all conditions of a rule, or why it cannot."""
    headers: list[tuple[str, str]] = []
    for condition in rule.conditions:
        match condition.field:
            case "http-header":
                value = _header_value(condition, probe)
                if value is None:
                    return (
                        "regex_header"
                        if all(map(_is_regex, condition.patterns)) and not probe.header
                        else "no_header_rule"
                    )
                headers.append((condition.name, value))
            case "path-pattern":
                if not _matches(probe.path.partition("?")[0], condition.patterns):
                    return "other_path"
            case "host-header" if not probe.host or _matches(probe.host.lower(), condition.patterns, fold=True):
                pass
            case "http-request-method" if probe.method in condition.patterns:
                pass
            case _ if not condition.matches_all:
                return "no_header_rule"
    return tuple(headers)


def _header_value(condition: Condition, probe: Probe) -> str | None:
    """The configured value if the header is the condition's, else its first fixed pattern."""
    name, value = probe.header_pair
    if name.lower() == condition.name.lower():
        return value if _matches(value, condition.patterns, fold=True) else None
    return next((pattern for pattern in condition.patterns if _is_fixed(pattern)), None)


def _host_of(rules: Iterable[FleetRule]) -> str:
    """A fixed host of the rules' conditions; ""."""
    conditions = [condition for item in rules for condition in item.rule.conditions]
    hosts = [pattern for item in conditions if item.field == "host-header" for pattern in item.patterns]
    return next((host for host in hosts if _is_fixed(host)), "")


def _is_host_of(host: str, rules: Iterable[FleetRule]) -> bool:
    """Whether the rules ask for no host, or for this one."""
    conditions = [item for rule in rules for item in rule.rule.conditions if item.field == "host-header"]
    return all(_matches(host, item.patterns, fold=True) for item in conditions)


def _matches(text: str, patterns: tuple[str, ...], *, fold: bool = False) -> bool:
    return any(pattern_matches(pattern, text, fold=fold) for pattern in patterns)


def _is_regex(pattern: str) -> bool:
    return pattern.startswith("~")


def _is_fixed(pattern: str) -> bool:
    return not _is_regex(pattern) and not set(pattern) & {"*", "?", "\\"} and pattern.isprintable()
