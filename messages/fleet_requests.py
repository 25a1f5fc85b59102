"""Sentences on the requests of a fleet that are not counted: unknown, not asked, not yet, none."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from analysis.series.fleet_requests import MISSING_STATES, FleetRequests
from domain import FleetName
from messages import states
from messages.i18n import _, comma_list
from sources.csv_import import SOURCE as CSV
from sources.mackerel.queries import SOURCE as MACKEREL


def missing(fleets: Iterable[FleetRequests], labels: Mapping[FleetName, str]) -> str:
    """One sentence for each state, with the fleets that are in it: "CloudWatch counted no requests of ECS in this window."."""
    return " ".join(_sentence(group, labels) for group in _by_state(fleets))


def missing_explained(fleets: Iterable[FleetRequests], labels: Mapping[FleetName, str]) -> str:
    """The same, and what to check if a target group has never reported."""
    return " ".join(
        text
        for group in _by_state(fleets)
        for text in (_sentence(group, labels), _what_to_check(group, labels))
        if text
    )


def _by_state(fleets: Iterable[FleetRequests]) -> list[tuple[FleetRequests, ...]]:
    def key(requests: FleetRequests) -> tuple[int, bool]:
        return MISSING_STATES.index(requests.state), requests.zero_share

    absent = sorted((requests for requests in fleets if not requests.is_counted), key=key)
    return [tuple(group) for _key, group in groupby(absent, key=key)]


def _sentence(group: Sequence[FleetRequests], labels: Mapping[FleetName, str]) -> str:
    first = group[0]
    if first.source == CSV and first.state == "not_asked":
        text = _("The CSV has no requests of {fleets} in this window.")
    elif first.state == "none" and first.zero_share:
        text = _("{fleets} is configured with 0%: no requests expected.")
    elif first.state == "none" and not first.source:
        text = _("{fleets} had no requests in this window.")
    else:
        text = {
            "none": _("{source}: no requests of {fleets} in this window."),
            "never_reported": _("{source} has never reported requests of {fleets} (target group {groups})."),
            "not_yet": _("No final minutes of {fleets} yet: recent minutes may still change."),
            "not_asked": _("Requests of {fleets} in this window are unknown: not yet requested from {source}."),
            "unknown": _("Requests of {fleets} are unknown: {source} could not be read."),
        }[first.state]
    return text.format(
        source=states.source_name(first.source),
        fleets=_(" and ").join(labels[requests.fleet] for requests in group),
        groups=comma_list(name for requests in group for name in requests.groups),
    )


def _what_to_check(group: Sequence[FleetRequests], labels: Mapping[FleetName, str]) -> str:
    if group[0].state != "never_reported":
        return ""
    if group[0].source == MACKEREL:
        settings = _("Check the API key's organization, `mackerel.alb_host` and the target group's name.")
    else:
        settings = _("Check account, region, `load_balancer` and the target group's ARN.")
    right = _("If these are correct, {fleets} has had no requests yet: check its weight and targets.")
    return f"{settings} {right.format(fleets=_(' and ').join(labels[requests.fleet] for requests in group))}"
