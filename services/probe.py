"""Probes: the same request to both fleets, each through the rule that leads to it. Only when a person asks, and only to the load balancer."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol
from uuid import uuid4

from analysis.probe.compare import compare, side_result, state_of
from domain import FLEETS, Rule, Traffic
from domain.conditions import Condition
from domain.config.probe import Probe
from domain.probe import Answer, ProbeRefusal, ProbeResult
from domain.series import FleetName
from sources.probe import ProbeRequest

Resolve = Callable[[str], frozenset[str]]


class Sender(Protocol):
    """sources.probe.ProbeClient, or the demo's."""

    def send(self, request: ProbeRequest) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Door:
    """The way to one fleet: a rule of the load balancer, and the headers that it asks for."""

    fleet: FleetName
    rule: Rule
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def header(self) -> str:
        return ", ".join(f"{name}: {value}" for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent: one request per fleet. `refusal`: why nothing is."""

    probe: Probe
    host: str = ""
    doors: Mapping[FleetName, Door] | None = None
    address: str = ""
    refusal: ProbeRefusal = ""

    def request(self, fleet: FleetName) -> ProbeRequest:
        if self.doors is None or self.refusal:
            raise ValueError("A refused probe sends nothing.")
        door = self.doors[fleet]
        protocol, _, port = door.rule.listener.partition(":")
        tls = protocol == "HTTPS"
        return ProbeRequest(
            self.probe.method,
            self.address,
            int(port or (443 if tls else 80)),
            self.host,
            self.probe.path,
            tls,
            door.headers,
        )


def plan_probe(probe: Probe, traffic: Traffic | None, dns_name: str, resolve: Resolve) -> Plan:
    """The doors to both fleets and the address of the load balancer, or why there is none."""
    if traffic is None:
        return Plan(probe, refusal="no_traffic")
    doors: dict[FleetName, Door] = {}
    refusals: list[ProbeRefusal] = []
    for fleet in FLEETS:
        door = _door(fleet, probe, traffic)
        if isinstance(door, Door):
            doors[fleet] = door
        else:
            refusals.append(door)
    host = (probe.host or _host_of(doors.values()) or dns_name).lower()
    if refusals:
        return Plan(probe, host, refusal=refusals[0])
    if not dns_name or not (addresses := resolve(dns_name)):
        return Plan(probe, host, refusal="no_dns")
    if host != dns_name and not (_is_host_of(host, doors.values()) and resolve(host) & addresses):
        return Plan(probe, host, refusal="foreign_host")
    return Plan(probe, host, doors, min(addresses))


def run_probe(
    plan: Plan, sender: Sender, *, now: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> ProbeResult:
    """Sends the requests, both fleets in turn and in random order within a pair, and compares the answers. Nothing if the plan is refused."""
    probe, key = plan.probe, uuid4().hex
    facts = (key, now, probe.method, probe.path, plan.host, probe.expect, probe.requests)
    if plan.refusal or plan.doors is None:
        return ProbeResult(*facts, "refused", plan.refusal or "no_traffic")
    answers: dict[FleetName, list[Answer]] = {fleet: [] for fleet in FLEETS}
    total = probe.requests * len(FLEETS)
    for done, fleet in enumerate(_order(probe.requests, random.Random(key))):
        on_progress(done, total)
        answers[fleet].append(sender.send(plan.request(fleet)))
    on_progress(total, total)
    differences, ignored = compare(answers["baseline"], answers["canary"], plan.host)
    sides = tuple(side_result(fleet, plan.doors[fleet].header, answers[fleet]) for fleet in FLEETS)
    return ProbeResult(*facts, state_of(sides, differences, probe.expect), "", sides, differences, ignored)


def _order(requests: int, generator: random.Random) -> Iterator[FleetName]:
    """Pairs in random order: servers that take turns must not look like fleets."""
    for _ in range(requests):
        yield from generator.sample(FLEETS, len(FLEETS))


def _door(fleet: FleetName, probe: Probe, traffic: Traffic) -> Door | ProbeRefusal:
    """The first header rule to the fleet that the request fulfils; else the split, if it sends everything to the fleet."""
    refusal: ProbeRefusal = "no_door"
    for rule in traffic.header_rules:
        if rule.fleets != {fleet}:
            continue
        headers = _headers(rule, probe)
        if isinstance(headers, tuple):
            return Door(fleet, rule, headers)
        refusal = headers
    split = traffic.split
    if split and split.configured_shares.get(fleet) == 1:
        headers = _headers(split, probe)
        return Door(fleet, split, headers) if isinstance(headers, tuple) else headers
    return "not_told_apart" if split and refusal == "no_door" and split.configured_shares.get(fleet) else refusal


def _headers(rule: Rule, probe: Probe) -> tuple[tuple[str, str], ...] | ProbeRefusal:
    """The headers with which the probe's request fulfils all conditions of a rule, or why it cannot."""
    headers: list[tuple[str, str]] = []
    for condition in rule.conditions:
        match condition.field:
            case "http-header":
                value = _header_value(condition, probe)
                if value is None:
                    return "regex_header" if all(map(_is_regex, condition.patterns)) and not probe.header else "no_door"
                headers.append((condition.name, value))
            case "path-pattern":
                if not _matches(probe.path.partition("?")[0], condition.patterns):
                    return "other_path"
            case "host-header" if not probe.host or _matches(probe.host.lower(), condition.patterns, fold=True):
                pass
            case "http-request-method" if probe.method in condition.patterns:
                pass
            case _ if not condition.matches_all:
                return "no_door"
    return tuple(headers)


def _header_value(condition: Condition, probe: Probe) -> str | None:
    """The configured value if the header is the condition's, else its first fixed pattern."""
    name, value = probe.header_pair
    if name.lower() == condition.name.lower():
        return value if _matches(value, condition.patterns, fold=True) else None
    return next((pattern for pattern in condition.patterns if _is_fixed(pattern)), None)


def _host_of(doors: Iterable[Door]) -> str:
    """A fixed host of the rules' conditions; ""."""
    conditions = [condition for door in doors for condition in door.rule.conditions]
    hosts = [pattern for item in conditions if item.field == "host-header" for pattern in item.patterns]
    return next((host for host in hosts if _is_fixed(host)), "")


def _is_host_of(host: str, doors: Iterable[Door]) -> bool:
    """Whether the rules ask for no host, or for this one."""
    conditions = [item for door in doors for item in door.rule.conditions if item.field == "host-header"]
    return all(_matches(host, item.patterns, fold=True) for item in conditions)


def _matches(text: str, patterns: tuple[str, ...], *, fold: bool = False) -> bool:
    """Whether a text matches one of the patterns, as the load balancer reads them: * and ?, and regular expressions after ~."""
    return any(_matches_one(text, pattern, fold=fold) for pattern in patterns)


def _matches_one(text: str, pattern: str, *, fold: bool) -> bool:
    if _is_regex(pattern):
        try:
            return re.search(pattern[1:], text[:200], re.IGNORECASE if fold else 0) is not None
        except re.error:
            return False
    if fold:
        text, pattern = text.lower(), pattern.lower()
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _is_regex(pattern: str) -> bool:
    return pattern.startswith("~")


def _is_fixed(pattern: str) -> bool:
    return not _is_regex(pattern) and not set(pattern) & {"*", "?", "\\"} and pattern.isprintable()
