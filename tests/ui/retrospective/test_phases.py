"""The verdicts of the phases: computed after the page was drawn, one in each run of the fragment."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from archive import Archive, ArchiveError
from services import retrospective as service
from services.evaluation import Evaluation
from tests.factories.archived_migration import NOW, archived_migration, make_migration
from ui.retrospective import phases

MIGRATION = make_migration()


class App:
    """What the section uses of the app context."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.migration = archive, MIGRATION


def page_script(app, retrospective, evaluations) -> None:  # type: ignore[no-untyped-def]
    """Each run of the script is a run of the fragment."""
    import streamlit

    from ui.retrospective import phases

    judging = streamlit.session_state.setdefault("judging", phases._Judging(evaluations))
    phases._phases(app, retrospective, judging, is_filling=False)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with archived_migration(tmp_path) as archive:
        yield archive


@pytest.fixture
def page(archive: Archive) -> AppTest:
    outline = service.read_outline(archive, MIGRATION, "mackerel", now=NOW)
    assert outline
    retrospective = service.build_retrospective(archive, MIGRATION, outline)
    kwargs = {
        "app": App(archive),
        "retrospective": retrospective,
        "evaluations": service.known_evaluations(archive, MIGRATION, retrospective.outline, now=NOW),
    }
    return AppTest.from_function(page_script, kwargs=kwargs, default_timeout=60)


def state(test: AppTest) -> tuple[int, str, float]:
    """The number of phases without a verdict, the progress, and the seconds until the next run."""
    assert not test.exception
    (table,) = (html.proto.body for html in test.get("html") if "class='phases" in html.proto.body)
    texts = [item.proto.text for item in test.get("progress")]
    (timer,) = test.get("bidi_component")
    return table.count("judging …"), "".join(texts), json.loads(timer.proto.json)["every"]


def test_each_run_after_the_first_judges_one_phase_and_the_last_ends_the_timer(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = list[int]()
    real = phases.evaluate_phase
    monkeypatch.setattr(
        phases, "evaluate_phase", lambda *given, **more: judged.append(given[3].number) or real(*given, **more)
    )
    states = [state(page.run()) for _ in range(5)]
    next_s = phases.NEXT_AFTER_S
    assert states == [
        (3, "Judging phase 1 of 3 …", next_s),
        (2, "Judging phase 2 of 3 …", next_s),
        (1, "Judging phase 3 of 3 …", next_s),
        (0, "", 0),
        (0, "", 0),
    ]
    assert judged == [1, 2, 4]  # in the third, EC2 served alone


def test_known_verdicts_are_shown_at_once(archive: Archive, page: AppTest) -> None:
    retrospective = page.kwargs["retrospective"]
    for _ in service.phase_evaluations(archive, MIGRATION, retrospective, now=NOW):
        pass
    page.kwargs["evaluations"] = service.known_evaluations(archive, MIGRATION, retrospective.outline, now=NOW)
    assert state(page.run()) == (0, "", 0)


def test_an_archive_that_cannot_be_read_gives_no_verdict_and_is_tried_again(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> Evaluation:
        raise ArchiveError("unreachable", "disk I/O error")

    page.run()
    with monkeypatch.context() as patch:
        patch.setattr(phases, "evaluate_phase", fail)
        assert state(page.run()) == (3, "", phases.RETRY_AFTER_S)
        assert any("disk I/O error" in html.proto.body for html in page.get("html"))
    assert state(page.run()) == (2, "Judging phase 2 of 3 …", phases.NEXT_AFTER_S)


def test_a_note_which_may_explain_an_incident_makes_every_decision_anew(archive: Archive, page: AppTest) -> None:
    retrospective = page.kwargs["retrospective"]
    assert len(dict(service.phase_evaluations(archive, MIGRATION, retrospective, now=NOW))) == 4
    archive.notes.add(int(NOW.timestamp()), "Explained", "Mika")
    assert service.known_evaluations(archive, MIGRATION, retrospective.outline, now=NOW) == {}
