"""The retrospective as a self-contained page and as JSON."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.retrospective.impact import excess_errors
from archive import Archive
from domain import Window
from domain.config.probe import Probe
from domain.window import DAY_S
from reports.judgement_json import iso_time
from reports.retrospective.render import RetrospectiveReport, build_report, retrospective_file_name
from reports.retrospective.summary import impact_sentences
from services.batches import BatchView
from tests.factories.archived_migration import EVENTS, NOW, archived_migration, make_event, make_migration, time_of
from tests.factories.evidence import MALICIOUS_TEXT
from tests.factories.findings import probe_result, twice_run_batches

MIGRATION = make_migration()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archived_migration(tmp_path_factory.mktemp("full")) as archive:
        archive.notes.add(time_of(12), "Sale begins", "Mika")
        yield archive


@pytest.fixture(scope="module")
def report(archive: Archive) -> RetrospectiveReport:
    report = build_report(archive, MIGRATION, "mackerel", now=NOW)
    assert report is not None
    return report


def plain_text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]))


def test_the_page_is_self_contained(report: RetrospectiveReport) -> None:
    page = report.html()
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"<script|<link|<img|\bsrc=|url\(|https?://", page)
    assert len(page) < 400_000


def test_the_page_shows_what_the_dashboard_shows(report: RetrospectiveReport) -> None:
    page, text = report.html(), plain_text(report.html())
    assert page.count("<svg viewBox") == 1
    assert "10 Mar – 22 Mar (12 days) · 10% → 50% · 4 phases · 1 rollback" in text
    assert "ECS served 14.3M requests." in text
    assert text.count("median of periods") == 4
    assert "1 · 10% 10 Mar 09:00 – 11 Mar 09:00 UTC" in text
    assert "requests per hour 120,000 120,000 ±0%" in text
    assert "2026-03-14 00:00 ✎ note Sale begins by Mika" in text
    assert "JST" not in text


def test_probes_and_findings_of_the_hand_over_are_reported(tmp_path: Path) -> None:
    probe = Probe(path="/api/photos/1207")
    migration = MIGRATION.model_copy(update={"probe": (probe,)})
    windows: list[Window] = []

    def read_runs(window: Window) -> BatchView:
        windows.append(window)
        return twice_run_batches(time_of(12))

    with archived_migration(tmp_path) as archive:
        archive.observations.save_probe(probe_result(time_of(3), probe))
        report = build_report(archive, migration, "mackerel", read_runs=read_runs, now=NOW)
    assert report is not None
    assert windows == [report.retrospective.outline.window]
    text = plain_text(report.html())
    assert "GET /api/photos/1207" in text and "json $.views: int 48213 → str 48213" in text
    assert "cleanup 2× ran by both" in text
    data = json.loads(json.dumps(report.json(), allow_nan=False))
    (probed,) = data["probes"]
    assert {name: probed[name] for name in ("method", "path", "header")} == {
        "method": "GET", "path": "/api/photos/1207", "header": ""
    }  # fmt: skip
    assert (probed["result"]["at"], probed["result"]["state"]) == (iso_time(time_of(3)), "different")
    assert data["handover"]["complete"] is True
    found = data["handover"]["jobs"]["cleanup"]
    assert (found["runs_twice"], found["findings"]["both"]["due_times"]) == (True, 2)
    assert found["findings"]["both"]["newest"][-1]["due_at"] == iso_time(time_of(12) - DAY_S)


def test_a_probe_that_was_never_sent_has_no_result(report: RetrospectiveReport) -> None:
    unsent = replace(report, probes=((Probe(path="/"), None),)).json()
    assert unsent["probes"] == [{"method": "GET", "path": "/", "header": "", "result": None}]
    assert unsent["handover"] is None


def test_every_phase_has_its_verdict(report: RetrospectiveReport) -> None:
    verdicts = [evaluation.judgement.verdict for evaluation in report.evaluations.values()]
    assert len(verdicts) == 4
    assert verdicts[2] == "not enough data"  # at 0 % there was nothing to compare


def test_nothing_compared_is_not_known(report: RetrospectiveReport) -> None:
    story = replace(report.retrospective, excess_errors=excess_errors([]), canary_requests=None)
    assert impact_sentences(MIGRATION, story, now=NOW)[:3] == [
        "Requests served by ECS: unknown.",
        "Too few requests on both fleets at once to estimate excess errors vs. EC2.",
        "Rollback 25% → 0%, 11 Mar 15:20 UTC, 16 min after the first alert, effective within 5 min. (Back to 0%)",
    ]
    impact = replace(report, retrospective=story).json()["impact"]
    assert {name: impact[name] for name in ("canary_requests", "errors", "minutes_outside")} == {
        "canary_requests": None,
        "errors": {
            "observed": None,
            "expected": None,
            "excess": None,
            "lower": None,
            "upper": None,
            "requests": 0,
            "unpaired_requests": 0,
        },
        "minutes_outside": {"error_rate": None, "latency_p95": None},
    }


def test_the_json_has_no_infinity_and_null_for_unknown(report: RetrospectiveReport) -> None:
    as_json = json.loads(json.dumps(report.json(), allow_nan=False))
    assert as_json["window"] == {"from": "2026-03-03T09:00:00Z", "to": "2026-03-22T00:00:00Z"}
    assert as_json["impact"]["rollbacks"] == [
        {"at": "2026-03-11T15:20:00Z", "from": 0.25, "to": 0.0, "effect_within_s": 300, "alert_lead_s": 960}
    ]
    assert as_json["phases"][2]["p95"]["canary"] is None
    assert [item["canary_share"] for item in as_json["phases"]] == [0.1, 0.25, 0.0, 0.5]
    first = as_json["phases"][0]
    assert {key: first[key] for key in ("number", "name", "from", "to", "judged", "requests", "errors")} == {
        "number": 1,
        "name": "1 · 10%",
        "from": "2026-03-10T09:00:00Z",
        "to": "2026-03-11T09:00:00Z",
        "judged": {"from": "2026-03-10T09:02:00Z", "to": "2026-03-11T09:00:00Z"},
        "requests": {"baseline": 2_592_000, "canary": 288_000},
        "errors": {"baseline": 5184, "canary": 576},
    }
    assert as_json["before_after"]["hours"] == 168
    assert (as_json["gaps"], as_json["hourly_only_until"]) == ([], None)


def test_the_file_is_named_after_the_migration_and_its_days(report: RetrospectiveReport) -> None:
    assert report.file_name == "retrospective-photo-service-20260303-20260322.html"
    assert retrospective_file_name("写真 <b>", report.retrospective.outline) == "retrospective-b-20260303-20260322.html"
    assert retrospective_file_name("写真", report.retrospective.outline).startswith("retrospective-migration-")


def test_external_text_is_escaped(tmp_path: Path) -> None:
    migration = make_migration(name=MALICIOUS_TEXT)
    happened = (*EVENTS, make_event(time_of(8, 12), "deployment", MALICIOUS_TEXT))
    with archived_migration(tmp_path, migration, events=happened) as archive:
        archive.notes.add(time_of(8, 13), MALICIOUS_TEXT, MALICIOUS_TEXT)
        report = build_report(archive, migration, "mackerel", now=NOW)
    assert report is not None
    page = report.html()
    assert "<script>alert" not in page and "{{ 7" not in page.replace("{{ 7 * 7 }}=1+1", "")
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4  # title, heading, deployment, note


def test_times_are_in_the_configured_zone(tmp_path: Path) -> None:
    with archived_migration(tmp_path, make_migration("Europe/Berlin")) as archive:
        report = build_report(archive, make_migration("Europe/Berlin"), "mackerel", now=NOW)
    assert report is not None
    text = plain_text(report.html())
    assert "10 Mar 10:00 – 11 Mar 10:00 CET" in text
    assert "11 Mar 16:20 CET" in text


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [([], "No incidents. "), (["No data: 12 Mar."], "No incidents in what is archived so far.")],
)
def test_without_all_data_it_does_not_say_that_there_was_no_incident(
    missing: list[str], sentence: str, report: RetrospectiveReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.retrospective.render.missing_data", lambda *_args, **_options: missing)
    monkeypatch.setattr("reports.retrospective.render.numbered_incidents", lambda *_args: ())
    text = plain_text(report.html())
    assert sentence in text and text.count("No incidents") == 1
