"""Releases that run beside their board: the gate answers about them, and their polls are watched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.collector import Collector
from services.gate import GateThread
from sources.registry import create_sources
from tests.factories.deployments import NOON
from tests.factories.releases import HOUR, ReleasedService, released_service, service_deployment
from ui.app_context import AppContext, AppContexts

RUNNING = "photo-web-43-20260102-110000"


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasedService]:
    with released_service(tmp_path, monkeypatch) as service:
        service.set_deployments(service_deployment(43, "IN_PROGRESS", NOON - HOUR))
        service.poll_deployments()
        yield service


@pytest.fixture
def contexts(released: ReleasedService) -> Iterator[AppContexts]:
    """Those of a board of releases, whose collection is updated by the test."""
    sources = create_sources(released.migration, clock=released.clock)
    collector = Collector(released.archive, sources, clock=released.clock)
    contexts = AppContexts({"photo": AppContext(released.migration, released.archive, sources, collector)})
    object.__setattr__(contexts, "releases", released.collection())
    yield contexts
    contexts.releases.stop()


def test_the_gate_answers_about_the_release_that_runs(released: ReleasedService, contexts: AppContexts) -> None:
    target = contexts.gate_target("photo")
    assert target and target[0] == "photo"  # without a decision
    assert contexts.gate_target(RUNNING) is None
    contexts.releases.update()
    for slug in ("photo", RUNNING):
        target = contexts.gate_target(slug)
        assert target and target[0] == RUNNING
    assert contexts.gate_target("photo-web-42") is None

    gate = GateThread([], released.clock, releases=contexts._gate_recorders)
    gate.record_all()
    (decision,) = target[1].decisions.read()
    assert json.loads(decision.body)["migration"] == RUNNING
    assert json.loads(decision.body)["decision"] == "wait"

    released.now += HOUR
    released.set_deployments(service_deployment(43, "SUCCESSFUL", NOON - HOUR, finishedAt=NOON + 60))
    released.poll_deployments()
    contexts.releases.update()
    assert contexts.gate_target(RUNNING) is None
    target = contexts.gate_target("photo")
    assert target and target[0] == "photo" and not target[1].decisions.read()


def test_a_board_of_releases_has_no_decision_of_its_own(contexts: AppContexts) -> None:
    contexts.gate.record_all()
    assert contexts.by_slug["photo"].archive.decisions.read() == ()


def test_a_poll_of_a_release_that_hangs_is_silent(contexts: AppContexts) -> None:
    contexts.releases.update()
    assert contexts.silent_sources == ()
    for task in contexts.releases.opened[0].collector.tasks:
        task.due_at = -100_000.0
    assert contexts.silent_sources == ("cloudwatch",)
