"""The lines of the releases: names, links and what is said of a release that cannot be judged, with texts from AWS that are not trusted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analysis import Judgement
from archive import ArchiveProblem
from domain import Window
from domain.deployments import Deployment, PlannedShift, TaskSet, Wait
from domain.releases import Release, Revision
from reports.templating import render
from services.evaluation import Evaluation
from services.releases import ReleaseRow
from sources.demo.sources import demo_releases
from tests.factories.html import EVIL, ParsedHtml
from ui.board.releases import ReleaseLine, release_line

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
START = int((NOW - timedelta(hours=3)).timestamp())
MIGRATION = demo_releases(NOW)
BLUE, GREEN = MIGRATION.fleets.baseline.names[0], MIGRATION.fleets.canary.names[0]
RELEASE = Release(
    id="d-1",
    slug="photo-search-61",
    service="photo/search",
    fleet="canary",
    system="ecs",
    started=START,
    ended=None,
    outcome="running",
    baseline=Revision("search:60", BLUE),
    canary=Revision("search:61", GREEN, tag="e95ab16", commit_url="https://example.com/commit/e95ab16"),
)
OVER = replace(RELEASE, ended=START + 3600, outcome="rolled_back", reason="alarm")
SHIFT = Deployment(
    "ecs",
    "d-1",
    "canary",
    "IN_PROGRESS",
    START,
    task_sets=(
        TaskSet("60", "source", "search:60", BLUE, 6, 6, 0, weight=80),
        TaskSet("61", "target", "search:61", GREEN, 6, 6, 0, weight=20),
    ),
)


def line_of(
    release: Release = RELEASE, row: ReleaseRow | None = None, deployment: Deployment | None = None
) -> ReleaseLine:
    return release_line(MIGRATION, release, row, deployment, now=NOW)


def html_of(line: ReleaseLine) -> str:
    return str(render("board.releases", title="photo/search", rows=[line]))


def test_a_running_release_has_the_weight_of_its_new_revision_and_links_to_its_pages() -> None:
    line = line_of(deployment=SHIFT)
    assert (line.name, line.span, str(line.outcome)) == ("search:60 → search:61", "18:00 JST", "running")
    assert (line.weight, str(line.note), line.is_bad) == (0.2, "Loading…", False)
    assert line.urls == (
        "/?migration=photo-search-61",
        "/parity?migration=photo-search-61",
        "/retrospective?migration=photo-search-61",
    )


def test_a_running_release_says_what_its_deployment_waits_for() -> None:
    at = int(NOW.timestamp()) + 2 * 3600
    paused = replace(SHIFT, waits=(Wait("hook-1", at, "roll_back"),))
    assert line_of(deployment=paused).reason.startswith("Waits for approval. 2h left: ECS rolls it back at ")
    ending = replace(SHIFT, waits=(Wait("TERMINATION_WAIT", at, "terminate"),))
    assert line_of(deployment=ending).reason.startswith("2h left: the old tasks are terminated at ")
    assert line_of(deployment=SHIFT).reason == ""
    assert line_of(OVER, deployment=replace(paused, status="ROLLBACK_SUCCESSFUL")).reason == "alarm"


def test_a_release_that_is_over_has_its_duration_and_the_reason_but_no_weight() -> None:
    line = line_of(OVER, deployment=SHIFT)
    assert (line.span, line.weight, line.reason, line.is_bad) == ("18:00 JST · 1h", None, "alarm", True)


def test_a_release_that_cannot_be_judged_says_why_and_has_no_pages() -> None:
    rolling = replace(RELEASE, canary=replace(RELEASE.canary, target_group=BLUE))
    line = line_of(rolling, ReleaseRow(rolling, NOW, issue="not_parallel"))
    assert line.urls == ()
    assert str(line.note) == "Not judged: a rolling update, nothing served in parallel."
    assert "href='/?" not in html_of(line)


def test_an_archive_that_cannot_be_read_and_a_bug_are_said() -> None:
    row = ReleaseRow(RELEASE, NOW, problem=ArchiveProblem("replaced", "archive.db"))
    assert "archive" in str(line_of(row=row).note).lower()
    assert str(line_of(row=ReleaseRow(RELEASE, NOW)).note) == "Could not be read. The server's log has the error."


def test_texts_of_aws_are_escaped() -> None:
    evil = replace(
        OVER,
        baseline=Revision(EVIL, BLUE),
        canary=Revision(EVIL, GREEN, tag=EVIL),
        reason=EVIL,
    )
    page = ParsedHtml(html_of(line_of(evil)))
    assert "x-evil" not in page.tags and "onclick" not in page.attributes
    assert EVIL in page.text


@pytest.mark.parametrize("url", ["http://example.com/e95ab16", "javascript:alert(1)", "//example.com", ""])
def test_only_https_links_to_a_commit(url: str) -> None:
    line = line_of(replace(RELEASE, canary=replace(RELEASE.canary, commit_url=url)))
    assert line.commit_url == ""
    html = html_of(line)
    assert "e95ab16" in html and "_blank" not in html


def test_the_link_to_a_commit_gives_the_other_site_no_window() -> None:
    html = html_of(line_of())
    assert "<a href='https://example.com/commit/e95ab16' target='_blank' rel='noopener'>e95ab16" in html


def test_live_shows_what_was_judged_of_a_release_that_is_over_and_now_of_one_that_runs() -> None:
    judged = Window(START // 60 * 60, START // 60 * 60 + 2400)
    evaluation = Evaluation(Judgement("parity", ()), judged, "search", "demo", MIGRATION.labels, UTC)
    over = line_of(OVER, ReleaseRow(OVER, NOW, evaluation))
    assert over.urls[0] == "/?migration=photo-search-61&from=2026-11-27T09%3A00Z&to=2026-11-27T09%3A40Z"
    assert over.urls[1] == "/parity?migration=photo-search-61"
    assert line_of(row=ReleaseRow(RELEASE, NOW, evaluation)).urls[0] == "/?migration=photo-search-61"
    assert "parity" in html_of(over)


def test_a_release_has_the_shift_as_it_was_planned() -> None:
    shifts = {
        "planned: 20% for 5 min, then 100%": PlannedShift("canary", 20.0, 5),
        "planned: 0.5% more every 1 min": PlannedShift("linear", 0.5, 1),
        "planned: 100% at once": PlannedShift("all_at_once"),
    }
    for text, shift in shifts.items():
        assert text in html_of(line_of(replace(OVER, shift=shift)))
    assert "planned" not in html_of(line_of(OVER))


def test_a_release_that_is_not_followed_says_so() -> None:
    line = release_line(MIGRATION, RELEASE, ReleaseRow(RELEASE, NOW, is_loading=True), None, now=NOW, is_followed=False)
    assert "Not followed: too many releases are running." in html_of(line)
    assert "Loading" not in html_of(line)
