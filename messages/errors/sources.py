"""What went wrong outside, in sentences: what happened, what the other side said in its own words, and what to do next.

Each text comes from a table by kind, and by whom it is about: AWS, Mackerel, or anybody (""). docs/problems.md has a heading for each kind.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from domain import Arn
from messages import times
from messages.errors import access_logs
from messages.errors.archive import ARCHIVE_TEXTS
from messages.errors.source_texts import PROBLEM_TEXTS, Texts
from messages.i18n import _
from messages.states import source_name
from sources.base import Problem, ProblemKind

Vendor = Literal["aws", "mackerel", ""]

_VENDORS: dict[str, Vendor] = {
    "cloudwatch": "aws",
    "cloudtrail": "aws",
    "load_balancer": "aws",
    "codedeploy": "aws",
    "ecs": "aws",
    "mackerel": "mackerel",
    "mackerel_events": "mackerel",
    "mackerel_batches": "mackerel",
    "eventbridge": "aws",
    "lambda": "aws",
    "access_logs": "aws",
    "athena": "aws",
}
_KEYS = {
    "load balancer": "`load_balancer` under [aws]",
    "listener": "`rule` under [aws]",
    "listener rule": "`rule` under [aws]",
    "target group": "`target_groups` under [fleets.baseline] or [fleets.canary]",
}
_DEFAULTS: dict[ProblemKind, str] = {"no_split": _("this load balancer"), "elsewhere": _("one of the target groups")}
_PAGES = {"mackerel_events": "mackerel", "mackerel_batches": "batches", "eventbridge": "batches", "lambda": "batches"}
MAX_QUOTE_CHARS = 240  # so many characters of somebody else's words fit into a line


@dataclass(frozen=True, slots=True)
class Message:
    """A title of a few words, one or two sentences on what happened, and what to do next. `anchor`: where docs/ has more. Escape all of it."""

    title: str
    text: str
    next_step: str
    anchor: str = ""


def format_problem(problem: Problem, *, retry_in_s: float | None = None) -> Message:
    """The sentences for a problem. `again_s`: in how many seconds the source is asked again by itself, where that is known."""
    about, detail = shorten(problem.about), shorten(problem.detail)
    texts = PROBLEM_TEXTS[problem.kind]
    title, text, next_step = texts.get(_VENDORS.get(problem.source, ""), texts[""])
    particulars = {
        "source": source_name(problem.source),
        "operation": shorten(problem.operation) or _("the request"),
        "about": about or _DEFAULTS.get(problem.kind, _("what was asked for")),
        "key": _key(problem),
        "page": f"docs/{_PAGES.get(problem.source, problem.source)}.md",
        "again": _retry_text(retry_in_s),
    }
    if special := _special_texts(problem, about, detail):
        return Message(*special, f"docs/problems.md#{problem.kind}")
    if problem.source == "access_logs" and (own := access_logs.access_log_texts(problem, about)):
        return Message(own[0], _quote(own[1], detail), own[2], f"docs/problems.md#{problem.kind}")
    if problem.kind == "clock_skew":
        particulars["skew"], detail = _skew(about, detail)
    return Message(
        title,
        _quote(text.format(**particulars), detail),
        next_step.format(**particulars),
        f"docs/problems.md#{problem.kind}",
    )


def format_archive_problem(kind: str, detail: str) -> Message:
    """The sentences for what keeps the archive from being used: `kind` and `detail` of the archive's problem."""
    title, text, next_step = ARCHIVE_TEXTS[kind]
    return Message(title, _quote(text, shorten(detail)), next_step, f"docs/problems.md#archive_{kind}")


def shorten(text: str, max_chars: int = MAX_QUOTE_CHARS) -> str:
    """Somebody else's words on one line: without control and invisible characters, and cut with "…" where they are too long."""
    visible = "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= max_chars else f"{line[: max_chars - 1].rstrip()}…"


def _quote(text: str, detail: str) -> str:
    return _("{text} Reported: “{detail}”").format(text=text, detail=detail) if detail else text


def _retry_text(retry_in_s: float | None) -> str:
    if retry_in_s is None:
        return _("It is asked again by itself.")
    return _("It is asked again by itself in {duration}.").format(duration=times.duration(retry_in_s))


def _special_texts(problem: Problem, about: str, detail: str) -> Texts | None:
    """The texts where `detail` is not somebody's words to quote, but a particular."""
    match problem:
        case Problem("not_found", _, _, "mackerel.alb_host"):
            return _no_such_host(detail)
        case Problem("not_found", _, "GET /api/v0/services") if detail:
            return _no_such_service(about, detail)
        case Problem("not_found", "eventbridge"):
            return _no_such_rule(about)
        case Problem("too_costly", "athena") if about.isdigit() and ", " in detail:
            return _too_costly(int(about), *detail.split(", ", 1))
        case Problem("incomplete", "athena", _, _, "not_over" | "counted"):
            return _not_by_athena(about, detail)
        case Problem("bad_request", "athena") if "output location" in detail.lower():
            return _no_output_location()
        case Problem("no_such_metric", "mackerel_batches"):
            return _no_run(about, detail)
        case Problem("no_split") if detail:
            return _no_split(about, detail.removeprefix("one_side:"))
        case Problem("bad_reply", "mackerel") if re.fullmatch(r"\d+ s", detail):
            return _too_coarse(about, times.duration(int(detail.removesuffix(" s"))))
    return None


def _no_such_host(hosts: str) -> Texts:
    return (
        _("No such load balancer in Mackerel"),
        _("No host in Mackerel has metrics of these target groups. Seen: {hosts}.").format(
            hosts=hosts or _("none at all")
        ),
        _(
            "Let Mackerel's AWS integration collect the load balancer with its metrics per target group, or name its host's id in "
            "`alb_host` under [mackerel]."
        ),
    )


def _no_such_service(service: str, organization: str) -> Texts:
    return (
        _("No such service in Mackerel"),
        _("The organization “{organization}”, to which the key belongs, has no service “{service}”.").format(
            organization=organization, service=service
        ),
        _("Correct `service` under [mackerel] or [batches], or put another organization's key into MACKEREL_APIKEY."),
    )


def _no_such_rule(name: str) -> Texts:
    return (
        _("No such rule"),
        _("EventBridge has no rule or schedule “{name}” in this account and region.").format(name=name),
        _(
            "Correct `rule` or `scheduler` under [[batches.jobs]], or leave it out: the job is then not known to be paused."
        ),
    )


def _too_costly(size: int, cost: str, ceiling: str) -> Texts:
    return (
        _("Too costly"),
        _("Athena would read {size}, for about {cost}. {ceiling} are allowed, so nothing was begun.").format(
            size=_("{size} GB").format(size=f"{size / 1e9:,.1f}"), cost=cost, ceiling=ceiling
        ),
        _("Ask for fewer days, or raise `max_usd` under [access_logs.athena]."),
    )


def _not_by_athena(days: str, why: str) -> Texts:
    if why == "not_over":
        return (
            _("Day not over"),
            _("Athena counts whole days (UTC), half an hour after their end: not yet {days}.").format(days=days),
            _("Ask again then, or count the files of that day without `--engine athena`."),
        )
    return (
        _("Counted by files"),
        _("So many files of {days} were counted one by one that a query cannot leave them all out.").format(days=days),
        _("Count the rest of that day without `--engine athena`, and leave that day out here."),
    )


def _no_output_location() -> Texts:
    return (
        _("No place for results"),
        _("Neither the configuration nor the workgroup says where in S3 Athena shall put its results."),
        _("Write `output` under [access_logs.athena], or let the workgroup have a query result location of its own."),
    )


def _no_run(patterns: str, service: str) -> Texts:
    return (
        _("No batch has reported"),
        _("No metric of the service “{service}” fits a pattern of [batches]: {patterns}.").format(
            service=service, patterns=patterns
        ),
        _("Nothing to do if no job has run yet. Otherwise correct `service` or the patterns under [batches]."),
    )


def _no_split(load_balancer: str, side: str) -> Texts:
    title, text, next_step = PROBLEM_TEXTS["no_split"][""]
    texts = {
        "baseline": _("Nothing is split: the baseline has all the weight."),
        "canary": _("Nothing is split: the canary has all the weight."),
    }
    return title, texts.get(side, text).format(about=load_balancer), next_step


def _too_coarse(since: str, step: str) -> Texts:
    return (
        _("Too coarse"),
        _(
            "Mackerel answered with averages over {step} where minutes were asked for, from {since} on; they are not counted as answered."
        ).format(step=step, since=since),
        _(
            "Nothing to do: it is asked again by itself. If it goes on, the plan keeps minutes for less time than is asked for."
        ),
    )


def _key(problem: Problem) -> str:
    """The configuration key that a problem is most likely about."""
    arn = Arn.parse(problem.about)
    if arn:
        return _KEYS[arn.kind]
    if "/hosts" in problem.operation:
        return _("`alb_host` under [mackerel]")
    if problem.operation.startswith("GET "):
        return _("`service` under [mackerel] or [batches]")
    return _("the names and ARNs in migration.toml")


def _skew(about: str, detail: str) -> tuple[str, str]:
    """ "42 s ahead of" where the difference is known ("+42 s"), and what then is left to quote."""
    found = re.fullmatch(r"([+-])(\d+) s", about)
    if not found:
        return _("too far from"), detail
    duration = times.duration(int(found[2]))
    ahead = _("{duration} ahead of") if found[1] == "+" else _("{duration} behind")
    return ahead.format(duration=duration), _("the time is {time}").format(time=detail) if detail else ""
