"""Messages for configuration issues: the key as the file spells it, the issue, and the fix."""

import re
from collections.abc import Callable

from domain import ConfigIssue
from messages.errors import (
    config_access_logs,
    config_batches,
    config_criteria,
    config_notify,
    config_probe,
    config_releases,
    config_sign_in,
)
from messages.errors.config_criteria import suggestion
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
    "migration.slo": 'slo = "99.9% over 30d"',
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
    **config_criteria.EXAMPLES,
    "server.allowed_hosts": 'allowed_hosts = ["dashboard.example.com"]',
    "server.expose": 'expose = ["metrics"]',
    "server.protected": "protected = true",
    **config_batches.EXAMPLES,
    **config_probe.EXAMPLES,
    **config_access_logs.EXAMPLES,
    **config_releases.EXAMPLES,
    **config_notify.EXAMPLES,
    **config_sign_in.EXAMPLES,
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
        lazy("Cannot be read: {detail}."),
        lazy("Check the path in MIGRATION_CONFIG and the file's permissions. For the demo, unset MIGRATION_CONFIG and run "
"`make demo`."),
    ),
    "not_utf8": (lazy("Not valid UTF-8 at byte {byte}."), lazy("Save it as UTF-8 in your editor.")),
    "not_toml": (
        lazy("Invalid TOML: {detail}."),
        lazy("Fix that line: strings in quotes, tables in brackets, each key once. Full example: migration.example.toml."),
    ),
    "no_migrations": (
        lazy("No migration is configured here."),
        lazy("Add a file such as migration.example.toml to the folder, or a [[migrations]] to the file."),
    ),
    "name_twice": (
        lazy("“{given}” is the name of another migration, or differs from “{other}” only in punctuation."),
        lazy("Give each migration a name of its own: it is in the URLs of its pages."),
    ),
    "another_archive": (
        lazy("`archive` is {given}, but {other} uses {archive}. One process has one archive."),
        lazy("Use the same `archive` for all migrations, or run another process with a configuration of its own."),
    ),
    "renamed_key": (lazy("`{name}` was renamed to `{new}`."), lazy("Use `{new}` instead; the value is unchanged.")),
    "not_a_choice": (lazy("`{name}` is {given}."), lazy("Use {choices}.")),
    "arn_needed": (
        lazy("“{given}” is a name; AWS requires the ARN."),
        lazy("Use the target group's full ARN: `aws elbv2 describe-target-groups --names {given}` shows it."),
    ),
    "not_a_region": (
        lazy("“{given}” is not an AWS region."),
        lazy("Use the region in the load balancer's ARN, for example `ap-northeast-1`."),
    ),
    "another_region": (
        lazy("`region` is {given}, but the load balancer's ARN has {found}."),
        lazy('Set `region = "{found}"`, or use the ARN of the load balancer in {given}.'),
    ),
    "rule_of_another_load_balancer": (
        lazy("The rule “{given}” belongs to another load balancer than {load_balancer}."),
        lazy("Use a rule of this load balancer, or omit `rule`: the rule that splits the traffic is then detected."),
    ),
    "group_of_another_load_balancer": (
        lazy("“{given}” is in {found}; the load balancer is in {home}."),
        lazy("Use a target group in the same region and account as `load_balancer` under [aws], or correct that."),
    ),
    "group_on_both_sides": (
        lazy("In both fleets: {given}. A target group belongs to one fleet."),
        lazy("Remove it from `target_groups` in [fleets.baseline] or in [fleets.canary]."),
    ),
    "group_twice": (lazy("“{given}” is listed more than once, and would be counted twice."), lazy("Remove the duplicate.")),
    "same_label": (
        lazy("Both fleets have the same `label`: “{given}”."),
        lazy('Give each fleet its own `label`, for example "EC2" and "ECS".'),
    ),
    "no_source": (
        lazy("No metric source configured."),
        lazy("Add [aws] with `region` and `load_balancer`, or [mackerel] with `service`, or both."),
    ),
    "not_a_day": (
        lazy("“{given}” is not a day between 2010 and 2100."),
        lazy("Use the first day to retain, without quotes, for example `since = 2026-09-01`."),
    ),
    "not_a_warm_up": (
        lazy("“{given}” is not a duration of up to a day."),
        lazy('Use minutes or hours, for example `warm_up = "10m"`, or `warm_up = "0"` to judge from the first minute.'),
    ),
    "not_a_retention": (
        lazy("“{given}” is not a number of days from 63 to 36500."),
        lazy('Use days, for example `keep = "400d"`, or leave it out to keep everything.'),
    ),
    "rollups_before_points": (
        lazy("“{given}” is shorter than `keep`, or there is no `keep`."),
        lazy('Rollups are kept at least as long as points, for example `keep = "400d"` and `keep_rollups = "1500d"`.'),
    ),
    "not_an_slo": (
        lazy("“{given}” is not a service level objective."),
        lazy('Use the share of successful requests over at most 90 days, for example `slo = "99.9% over 30d"`.'),
    ),
    "not_an_archive": (
        lazy("“{given}” is not a supported database URL: the archive needs SQLite or PostgreSQL."),
        lazy("Use `sqlite:///archive.db`, or `postgresql+psycopg://user@host/database`."),
    ),
    "archive_driver": (
        lazy("“{given}” has no PostgreSQL driver; this program uses psycopg."),
        lazy("Use `postgresql+psycopg://user@host/database`."),
    ),
    "archive_without_database": (
        lazy("“{given}” has no database name."),
        lazy("Add it after the host, as in `postgresql+psycopg://user@host/database`."),
    ),
    "archive_without_file": (
        lazy("“{given}” has no file name, so all data would be lost at the next start."),
        lazy("Add a path after three slashes, for example `sqlite:///archive.db`; four for an absolute path."),
    ),
    "provisional_beyond_settled": (
        lazy("The last {given} minutes would be provisional, but minutes are final after {settled} (`settle_minutes`)."),
        lazy("Set `provisional_minutes` to at most {settled}, or `settle_minutes` to at least {given}."),
    ),
    "not_a_host": (
        lazy("“{given}” is neither a host name nor an IP address."),
        lazy("Use what the browser's address bar shows between `https://` and the first `/`, without the port, for "
"example `dashboard.example.com`."),
    ),
    "not_a_header": (
        lazy("“{given}” is not an HTTP header name."),
        lazy("Use the header in which the proxy sends the name of the signed-in user, for example `X-Forwarded-User`."),
    ),
    **config_batches.TEXTS,
    **config_probe.TEXTS,
    **config_access_logs.TEXTS,
    **config_releases.TEXTS,
    **config_notify.TEXTS,
    **config_sign_in.TEXTS,
    **config_criteria.TEXTS,
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
    place = format_key(issue.key) if not issue.entry else _format_entry_key(issue)
    title = " · ".join(filter(None, [issue.file, place]))
    return Message(title, *texts, ANCHOR, config_criteria.snippet(issue))


def format_key(key: str) -> str:
    """A key in the notation of the file: "[fleets.canary] target_groups, entry 2", "[[criteria]] no. 2 margin"."""
    first, *names = key.split(".")
    if not names:
        if not first:
            return _("The file")
        return (
            f"[{first}]"
            if first in ("migration", "aws", "mackerel", "fleets", "batches", "access_logs", "server", "sign_in")
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


def _format_entry_key(issue: ConfigIssue) -> str:
    """A key in one of [[migrations]]: "[[migrations]] no. 2 [migrations.fleets.canary] label"."""
    entry = _("[[migrations]] no. {number}").format(number=issue.entry)
    table, _separator, name = issue.key.partition(".")
    if table == "migration":
        return f"{entry} {format_key(name)}" if name else entry
    return f"{entry} " + re.sub(r"^(\[+)", r"\1migrations.", format_key(issue.key))


def _write_example(key: str) -> str:
    if line := _EXAMPLES.get(".".join(name for name in key.split(".") if not name.isdigit())):
        return _("Example: `{line}`.").format(line=line)
    return _("Full example: migration.example.toml.")


def _table(key: str) -> str:
    table = key.rpartition(".")[0]
    return next((f"[[{array}]]" for array in ("criteria", "batches.jobs") if table.startswith(array)), f"[{table}]")


def _name(key: str) -> str:
    return next((name for name in reversed(key.split(".")) if not name.isdigit()), key)


def _subject(key: str) -> str:
    name = f"`{_name(key)}`"
    return _("An entry of {name}").format(name=name) if key.rpartition(".")[2].isdigit() else name


def _unknown_key(key: str, params: dict[str, str]) -> tuple[str, str]:
    step = suggestion(params) + _("See docs/configuration.md for every key.")
    return _("Unknown key `{name}`.").format(name=_name(key)), step


def _outside(key: str, params: dict[str, str]) -> tuple[str, str]:
    text = _("`{name}` is in the wrong place.").format(name=_name(key))
    if params["table"] == "migration":
        return text, _("Move it below the line `[migration]`.")
    table = "[[criteria]]" if params["table"] == "criteria" else f"[{params['table']}]"
    return text, _("Use a separate table `{table}`, outside [migration].").format(table=table)


def _missing(key: str, _params: dict[str, str]) -> tuple[str, str]:
    if key in ("fleets", "fleets.baseline", "fleets.canary"):
        return _("Missing table: nothing to compare."), _(
            "Add [fleets.baseline] (old fleet) and [fleets.canary] (new fleet), each with `label` and `target_groups`."
        )
    return _("`{name}` is missing in {table}.").format(name=_name(key), table=_table(key)), _write_example(key)


def _wrong_type(key: str, params: dict[str, str]) -> tuple[str, str]:
    if key in ("criteria", "batches.jobs"):
        text = _("Jobs must be an array of tables, got {given}.")
        if key == "criteria":
            text = _("Criteria must be an array of tables, got {given}.")
        step = _("Put `[[{key}]]`, with double brackets, above each.")
        return text.format(given=params["given"]), step.format(key=key)
    if params["kind"] == "table":
        place = format_key(key)
        return (
            _("{place} must be a table, got {given}.").format(place=place, given=params["given"]),
            _("Put {place} on its own line, with its keys below.").format(place=f"`{place}`"),
        )
    kind = {
        "text": _("a quoted string"),
        "number": _("a number"),
        "whole number": _("an integer"),
        "yes or no": _("`true` or `false`"),
        "list": _("an array"),
    }[params["kind"]]
    text = _("{subject} must be {kind}, got {given}.")
    return text.format(subject=_subject(key), kind=kind, given=params["given"]), _write_example(key)


def _out_of_range(key: str, params: dict[str, str]) -> tuple[str, str]:
    limit = {
        "gt": _("must be more than {limit}"),
        "ge": _("must be at least {limit}"),
        "lt": _("must be less than {limit}"),
        "le": _("must be at most {limit}"),
    }[params["bound"]].format(limit=params["limit"])
    text = _("{subject} {limit}, got {given}.").format(subject=_subject(key), limit=limit, given=params["given"])
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
    step = _("Copy it from `{command}`; format: `{arn}`.")
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
    text = _("Expected: {kind}. “{given}” is the ARN of a {found}.").format(**params)
    return text, _not_an_arn(key, params)[1]


def _unknown_timezone(_key: str, params: dict[str, str]) -> tuple[str, str]:
    step = _("Use an IANA name, for example `Asia/Tokyo`, `Europe/Berlin` or `UTC`.")
    return _("Unknown time zone “{given}”.").format(given=params["given"]), suggestion(params).strip() or step


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
        _("“{given}” is not two names separated by a slash.").format(**params),
        _write_example(f"fleets.canary.{_name(key)}"),
    ),
    "unknown_timezone": _unknown_timezone,
    **config_criteria.FORMATTERS,
}
