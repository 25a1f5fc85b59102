"""Deployments are kept: what only an earlier read had stays, and one that the source does not return any more."""

from dataclasses import replace
from pathlib import Path

from archive import Archive
from domain.deployments import Deployment, TaskSet
from sources.base import Events
from tests.factories.archives import open_archive, query_database
from tests.factories.events import DEPLOYMENT
from tests.fakes.metric_source import NOON, minute_window

NEW, OLD = DEPLOYMENT.task_sets


def save(archive: Archive, *deployments: Deployment, second: int = 0, source: str = "ecs") -> None:
    archive.events.save_events(Events(minute_window(-60, 0), NOON + second, deployments=deployments), source)


def test_a_deployment_stays_when_it_is_not_returned_any_more(tmp_path: Path) -> None:
    later = replace(DEPLOYMENT, id="def", created=NOON)
    with open_archive(tmp_path) as archive:
        save(archive, DEPLOYMENT)
        save(archive, later)
        save(archive)
        assert archive.events.deployments() == (later, DEPLOYMENT)


def test_what_a_later_read_lacks_stays_and_the_rest_is_renewed(tmp_path: Path) -> None:
    unread = replace(
        DEPLOYMENT,
        task_definition="",
        previous_task_definition="",
        task_sets=(TaskSet("2", "target", "", "", 4, 4, 0, 50.0),),
    )
    with open_archive(tmp_path) as archive:
        save(archive, DEPLOYMENT)
        save(archive, unread)
        (deployment,) = archive.events.deployments()
        assert deployment == replace(DEPLOYMENT, task_sets=(replace(NEW, weight=50.0), OLD))
        save(archive, replace(DEPLOYMENT, task_sets=()))
        assert archive.events.deployments() == (deployment,)


def test_an_unchanged_deployment_is_not_written_again(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        save(archive, DEPLOYMENT)
        save(archive, DEPLOYMENT, second=60)
        assert query_database(tmp_path, "SELECT read_at FROM deployment") == [(NOON,)]
        save(archive, replace(DEPLOYMENT, status="ROLLBACK_SUCCESSFUL"), second=120)
        assert query_database(tmp_path, "SELECT read_at FROM deployment") == [(NOON + 120,)]


def test_sources_have_deployments_of_their_own(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive:
        save(archive, DEPLOYMENT)
        save(archive, replace(DEPLOYMENT, system="codedeploy"), source="codedeploy")
        assert len(archive.events.deployments()) == 2
