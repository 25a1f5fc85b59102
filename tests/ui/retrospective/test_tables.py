"""The tables of the Retrospective page."""

import re
from pathlib import Path

from reports.retrospective.render import build_report
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


def test_no_phase_says_parity_above_a_reason_to_hold(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        evaluations = dict(phase_evaluations(archive, MIGRATION, retrospective, now=NOW))
        report = build_report(archive, MIGRATION, "mackerel", now=NOW)
    assert report
    for html in (phases_table(MIGRATION, retrospective, evaluations, now=NOW), report.html()):
        rows = html[html.index("<tbody>") : html.index("</tbody>")].split("</tr>")
        words = [re.findall(r"<b class=['\"][^>]*>(.*?)</b>", row) for row in rows]
        assert words[:3] == [["● parity"], ["✕ ROLL BACK"], []]  # the third had one fleet
        assert "Incident 11 Mar 15:00–15:20 UTC, failed: ECS" in rows[1] and "Rolled back" in rows[1]
        assert "Advanced" in rows[0] and "Running" in rows[3]
