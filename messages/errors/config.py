"""Messages for configuration issues: the key as the file spells it, the issue, and the fix."""

import re
from collections.abc import Callable

from domain import ConfigIssue
from domain.config.models import CRITERION_METRICS
from messages.errors import config_access_logs, config_batches
from messages.errors.sources import Message, shorten
from messages.i18n import LazyText, _, lazy

_PREFIX = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012"
_ARNS = {
    "load balancer": f"{_PREFIX}:loadbalancer/app/photo/50dc6c495c0c9188",
    "listener rule": f"{_PREFIX}:listener-rule/app/photo/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee",
    "target group": f"{_PREFIX}:targetgroup/photo-ec2/73e2d6bc24d8a067",
}
# A valid line for each key.
_EXAMPLES = {
    "migration.name": 'name = "Photo service"',
    "migration.timezone": 'timezone = "Asia/Tokyo"',
    "migration.archive": 'archive = "sqlite:///archive.db"',
    "migration.provisional_minutes": "provisional_minutes = 3",
    "migration.settle_minutes": "settle_minutes = 15",
    "migration.warm_up": 'warm_up = "10m"',
    "migration.slow_thresholds_s": "slow_thresholds_s = [0.1, 0.3, 1.0]",
    "aws.region": 'region = "ap-northeast-1"',
    "aws.load_balancer": f'load_balancer = "{_ARNS["load balancer"]}"',
    "aws.rule": f'rule = "{_ARNS["listener rule"]}"',
    "aws.profile": 'profile = "photo-readonly"',
    "fleets.baseline.label": 'label = "EC2"',
    "fleets.canary.label": 'label = "ECS"',
    "fleets.baseline.target_groups": f'target_groups = ["{_ARNS["target group"]}"]',
    "fleets.canary.target_groups": f'target_groups = ["{_PREFIX}:targetgroup/photo-ecs-blue/0f1e2d3c4b5a6978"]',
    "fleets.canary.ecs_service": 'ecs_service = "photo/web"',
    "fleets.canary.codedeploy": 'codedeploy = "AppECS-photo/DgpECS-photo"',
    "mackerel.service": 'service = "photo"',
    "mackerel.alb_host": 'alb_host = "2u4PP3TJqbx"',
    "mackerel.organization": 'organization = "example"',
    "criteria.metric": 'metric = "error_rate"',
    "criteria.margin": 'margin = "0.05pp"',
    "criteria.better": 'better = "lower"',
    "criteria.critical": "critical = true",
    "server.allowed_hosts": 'allowed_hosts = ["dashboard.example.com"]',
    "server.expose": 'expose = ["metrics"]',
    "server.protected": "protected = true",
    **config_batches.EXAMPLES,
    **config_access_logs.EXAMPLES,
}
_LISTED_BY = {
    "load balancer": "aws elbv2 describe-load-balancers",
    "listener rule": "aws elbv2 describe-rules --listener-arn …",
    "target group": "aws elbv2 describe-target-groups",
}
ANCHOR = "docs/configuration.md"
IssueText = tuple[LazyText, LazyText]

# ConfigIssueCode -> the issue, the fix
_TEXTS: dict[str, IssueText] = {
    "not_readable": (
        lazy("It cannot be read: {detail}."),
        lazy("Check the path in MIGRATION_CONFIG and who may read the file. To see the demo instead, unset MIGRATION_CONFIG and run `make demo`."),
    ),
    "not_utf8": (lazy("It is not UTF-8: byte {byte} is something else."), lazy("Save it as UTF-8 in your editor.")),
    "not_toml": (
        lazy("It is not TOML: {detail}."),
        lazy("Correct that line: texts stand in quotes, tables in brackets, and a key may stand once. migration.example.toml shows a whole file."),
    ),
    "renamed_key": (lazy("`{name}` was renamed to `{new}`."), lazy("Write `{new}` instead; its value means the same.")),
    "not_a_choice": (lazy("`{name}` is {given}."), lazy("Write {choices}.")),
    "arn_needed": (
        lazy("“{given}” is a bare name, and AWS is asked by ARN."),
        lazy("Write the target group's whole ARN, as `aws elbv2 describe-target-groups --names {given}` shows it."),
    ),
    "not_a_region": (
        lazy("“{given}” is not the name of an AWS region."),
        lazy("Write the region as it stands in the load balancer's ARN, for example `ap-northeast-1`."),
    ),
    "another_region": (
        lazy("`region` is {given}, and the load balancer's ARN says {found}."),
        lazy('Write `region = "{found}"`, or the ARN of the load balancer in {given}.'),
    ),
    "rule_of_another_load_balancer": (
        lazy("The rule “{given}” belongs to another load balancer than {load_balancer}."),
        lazy("Name one of this load balancer's rules, or leave `rule` out: the rule that splits the traffic is found."),
    ),
    "group_of_another_load_balancer": (
        lazy("“{given}” is in {found}; the load balancer is in {home}."),
        lazy("Name a target group of the same region and account as `load_balancer` under [aws], or correct that."),
    ),
    "group_on_both_sides": (
        lazy("On both sides: {given}. A target group belongs to one fleet."),
        lazy("Take it out of `target_groups` in [fleets.baseline] or in [fleets.canary]."),
    ),
    "group_twice": (lazy("“{given}” stands here more than once, and would be counted more than once."), lazy("Take one of them out.")),
    "same_label": (
        lazy("Both fleets are called “{given}”, so they cannot be distinguished."),
        lazy('Give each its own `label`, for example "EC2" and "ECS".'),
    ),
    "no_source": (
        lazy("It names no place to read numbers from."),
        lazy("Write [aws] with `region` and `load_balancer`, or [mackerel] with `service`, or both."),
    ),
    "not_a_day": (
        lazy("“{given}” is not a day between 2010 and 2100."),
        lazy("Write the first day that is to be kept without quotes, for example `since = 2026-09-01`."),
    ),
    "not_a_warm_up": (
        lazy("“{given}” is not a time of at most a day."),
        lazy("Write minutes or hours, for example `warm_up = \"10m\"`, or `warm_up = \"0\"` to judge from the first minute."),
    ),
    "not_an_archive": (
        lazy("“{given}” is not the address of a database that the archive can live in: that is an SQLite file, or PostgreSQL."),
        lazy("Write `sqlite:///archive.db`, or `postgresql+psycopg://user@host/database`."),
    ),
    "archive_driver": (
        lazy("“{given}” does not say how PostgreSQL is spoken to: this program does so through psycopg."),
        lazy("Write `postgresql+psycopg://user@host/database`."),
    ),
    "archive_without_database": (
        lazy("“{given}” names no database of the server."),
        lazy("Write its name after the host, as in `postgresql+psycopg://user@host/database`."),
    ),
    "archive_without_file": (
        lazy("“{given}” names no file, so everything would be forgotten at the next start."),
        lazy("Write a path after three slashes, for example `sqlite:///archive.db`; four for an absolute one."),
    ),
    "provisional_beyond_settled": (
        lazy("The last {given} minutes would be provisional, but minutes are frozen after {settled} (`settle_minutes`)."),
        lazy("Make `provisional_minutes` at most {settled}, or `settle_minutes` at least {given}."),
    ),
    "metric_twice": (
        lazy("`{given}` has a margin already."),
        lazy("Keep one [[criteria]] for it: two margins for one metric would leave open which one counts."),
    ),
    "threshold_not_asked": (
        lazy("`{given}` needs a threshold of {threshold} s, which is not asked for."),
        lazy("Add {threshold} to `slow_thresholds_s` under [migration]."),
    ),
    "margin_without_unit": (
        lazy("“{given}” is not a margin: it needs a number above 0, and a unit."),
        lazy('Write "0.05pp" for percentage points, "20ms" for milliseconds, or "10%" for a part of the baseline.'),
    ),
    "margin_of_nothing": (
        lazy("A margin of “{given}” can never be proven: there is always some uncertainty left."),
        lazy('Write how much worse would still be fine, for example "0.05pp" or "10%".'),
    ),
    "margin_of_another_unit": (
        lazy("A margin of {given} does not fit `{metric}`."),
        lazy("Its margin is in {fits}: pp are percentage points, ms are milliseconds, and % is relative to the baseline."),
    ),
    "ratio_without_points": (
        lazy("`max_ratio` goes with a margin in pp, not with one of {given}."),
        lazy("Remove it: a relative margin limits the ratio itself, and a latency has no rate."),
    ),
    "not_a_host": (
        lazy("“{given}” is not the name of a host, nor an IP address."),
        lazy("Write what the browser's address bar shows between `https://` and the first `/`, without the port, for example `dashboard.example.com`."),
    ),
    "not_a_header": (
        lazy("“{given}” is not the name of an HTTP header."),
        lazy("Write the header in which the proxy sends the name of the signed-in user, for example `X-Forwarded-User`."),
    ),
    **config_batches.TEXTS,
    **config_access_logs.TEXTS,
}  # fmt: skip


def format_config_issue(issue: ConfigIssue) -> Message:
    """The message for an issue; its title is the key."""
    params = {name: shorten(text, 160) for name, text in issue.params.items()}
    if formatter := _FORMATTERS.get(issue.code):
        texts = formatter(issue.key, params)
    else:
        text, step = _TEXTS[issue.code]
        name = _name(issue.key)
        texts = str(text).format(name=name, **params), str(step).format(name=name, **params)
    return Message(format_key(issue.key), *texts, ANCHOR)


def format_key(key: str) -> str:
    """A key in the notation of the file: "[fleets.canary] target_groups, entry 2", "[[criteria]] no. 2 margin"."""
    first, *names = key.split(".")
    if not names:
        if not first:
            return _("The file")
        return (
            f"[{first}]"
            if first in ("migration", "aws", "mackerel", "fleets", "batches", "access_logs", "server")
            else first
        )
    if first == "criteria":
        table = _("[[criteria]] no. {number}").format(number=int(names.pop(0)) + 1)
    elif first == "fleets":
        table = f"[fleets.{names.pop(0)}]"
    elif key.startswith("batches.jobs."):
        table = _("[[batches.jobs]] no. {number}").format(number=int(names[1]) + 1)
        names = names[2:]
    else:
        table = f"[{first}]"
    entry = ""
    if names and names[-1].isdigit():
        entry = ", " + _("entry {number}").format(number=int(names.pop()) + 1)
    return " ".join([table, *names]) + entry


def _write_example(key: str) -> str:
    if line := _EXAMPLES.get(".".join(name for name in key.split(".") if not name.isdigit())):
        return _("Write for example `{line}`.").format(line=line)
    return _("See migration.example.toml for a whole file.")


def _table(key: str) -> str:
    table = key.rpartition(".")[0]
    return next((f"[[{array}]]" for array in ("criteria", "batches.jobs") if table.startswith(array)), f"[{table}]")


def _name(key: str) -> str:
    return next((name for name in reversed(key.split(".")) if not name.isdigit()), key)


def _subject(key: str) -> str:
    name = f"`{_name(key)}`"
    return _("An entry of {name}").format(name=name) if key.rpartition(".")[2].isdigit() else name


def _suggestion(params: dict[str, str]) -> str:
    return _("Did you mean `{close}`?").format(close=params["close"]) + " " if params["close"] else ""


def _unknown_key(key: str, params: dict[str, str]) -> tuple[str, str]:
    step = _suggestion(params) + _("See docs/configuration.md for every key.")
    return _("There is no key `{name}` here.").format(name=_name(key)), step


def _outside(key: str, params: dict[str, str]) -> tuple[str, str]:
    text = _("`{name}` stands in the wrong place.").format(name=_name(key))
    if params["table"] == "migration":
        return text, _("Move it below the line `[migration]`.")
    table = "[[criteria]]" if params["table"] == "criteria" else f"[{params['table']}]"
    return text, _("Give it a table of its own, `{table}`, not one inside of [migration].").format(table=table)


def _missing(key: str, _params: dict[str, str]) -> tuple[str, str]:
    if key in ("fleets", "fleets.baseline", "fleets.canary"):
        return _("The table is missing, so there is nothing to compare."), _(
            "Write [fleets.baseline] for the old side and [fleets.canary] for the new one, each with `label` and `target_groups`."
        )
    return _("`{name}` is missing in {table}.").format(name=_name(key), table=_table(key)), _write_example(key)


def _wrong_type(key: str, params: dict[str, str]) -> tuple[str, str]:
    if key in ("criteria", "batches.jobs"):
        text = _("Jobs are a list of tables, and this is something else: {given}.")
        if key == "criteria":
            text = _("Criteria are a list of tables, and this is something else: {given}.")
        step = _("Write `[[{key}]]`, with two brackets, above each of them.")
        return text.format(given=params["given"]), step.format(key=key)
    if params["kind"] == "table":
        place = format_key(key)
        return (
            _("{place} is a table, and this is something else: {given}.").format(place=place, given=params["given"]),
            _("Write {place} on a line of its own, and its keys below.").format(place=f"`{place}`"),
        )
    kind = {
        "text": _("a text in quotes"),
        "number": _("a number"),
        "whole number": _("a whole number"),
        "yes or no": _("`true` or `false`"),
        "list": _("a list in brackets"),
    }[params["kind"]]
    text = _("{subject} is {kind}, and this is something else: {given}.")
    return text.format(subject=_subject(key), kind=kind, given=params["given"]), _write_example(key)


def _out_of_range(key: str, params: dict[str, str]) -> tuple[str, str]:
    limit = {
        "gt": _("must be more than {limit}"),
        "ge": _("must be at least {limit}"),
        "lt": _("must be less than {limit}"),
        "le": _("must be at most {limit}"),
    }[params["bound"]].format(limit=params["limit"])
    text = _("{subject} {limit}, and is {given}.").format(subject=_subject(key), limit=limit, given=params["given"])
    return text, _write_example(key)


# A part of the ARN of a load balancer of another type, and why it is refused.
_OTHER_LOAD_BALANCERS = (
    (
        r":loadbalancer/net/",
        lazy("“{given}” is a Network Load Balancer: it counts no HTTP requests, so there is nothing to compare."),
    ),
    (
        r":loadbalancer/gwy/",
        lazy("“{given}” is a Gateway Load Balancer: it counts no HTTP requests, so there is nothing to compare."),
    ),
    (
        r":loadbalancer/[^/\s]+$",
        lazy(
            "“{given}” is a Classic Load Balancer: it has no target groups, so it cannot split the traffic between two fleets."
        ),
    ),
)


def _not_an_arn(_key: str, params: dict[str, str]) -> tuple[str, str]:
    text = _("“{given}” is not the ARN of a {kind}.")
    if params["kind"] == "load balancer":
        reason = next((reason for part, reason in _OTHER_LOAD_BALANCERS if re.search(part, params["given"])), "")
        text = str(reason) or _("“{given}” is not the ARN of an Application Load Balancer.")
    step = _("Copy it from `{command}`; it looks like `{arn}`.")
    return text.format(**params), step.format(command=_LISTED_BY[params["kind"]], arn=_ARNS[params["kind"]])


_ARN_PARTS: dict[str, LazyText] = {
    "prefix": lazy("the beginning `arn:`"),
    "partition": lazy("the partition"),
    "service": lazy("the service"),
    "region": lazy("the region"),
    "account": lazy("the account"),
    "type": lazy("the resource type"),
    "name": lazy("the name"),
    "load_balancer_id": lazy("the load balancer's ID"),
    "listener_id": lazy("the listener's ID"),
    "rule_id": lazy("the rule's ID"),
    "id": lazy("the ID"),
}


def _truncated_arn(key: str, params: dict[str, str]) -> tuple[str, str]:
    missing = [str(_ARN_PARTS[part]) for part in params["missing"].split(",")]
    if params["in_part"] == "true":
        missing[0] = _("the rest of {part}").format(part=missing[0])
    text = _("“{given}” is a truncated ARN of a {found}. Missing: {missing}.").format(
        given=params["given"], found=params["found"], missing=", ".join(missing)
    )
    return text, _not_an_arn(key, params)[1]


def _another_kind(key: str, params: dict[str, str]) -> tuple[str, str]:
    text = _("A {kind} belongs here, and “{given}” is the ARN of a {found}.").format(**params)
    return text, _not_an_arn(key, params)[1]


def _unknown_timezone(_key: str, params: dict[str, str]) -> tuple[str, str]:
    step = _("Write its name in the IANA database, for example `Asia/Tokyo`, `Europe/Berlin` or `UTC`.")
    return _("There is no time zone “{given}”.").format(given=params["given"]), _suggestion(params).strip() or step


def _unknown_metric(_key: str, params: dict[str, str]) -> tuple[str, str]:
    metrics = ", ".join(f"`{metric}`" for metric in CRITERION_METRICS)
    text = _("There is no metric “{given}” to fix a margin for.").format(given=params["given"])
    known = _("There are {metrics}, and `slow_0.3s` for the share of answers slower than 0.3 s.")
    return text, _suggestion(params) + known.format(metrics=metrics)


_FORMATTERS: dict[str, Callable[[str, dict[str, str]], tuple[str, str]]] = {
    "unknown_key": _unknown_key,
    "outside_its_table": _outside,
    "missing": _missing,
    "empty": lambda key, params: (_("`{name}` is empty.").format(name=_name(key)), _write_example(key)),
    "wrong_type": _wrong_type,
    "out_of_range": _out_of_range,
    "not_an_arn": _not_an_arn,
    "truncated_arn": _truncated_arn,
    "arn_of_another_kind": _another_kind,
    "not_a_pair": lambda key, params: (
        _("“{given}” is not two names with a slash between them.").format(**params),
        _write_example(f"fleets.canary.{_name(key)}"),
    ),
    "unknown_timezone": _unknown_timezone,
    "unknown_metric": _unknown_metric,
}
