"""The lines of the releases of a service: when, from which task definition to which, decision, outcome, weights, commit; the newest first."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from domain import Migration
from domain.deployments import Deployment, traffic_shift
from domain.releases import Release
from messages import board as text
from messages import releases, times
from messages.deployments import OUTCOMES, wait_in_short
from messages.errors.sources import format_archive_problem, shorten
from messages.i18n import LazyText
from reports.judgement_json import shown_reasons
from reports.releases import not_judged
from services.evaluation import Evaluation
from services.releases import ReleaseRow, release_issue
from ui.board.view import MAX_REASON_CHARS
from ui.url import format_time

PAGES = ("", "parity", "retrospective")
BAD_OUTCOMES = ("failed", "stopped", "rolled_back")
MAX_NAME_CHARS = 120


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """One release as the template has it. `urls`: of PAGES; () if it cannot be judged. `weight`: of the new revision while it runs, 0–1.
    `shift`: as it was planned.

    Without an evaluation, `note` says why; with one, what else is to be known of it.
    """

    name: str
    span: str
    outcome: LazyText
    is_bad: bool
    urls: tuple[str, ...] = ()
    evaluation: Evaluation | None = None
    note: LazyText | str = ""
    reasons: str = ""
    reason: str = ""
    weight: float | None = None
    shift: str = ""
    commit: str = ""
    commit_url: str = ""


def release_line(
    migration: Migration,
    release: Release,
    row: ReleaseRow | None,
    deployment: Deployment | None,
    *,
    now: datetime,
    is_followed: bool = True,
) -> ReleaseLine:
    """The line of a release. `row`: None if it was not read yet. `deployment`: as last read, with its weights. `is_followed`: else not polled."""
    duration_s = None if release.ended is None else release.ended - release.started
    started = times.clock_of(release.started, migration.zone, now=now)
    evaluation = row.evaluation if row else None
    url = release.canary.commit_url
    return ReleaseLine(
        shorten(releases.revisions(release), MAX_NAME_CHARS),
        text.release_span(started, duration_s),
        OUTCOMES[release.outcome],
        release.outcome in BAD_OUTCOMES,
        () if release_issue(migration, release) else _urls(release, evaluation),
        evaluation,
        _note(row) if is_followed else text.NOT_FOLLOWED,
        shorten(" · ".join(shown_reasons(evaluation)), MAX_REASON_CHARS) if evaluation else "",
        shorten(release.reason or _wait(migration, deployment, now), MAX_REASON_CHARS),
        _weight(deployment) if release.running and deployment else None,
        releases.shift(release.shift),
        release.canary.tag,
        url if url.startswith("https://") else "",
    )


def _urls(release: Release, evaluation: Evaluation | None) -> tuple[str, ...]:
    """Of PAGES. Live shows the time that was judged of a release that is over."""
    slug, span = {"migration": release.slug}, dict[str, str]()
    if release.ended is not None and evaluation:
        span = {"from": format_time(evaluation.window.start), "to": format_time(evaluation.window.end)}
    return tuple(f"/{page}?{urlencode(slug if page else slug | span)}" for page in PAGES)


def _note(row: ReleaseRow | None) -> LazyText | str:
    if row is None or row.is_loading:
        return text.LOADING
    if row.problem:
        message = format_archive_problem(row.problem.kind, row.problem.detail)
        return f"{message.title}. {message.text}"
    if row.issue:
        return not_judged(row)
    return "" if row.evaluation else text.NOT_READ


def _wait(migration: Migration, deployment: Deployment | None, now: datetime) -> str:
    """What a running deployment waits for; "" if it does not."""
    waits = deployment.waits if deployment and deployment.running else ()
    return wait_in_short(waits[0], migration, now=now) if waits else ""


def _weight(deployment: Deployment) -> float | None:
    return next((part.percent / 100 for part in traffic_shift(None, deployment) if part.new), None)
