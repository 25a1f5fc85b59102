"""Messages of what the routes answered, and of what failed or slow requests have in common."""

from collections.abc import Mapping

from analysis.endpoints.answers import PROTOCOL_MARGIN, SIZE_MARGIN, STATUS_MARGIN, Finding, ShareRow, SizeRow
from analysis.endpoints.why import Common, Side, Why
from domain import FLEETS, FleetName
from messages import numbers
from messages.i18n import LazyText, _, lazy

ANSWERS_TITLE = lazy("What was answered")
DIFFERS_ON_PURPOSE = lazy("Not judged: its answers differ on purpose (answers_differ).")
FINDING = lazy("finding")
NO_FINDING = lazy("No difference in size, status or protocol beyond the margins.")
WHY_TITLE = lazy("Look here first")
NOTHING_IN_COMMON = lazy("No value stands out.")
ZONES_UNKNOWN = lazy("The availability zone is not known: add the targets' subnets to zones in [access_logs].")

TRAITS: Mapping[str, LazyText] = {
    "target": lazy("target"),
    "zone": lazy("availability zone"),
    "agent": lazy("user agent"),
    "method": lazy("HTTP method"),
    "protocol": lazy("protocol"),
    "tls": lazy("TLS version"),
    "status": lazy("status (client, target)"),
    "long_time": lazy("longest part"),
    "route": lazy("route"),
}
LONG_TIMES: Mapping[str, LazyText] = {
    "request": lazy("request_processing_time ≥ 0.1 s"),
    "response": lazy("response_processing_time ≥ 0.1 s"),
    "target": lazy("target_processing_time ≥ 0.1 s"),
    "not_sent": lazy("never sent to a target"),
    "no_answer": lazy("no response from the target"),
    "none": lazy("none ≥ 0.1 s"),
}


def answers_note() -> str:
    return _(
        "Mean size of the responses, headers included and as sent, by method and status; shares of each status and protocol. A finding is a "
        "difference that surely exceeds {size} of the size, {status} of a status, or {protocol} of a protocol. It does not change the verdict."
    ).format(
        size=f"{SIZE_MARGIN.value:g}%", status=f"{STATUS_MARGIN.value:g} pp", protocol=f"{PROTOCOL_MARGIN.value:g} pp"
    )


def requests(row: SizeRow | ShareRow) -> str:
    """ "1,200 and 1,180 requests"."""
    baseline, canary = (numbers.count(row.requests[fleet]) for fleet in FLEETS)
    return _("{b} and {c} requests").format(b=baseline, c=canary)


def answers_head(labels: Mapping[FleetName, str]) -> tuple[str, ...]:
    return (_("answer"), *(labels[fleet] for fleet in FLEETS), _("difference"), "")


def answer(row: SizeRow | ShareRow) -> str:
    """ "size of GET 200", "status 302", "protocol h2"."""
    if isinstance(row, SizeRow):
        return _("size of {method} {status}").format(method=row.method, status=row.status)
    name = _("status {value}") if row.kind == "status" else _("protocol {value}")
    return name.format(value=row.value)


def answer_cells(row: SizeRow | ShareRow) -> tuple[str, str, str]:
    """Of the baseline, of the canary, and the difference."""
    if isinstance(row, SizeRow):
        difference = numbers.relative(row.ratio - 1) if row.ratio is not None else numbers.NONE
        baseline, canary = (byte_size(row.mean_bytes[fleet]) for fleet in FLEETS)
        return baseline, canary, difference
    baseline, canary = (
        numbers.percent(row.requests[fleet] / row.all_requests[fleet]) if row.all_requests[fleet] else numbers.NONE
        for fleet in FLEETS
    )
    return baseline, canary, numbers.points(row.difference)


def finding(item: Finding, labels: Mapping[FleetName, str]) -> str:
    """ "Size of GET 200: 12.2 kB on ECS, 24.3 kB on EC2 (−50%)."."""
    baseline, canary, difference = answer_cells(item.row)
    text = _("{answer}: {c} on {canary}, {b} on {baseline} ({difference})").format(
        answer=answer(item.row),
        c=canary,
        b=baseline,
        canary=labels["canary"],
        baseline=labels["baseline"],
        difference=difference,
    )
    return text[:1].upper() + text[1:]


def byte_size(n_bytes: float | None) -> str:
    """ "230 B", "24.3 kB", "1.2 MB": powers of 1000."""
    if n_bytes is None:
        return numbers.NONE
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.{0 if n_bytes >= 100 * size else 1}f} {unit}"
    return f"{n_bytes:.0f} B"


def undetailed(undetailed_hours: int, hours: int) -> str:
    return _(
        "{n} of {hours} hours were counted before this was recorded, at least in part: their lines are not in it."
    ).format(n=numbers.count(undetailed_hours), hours=numbers.count(hours))


def why_subject(why: Why, labels: Mapping[FleetName, str]) -> str:
    """ "4,404 failed of 1.2M requests on ECS"."""
    if why.kind == "failed":
        text = _("{events} failed of {requests} requests on {fleet}")
    else:
        text = _("{events} of {requests} responses on {fleet} took at least {slow}")
    return text.format(
        events=numbers.count(why.events),
        requests=numbers.count(why.requests),
        fleet=labels[why.worse],
        slow=numbers.milliseconds(why.slow_from_ms / 1000),
    )


def why_note(why: Why) -> str:
    if not why.is_enough:
        return _("Too few to compare.")
    return _(
        "A hint where to look, not a cause. {n} values were compared; the probability that any is named by chance is at most 5%."
    ).format(n=numbers.count(why.looked_at))


def why_head(why: Why, labels: Mapping[FleetName, str]) -> tuple[str, ...]:
    other = labels["baseline" if why.worse == "canary" else "canary"]
    events = _("of failed") if why.kind == "failed" else _("of slow")
    return (
        _("in common"),
        _("value"),
        f"{labels[why.worse]}: {events}",
        _("of all"),
        f"{other}: {events}",
        _("of all"),
    )


def common_cells(item: Common) -> tuple[str, ...]:
    """Trait, value, and the shares on both fleets, the worse first, with the number of events."""
    value = str(LONG_TIMES[item.value]) if item.trait == "long_time" and item.value in LONG_TIMES else item.value
    return (str(TRAITS[item.trait]), value, *_shares(item.worse), *_shares(item.other))


def common(item: Common) -> str:
    """ "target 10.0.11.41:8080: 38% of failed, 25% of all"."""
    trait, value, events, requests, *_others = common_cells(item)
    return _("{trait} {value}: {events} of these, {requests} of all").format(
        trait=trait, value=value, events=events, requests=requests
    )


def _shares(side: Side) -> tuple[str, str]:
    if not side.all_events:
        return numbers.NONE, numbers.NONE
    events = f"{numbers.percent(side.events / side.all_events)} ({numbers.count(side.events)})"
    return events, numbers.percent(side.requests / side.all_requests) if side.all_requests else numbers.NONE
