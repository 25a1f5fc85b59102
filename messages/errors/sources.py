"""Messages for problems of sources and of the archive: what happened, the source's own words, and the next step.

docs/problems.md has a section for each kind.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from domain import Arn
from messages import times
from messages.errors import sign_in
from messages.errors.archive import ARCHIVE_TEXTS
from messages.errors.source_texts import (
    ACCESS_LOG_TEXTS,
    INFRASTRUCTURE_TEXTS,
    PROBLEM_TEXTS,
    SPECIAL_TEXTS,
    VENDOR_TEXTS,
    Texts,
    Vendor,
)
from messages.i18n import LazyText, _, lazy
from messages.states import source_name
from sources.base import IDLE_GROUP, Problem, ProblemKind

_MACKEREL = ("mackerel", "mackerel_events", "mackerel_batches", "mackerel_criteria")
_AWS = (
    "cloudwatch",
    "cloudwatch_criteria",
    "cloudtrail",
    "load_balancer",
    "codedeploy",
    "ecs",
    "eventbridge",
    "function_logs",
    "lambda",
    "access_logs",
    "athena",
    "sns",
    "tfstate_s3",
    "cloudformation",
)
_INFRASTRUCTURE = ("tfstate", "tfstate_s3", "cloudformation")
_VENDORS: dict[str, Vendor] = {
    **dict.fromkeys(_AWS, "aws"),
    **dict.fromkeys(_MACKEREL, "mackerel"),
    **dict.fromkeys(("slack", "webhook"), "webhook"),
}
_KEYS = {
    "load balancer": "`load_balancer` under [aws]",
    "listener": "`rule` under [aws]",
    "listener rule": "`rule` under [aws]",
    "target group": "`target_groups` under [fleets.baseline] or [fleets.canary]",
}
_DEFAULTS: dict[ProblemKind, LazyText] = {
    "no_split": lazy("this load balancer"),
    "elsewhere": lazy("one of the target groups"),
}
_PAGES = {
    "mackerel_events": "mackerel",
    "mackerel_criteria": "mackerel",
    "cloudwatch_criteria": "cloudwatch",
    "mackerel_batches": "batches",
    "eventbridge": "batches",
    "function_logs": "batches",
    "lambda": "batches",
    "sns": "notifications",
    **dict.fromkeys(_INFRASTRUCTURE, "init"),
}
MAX_QUOTE_CHARS = 240


@dataclass(frozen=True, slots=True)
class Message:
    """A short title, what happened in one or two sentences, the next step, and a section of docs/. Escape all of it.

    `snippet`: lines to show in a fixed width, such as a line of the configuration and a caret below it.
    """

    title: str
    text: str
    next_step: str
    anchor: str = ""
    snippet: tuple[str, ...] = ()


def format_problem(problem: Problem, *, retry_in_s: float | None = None, is_retried: bool = True) -> Message:
    """The message for a problem. `retry_in_s`: seconds until the source is asked again, None if unknown; `is_retried`: by itself."""
    about, detail = shorten(problem.about), shorten(problem.detail)
    values = {
        "source": source_name(problem.source),
        "operation": shorten(problem.operation) or _("the request"),
        "about": about or _DEFAULTS.get(problem.kind, _("the requested data")),
        "key": _key(problem),
        "page": f"docs/{_PAGES.get(problem.source, problem.source)}.md",
        "again": _retry_text(retry_in_s) if is_retried else _("Then try again."),
    }
    if special := _special(problem, about, detail):
        texts, detail = SPECIAL_TEXTS.get(special[0]) or sign_in.SPECIAL_TEXTS[special[0]], ""
        values |= special[1]
    else:
        texts = _texts(problem)
        if problem.kind == "clock_skew":
            values["skew"], detail = _skew(about, detail)
        elif problem.kind == "no_split":
            detail = ""  # a code, not a text
    title, text, next_step = (own or default for own, default in zip(texts, PROBLEM_TEXTS[problem.kind], strict=True))
    text = _quote(str(text).format(**values), detail)
    return Message(str(title), text, str(next_step).format(**values), f"docs/problems.md#{problem.kind}")


def format_archive_problem(kind: str, detail: str) -> Message:
    """The message for the kind and detail of an ArchiveProblem."""
    title, text, next_step = ARCHIVE_TEXTS[kind]
    return Message(str(title), _quote(str(text), shorten(detail)), str(next_step), f"docs/problems.md#archive_{kind}")


def format_archive_state(kind: str, detail: str, *, since: str, as_of: str) -> Message:
    """The message above a page while the archive cannot be read or written. `since`, `as_of`: clock times of the first failure, and of the last
    read of what the page takes from memory; "" if there is none.
    """
    message = format_archive_problem(kind, detail)
    title = _("{title} (since {since})").format(title=message.title, since=since) if since else message.title
    shown = _("New data is held in memory and shown.")
    if as_of:
        shown = _("Shown: archive as of {as_of}, plus newer data held in memory.").format(as_of=as_of)
    return replace(message, title=title, text=f"{message.text} {shown}")


def page_failure() -> Message:
    """An exception in the program, while it made a page."""
    return Message(
        _("Internal error"),
        _("This page raised an exception."),
        _("Reload the page. The traceback is in the log: please report it."),
        "docs/OPERATIONS.md#logs",
    )


def with_reference(message: Message, reference: str) -> Message:
    """`reference`: of the message's line in the log."""
    text = _("{text} Log reference: {reference}.").format(text=message.text, reference=reference)
    return replace(message, text=text) if reference else message


def shorten(text: str, max_chars: int = MAX_QUOTE_CHARS) -> str:
    """External text on one line, without control and invisible characters, truncated with "…"."""
    visible = "".join(char if unicodedata.category(char)[0] != "C" else " " for char in text)
    line = " ".join(visible.split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1].rstrip()}…"


def _quote(text: str, detail: str) -> str:
    return _("{text} Reported: “{detail}”").format(text=text, detail=detail) if detail else text


def _retry_text(retry_in_s: float | None) -> str:
    if retry_in_s is None:
        return _("Retrying automatically.")
    return _("Retrying automatically in {duration}.").format(duration=times.duration(retry_in_s))


def _texts(problem: Problem) -> Texts:
    """The texts of a problem's kind, for its source, its vendor or for access logs if there are any."""
    if problem.kind == "internal_error" and problem.operation.startswith("poll "):
        return SPECIAL_TEXTS["poll_failed"]
    if problem.source == "access_logs":
        operation = problem.operation
        if operation == "s3:GetObject" and problem.detail.startswith("InvalidObjectState"):
            operation = "InvalidObjectState"
        if texts := ACCESS_LOG_TEXTS.get((problem.kind, operation)):
            return texts
    if problem.source in _INFRASTRUCTURE and (texts := INFRASTRUCTURE_TEXTS.get((problem.kind, problem.operation))):
        return texts
    if problem.source == "sign_in":
        return sign_in.TEXTS.get(problem.kind, PROBLEM_TEXTS[problem.kind])
    of_vendor = VENDOR_TEXTS.get((problem.kind, _VENDORS.get(problem.source, "")), PROBLEM_TEXTS[problem.kind])
    return VENDOR_TEXTS.get((problem.kind, problem.source), of_vendor)


def _special(problem: Problem, about: str, detail: str) -> tuple[str, dict[str, str]] | None:
    return (
        _criterion_case(problem, about, detail)
        or sign_in.special_case(problem, detail)
        or _limit_case(problem, about, detail)
        or _special_case(problem, about, detail)
    )


def _special_case(problem: Problem, about: str, detail: str) -> tuple[str, dict[str, str]] | None:
    """The key in SPECIAL_TEXTS and its values, if `detail` is a value of the message instead of a text to quote."""
    case: tuple[str, dict[str, str]] | None = None
    match problem:
        case Problem("not_found", _, _, "mackerel.alb_host"):
            case = "no_such_host", {"hosts": detail or _("none at all")}
        case Problem("not_found", _, "GET /api/v0/services") if detail:
            case = "no_such_service", {"service": about, "organization": detail}
        case Problem("not_found", "eventbridge"):
            case = "no_such_rule", {"name": about}
        case Problem("too_costly", "athena") if about.isdigit() and ", " in detail:
            cost, ceiling = detail.split(", ", 1)
            size = _("{size} GB").format(size=f"{int(about) / 1e9:,.1f}")
            case = "too_costly", {"size": size, "cost": cost, "ceiling": ceiling}
        case Problem("incomplete", "athena", _, _, "not_over" | "counted"):
            case = detail, {"days": about}
        case Problem("bad_request", "athena") if "output location" in detail.lower():
            case = "no_output_location", {}
        case Problem("no_such_metric", "cloudwatch" | "lambda" | "mackerel_batches") | Problem(
            "no_such_metric", detail="idle_group"
        ):
            case = _never_reported(problem), {"patterns": about, "service": detail}
        case Problem("no_split", _, _, _, "one_side:baseline" | "one_side:canary"):
            case = f"{detail.removeprefix('one_side:')}_only", {}
        case Problem("bad_reply", "mackerel") if re.fullmatch(r"\d+ s", detail):
            case = "too_coarse", {"since": about, "step": times.duration(int(detail.removesuffix(" s")))}
    return case


def _criterion_case(problem: Problem, about: str, detail: str) -> tuple[str, dict[str, str]] | None:
    """The same for an expression; a bad request is one of Mackerel's unless it is about evaluating it."""
    if problem.source != "mackerel_criteria" or (problem.kind == "bad_request" and problem.operation != "evaluate"):
        return None
    is_renamed = problem.kind == "no_such_metric" and problem.operation.endswith("/metric-names") and detail
    slug = "criterion_renamed" if is_renamed else _CRITERION_CASES.get(problem.kind)
    return (slug, {"about": about, "detail": detail}) if slug else None


def _limit_case(problem: Problem, about: str, detail: str) -> tuple[str, dict[str, str]] | None:
    """Of what `init` reads, at most `about` of `detail` items."""
    slug = _LIMIT_CASES.get(problem.operation)
    is_limit = problem.kind == "incomplete" and about.isdigit() and detail.isdigit()
    return (slug, {"limit": about, "total": detail}) if slug and is_limit else None


_LIMIT_CASES = {
    "elasticloadbalancing:DescribeRules": "limited_load_balancers",
    "ecs:ListServices": "limited_clusters",
    "events:ListTargetsByRule": "limited_rules",
    "GET /api/v0/hosts/<hostId>/metric-names": "limited_hosts",
    "GET /api/v0/services/<serviceName>/metric-names": "limited_services",
}
_CRITERION_CASES: dict[ProblemKind, str] = {
    "not_found": "criterion_gone",
    "no_such_metric": "criterion_gone",
    "too_costly": "criterion_too_costly",
    "not_supported": "criterion_role_slots",
    "bad_request": "criterion_not_single",
}


def _never_reported(problem: Problem) -> str:
    """The key in SPECIAL_TEXTS for what has no datapoint: a target group, a function, a job, or every job."""
    if problem.detail == IDLE_GROUP:
        return IDLE_GROUP
    if problem.source == "mackerel_batches":
        return "no_run" if problem.operation.endswith("/metric-names") else "no_run_of_job"
    return "no_such_group" if problem.source == "cloudwatch" else "no_invocation"


def _key(problem: Problem) -> str:
    """The configuration key that is probably wrong."""
    arn = Arn.parse(problem.about)
    if arn:
        return _KEYS[arn.kind]
    if problem.source == "sign_in":
        return sign_in.key(problem)
    if "/hosts" in problem.operation:
        return _("`alb_host` under [mackerel]")
    if problem.operation.startswith("GET "):
        return _("`service` under [mackerel] or [batches]")
    return _("the names and ARNs in migration.toml")


def _skew(about: str, detail: str) -> tuple[str, str]:
    """The difference of a clock in words ("42 s ahead of" for "+42 s"), and the text to quote."""
    match = re.fullmatch(r"([+-])(\d+) s", about)
    if not match:
        return _("too far from"), detail
    duration = times.duration(int(match[2]))
    ahead = _("{duration} ahead of") if match[1] == "+" else _("{duration} behind")
    return ahead.format(duration=duration), _("the time is {time}").format(time=detail) if detail else ""
