"""The tables of the Retrospective page."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from charts.timeline import IncidentMark
from domain import Slo
from domain.sign_offs import Ledger
from reports.retrospective.phases_csv import phases_csv
from reports.retrospective.render import build_report
from reports.retrospective.summary import incident_marks
from reports.templating import render
from services.phase_incidents import numbered_incidents
from services.retrospective import build_retrospective, phase_evaluations, read_outline
from tests.factories.archived_migration import NOW, archived_migration, make_migration
from tests.factories.sign_offs import make_sign_off
from ui.retrospective.tables import incident_list, phases_table, tiles

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
    assert [page.count("judging …") for page in pages] == [3, 2, 0]
    assert pages[2].count("CI within the margin.") == 4  # two critical criteria of two phases
    assert "CI within the margin." in pages[1]


def test_a_phase_has_its_sign_offs_and_a_changed_row_is_named(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        window = retrospective.phase_rows[1].phase.window
        archive.sign_offs.add(make_sign_off(window, name="<b>Mika</b>", decision="hold"))
        report = build_report(archive, MIGRATION, "mackerel", now=NOW)
        ledger = archive.sign_offs.read()
    assert report
    signed = "Signed by &lt;b&gt;Mika&lt;/b&gt;, 11 Mar 15:21 UTC: ■ HOLD"
    for page in (phases_table(MIGRATION, retrospective, {}, ledger=ledger, now=NOW), report.html()):
        (row,) = [part for part in page.split("<tr>") if signed in part]
        assert "2 · 25%" in row and "was changed after" not in page
    phases = report.json()["phases"]
    assert [[item["decision"] for item in phase["sign_offs"]] for phase in phases] == [[], ["hold"], [], []]
    assert report.json()["ledger"]["intact"]

    row = ledger.entries[0].row
    changed = Ledger.of(MIGRATION.key, [replace(row, body=row.body.replace("Mika", "Eve!"))])
    for page in (
        phases_table(MIGRATION, retrospective, {}, ledger=changed, now=NOW),
        replace(report, ledger=changed).html(),
    ):
        assert page.count("Sign-off 1 was changed after it was signed.") == 2  # in its phase, and below the table
    state = replace(report, ledger=changed).json()["ledger"]
    assert (state["intact"], [item["code"] for item in state["problems"]]) == (False, ["changed"])


def test_incidents_are_numbered_with_their_detection_and_rollback(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        evaluations = dict(phase_evaluations(archive, MIGRATION, retrospective, now=NOW))
        report = build_report(archive, MIGRATION, "mackerel", now=NOW)
    assert report
    (item,) = numbered_incidents(retrospective, evaluations)
    assert (item.number, item.rolled_back_s) == (1, 1200)
    assert numbered_incidents(retrospective, {}) == ()
    assert incident_marks(outline, evaluations) == (IncidentMark(1, False, item.incident.window),)
    first, second = (row.phase.window for row in retrospective.phase_rows[:2])
    assert incident_marks(outline, {second: evaluations[second]}) == (), "an earlier phase may have the first number"
    assert len(incident_marks(outline, {window: evaluations[window] for window in (first, second)})) == 1
    assert report.html().count("①") == 2, "in the chart and in the list"
    html = incident_list(MIGRATION, retrospective, evaluations, all_judged=True, is_filling=False)
    assert "<b>①</b> 11 Mar 15:00–15:20 UTC" in html and "rolled back after 20 min" in html
    for all_judged, is_filling, sentence in (
        (True, False, "No incidents."),
        (True, True, "No incidents in what is archived so far."),
        (False, False, "judging …"),
        (False, True, "judging …"),
    ):
        html = incident_list(MIGRATION, retrospective, {}, all_judged=all_judged, is_filling=is_filling)
        assert f"<p class='note'>{sentence}</p>" in html
    assert "①" in phases_table(MIGRATION, retrospective, evaluations, now=NOW) and "①" in report.html()


def test_tiles_have_the_impact_and_no_number_before_it_is_known(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        report = build_report(archive, MIGRATION, "mackerel", now=NOW)
    assert report and report.html().count("class='tiles'") == 1
    html = tiles(MIGRATION, retrospective, {}, complete=False)
    assert re.findall(r"<b>(.*?)</b> <span>(.*?)</span>", html) == [
        ("14.3M", "requests by ECS"),
        ("9,980", "excess errors vs EC2"),
        ("–", "incidents"),
        ("1", "rollback"),
    ]
    assert "<b>0</b> <span>incidents" in tiles(MIGRATION, retrospective, {}, complete=True)
    assert set(re.findall(r"<b>(.*?)</b>", render("retrospective.tiles_loading", n=4))) == {"–"}


def test_with_an_slo_the_error_budget_of_each_phase_and_of_all_is_shown(tmp_path: Path) -> None:
    migration = MIGRATION.model_copy(update={"slo": Slo.model_validate("99.9% over 30d")})
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, migration, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, migration, outline)
        report = build_report(archive, migration, "mackerel", now=NOW)
    html = tiles(migration, retrospective, {}, complete=False)
    assert "<b>44.7%</b> <span>of the 30-day error budget burned by ECS</span><small>EC2 " in html
    assert "· SLO 99.9% over 30d</small>" in html
    assert report and "of the 30-day error budget" in report.html()
    for page in (phases_table(migration, retrospective, {}, now=NOW), report.html()):
        assert page.count("budget burned") >= 4 and "budget burned 1.32% / 12.0%" in page
    phases = report.json()["phases"]
    assert phases[1]["error_budget"] == {
        "slo": "99.9% over 30d",
        "errors": pytest.approx(86_400),
        "traffic_of_s": 604_800,
        "burned": {"baseline": pytest.approx(1140 / 86_400), "canary": pytest.approx(10_360 / 86_400)},
    }
    assert "budget" not in tiles(MIGRATION, retrospective, {}, complete=False)


def test_the_phases_are_sorted_by_the_url_and_exported(tmp_path: Path) -> None:
    with archived_migration(tmp_path) as archive:
        outline = read_outline(archive, MIGRATION, "mackerel", now=NOW)
        assert outline
        retrospective = build_retrospective(archive, MIGRATION, outline)
        evaluations = dict(phase_evaluations(archive, MIGRATION, retrospective, now=NOW))

    def numbers(sort: str) -> str:
        html = phases_table(MIGRATION, retrospective, {}, {"sort": sort}, now=NOW)
        return "".join(re.findall(r"<th scope='row'>(\d) ·", html))

    assert [numbers(sort) for sort in ("", "-phase", "<b>", "-errors")] == ["1234", "4321", "1234", "2143"]
    rows = list(csv.DictReader(io.StringIO(phases_csv(retrospective, evaluations).decode())))
    assert [(row["number"], row["outcome"], row["incidents"]) for row in rows][:2] == [
        ("1", "advanced", "0"),
        ("2", "rolled_back", "1"),
    ]


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
