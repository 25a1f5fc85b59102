"""`releases`, and other commands about one release, with boto3 against the fakes of ECS and CloudWatch."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commands.shared import startup
from domain import Migration
from sources.registry import Sources, create_sources
from tests.cli.conftest import json_output, lines, run
from tests.factories.deployments import NOON
from tests.factories.releases import HOUR, ReleasedService, released_service, service_deployment
from tests.fakes.deployments import BLUE, ELB_ARN_PREFIX, GREEN, group_arn
from tests.fakes.traffic_model import SteadyTraffic

DENIED = (400, "AccessDeniedException", "User: arn:aws:sts::123456789012:assumed-role/viewer/x is not authorized")
CONFIG = f"""
[migration]
name = "Photo"
timezone = "Asia/Tokyo"
[aws]
region = "ap-northeast-1"
load_balancer = "{ELB_ARN_PREFIX}loadbalancer/app/photo/50dc6c495c0c9188"
cloudtrail = false
[releases]
service = "photo/web"
target_groups = ["{group_arn(BLUE)}", "{group_arn(GREEN)}"]
commit_url = "https://github.com/example/photo/commit/{{tag}}"
[[criteria]]
metric = "error_rate"
margin = "0.5pp"
critical = true
"""
RUNNING, DONE = "photo-web-43-20260102-110000", "photo-web-42-20260101-060000"


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasedService]:
    """One release runs, whose new revision fails; one is done."""

    def open_sources(migration: Migration) -> Sources:
        return replace(create_sources(migration, clock=service.clock), traffic=None)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "migration.toml").write_text(CONFIG, encoding="utf-8")
    traffic = SteadyTraffic(lambda _ts: {BLUE: 0.5, GREEN: 0.5}, requests_per_minute=3000, error_rates={BLUE: 0.03})
    with released_service(tmp_path, monkeypatch, traffic=traffic) as service:
        monkeypatch.setattr(startup, "now", lambda: service.clock())
        monkeypatch.setattr(startup, "open_sources", open_sources)
        service.set_deployments(
            service_deployment(43, "IN_PROGRESS", NOON - HOUR),
            service_deployment(42, "SUCCESSFUL", NOON - 30 * HOUR, weight=100.0, finishedAt=NOON - 29 * HOUR),
        )
        yield service


def test_the_releases_with_decision_outcome_and_commit(released: ReleasedService) -> None:
    result = run("releases")
    assert result.exit_code == 0
    head, running, done = lines(result.stdout)[1:]
    assert head == "started revisions outcome decision commit --migration"
    commit = "https://github.com/example/photo/commit/sha-"
    assert running == f"2026-01-02 20:00 web:42 → web:43 running ✕ ROLL BACK {commit}43 {RUNNING}"
    assert done.startswith("2026-01-01 15:00 web:41 → web:42 succeeded ")
    assert done.endswith(f"{commit}42 {DONE}")


def test_the_releases_as_json(released: ReleasedService) -> None:
    output = json_output(run("releases", "--json", "--last", "1"))
    (release,) = output["releases"]
    assert output["ok"] and output["problems"] == []
    assert {key: release[key] for key in ("id", "slug", "service", "system", "started", "ended", "outcome")} == {
        "id": "deploy-43",
        "slug": RUNNING,
        "service": "photo/web",
        "system": "ecs",
        "started": "2026-01-02T11:00:00Z",
        "ended": None,
        "outcome": "running",
    }
    assert [release[side]["target_group"] for side in ("baseline", "canary")] == [GREEN, BLUE]
    assert release["canary"]["tag"] == "sha-43"
    assert (release["evaluation"]["verdict"], release["evaluation"]["decision"]) == ("regression", "roll_back")
    assert (release["issue"], release["same_weight"]) == (None, None)


def test_other_commands_are_about_one_release(released: ReleasedService) -> None:
    run("releases")
    result = run("judge", "--json", "--migration", RUNNING)
    output = json_output(result)
    assert (result.exit_code, output["decision"], output["name"]) == (1, "roll_back", "Photo · web:43")
    assert output["window"] == {"from": "2026-01-02T11:00:00Z", "to": "2026-01-02T12:00:00Z"}
    past = json_output(run("judge", "--json", "--migration", DONE))
    assert past["window"] == {"from": "2026-01-01T06:00:00Z", "to": "2026-01-01T07:00:00Z"}
    assert past["name"] == "Photo · web:42"
    assert "The release has ended" in run("weights", "--migration", DONE).stderr


def test_an_unknown_release_is_no_migration(released: ReleasedService) -> None:
    result = run("judge", "--migration", "photo-web-44")
    assert result.exit_code == 3
    assert "No migration photo-web-44. Use one of: photo." in " ".join(lines(result.stderr)).replace("│ ", "")


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({42: None, 43: None}, "Not judged: the service has no load balancer."),
        ({42: BLUE, 43: BLUE}, "Not judged: a rolling update, nothing served in parallel."),
    ],
)
def test_a_release_that_cannot_be_judged_says_why(
    released: ReleasedService, groups: dict[int, str | None], sentence: str
) -> None:
    released.groups = groups
    released.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
    assert sentence in run("releases", columns=240).stdout
    result = run("judge", "--migration", RUNNING)
    assert (result.exit_code, sentence in " ".join(lines(result.stderr)).replace("│ ", "")) == (3, True)


def test_a_denied_permission_is_a_problem(released: ReleasedService) -> None:
    released.ecs.errors = {"DescribeServiceRevisions": DENIED}
    result = run("releases")
    assert result.exit_code == 1
    assert "Not judged: its revisions could not be read." in result.stdout
    assert "ecs:DescribeServiceRevisions" in result.stdout


def test_no_releases_yet(released: ReleasedService) -> None:
    released.set_deployments()
    result = run("releases")
    assert (result.exit_code, lines(result.stdout)[1:]) == (0, ["No deployment of the service is known."])


def test_a_migration_without_releases_says_so(released: ReleasedService, tmp_path: Path) -> None:
    configured = CONFIG.partition("[releases]")
    fleets = "".join(
        f'[fleets.{fleet}]\nlabel = "{fleet}"\ntarget_groups = ["{group_arn(group)}"]\n'
        for fleet, group in (("baseline", BLUE), ("canary", GREEN))
    )
    (tmp_path / "migration.toml").write_text(configured[0] + fleets, encoding="utf-8")
    result = run("releases")
    assert result.exit_code == 2
    assert "This migration has no [releases] in its configuration." in result.stderr


def test_the_demo_has_a_service_with_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    payload = json_output(run("releases", "--demo", "--migration", "photo-search-demo", "--json"))
    assert [release["outcome"] for release in payload["releases"]][1:] == ["succeeded", "rolled_back", "succeeded"]
