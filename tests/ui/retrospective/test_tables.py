"""The tables of the Retrospective page."""

from pathlib import Path

from services.retrospective import build_retrospective, phase_evaluations, read_outline
from tests.factories.archived_migration import NOW, archived_migration, make_migration
from ui.retrospective.tables import phases_table

MIGRATION = make_migration()


def test_every_judged_phase_has_its_verdict_and_the_reason(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        judgements = dict(phase_evaluations(archive, MIGRATION, retrospective, now=NOW))
    first = retrospective.phase_rows[0].phase.window
    pages = [
        phases_table(MIGRATION, retrospective, known, now=NOW) for known in ({}, {first: judgements[first]}, judgements)
    ]
    assert [page.count("being judged …") for page in pages] == [3, 2, 0]
    assert pages[2].count("CI within the margin.") == 4  # two critical criteria of two phases
    assert "CI within the margin." in pages[1]
