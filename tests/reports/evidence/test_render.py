"""The evidence file: its content and checksums, that it is self-contained, and that external text is escaped."""

import hashlib
import json
import re
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest

from analysis.endpoints.endpoints import judge_endpoints
from analysis.parity.verdicts import DEFAULT_CRITERIA
from archive.access_logs.tables import LineCounts
from domain import Window
from domain.config.loader import parse_tables
from domain.probe import Difference
from domain.serialization import to_json
from domain.sign_offs import Ledger, LedgerRow, MarginChange, sha256
from reports.evidence import render
from reports.evidence.manifest import evidence_digest
from reports.evidence.render import (
    evidence_file_name,
    evidence_files,
    evidence_page,
    evidence_zip,
    judge_modules,
    judge_sha256,
    signed_files,
)
from reports.judgement_json import evaluation_json
from services.endpoints import EndpointsView
from services.log_details import LogDetails
from tests.factories.config import BLUE, CONFIG_PATH, config_with, make_migration
from tests.factories.config_issues import own_table
from tests.factories.evidence import (
    EVENT,
    MADE_AT,
    MALICIOUS_TEXT,
    MINUTES,
    WINDOW,
    make_evidence,
    rows_with_websockets,
    sample_rows,
)
from tests.factories.findings import probes, twice_run_batches
from tests.factories.frames import START, tidy_frame, window
from tests.factories.log_counts import FLEET_OF, busy_route, count_table, first_minutes
from tests.factories.log_details import AGENT, ROUTE, log_details
from tests.factories.sign_offs import make_sign_off

MEMBERS = ["evidence.html", "data.csv", "data.parquet", "judgement.json", "sign_offs.json", "manifest.json"]


class ParsedPage(HTMLParser):
    """The parsed page: its elements, their attributes, its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style":
            self.text += f"{data} "


def parsed_page(*args: object, **given: object) -> ParsedPage:
    return ParsedPage(evidence_files(make_evidence(*args, **given), made_at=MADE_AT)["evidence.html"].decode())  # type: ignore[arg-type]


def unzip(made: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(made)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_one_zip_holds_the_page_the_numbers_and_the_judgement() -> None:
    case = make_evidence()
    files = unzip(evidence_zip(case, made_at=MADE_AT))
    assert list(files) == MEMBERS
    assert json.loads(files["judgement.json"]) == evaluation_json(case.evaluation)
    rows = 10 * (MINUTES - 3)  # ten series; the last three minutes are provisional
    assert files["data.csv"].count(b"\n") == 1 + rows


def test_the_same_evidence_gives_the_same_bytes_and_only_the_page_has_the_time() -> None:
    assert evidence_zip(make_evidence(), made_at=MADE_AT) == evidence_zip(make_evidence(), made_at=MADE_AT)
    now, later = (unzip(evidence_zip(make_evidence(), made_at=MADE_AT + timedelta(seconds=wait))) for wait in (0, 1))
    assert {name for name in MEMBERS if now[name] != later[name]} == {"evidence.html", "manifest.json"}
    assert (
        later["evidence.html"].replace(b"15:20:08", b"15:20:07").replace(b"00:20:08", b"00:20:07")
        == now["evidence.html"]
    )


def test_a_changed_value_changes_the_checksum() -> None:
    other = sample_rows()
    other["canary", "photo-ecs-blue", "requests", "sum"][5] = 1001.0
    sums = {
        hashlib.sha256(evidence_files(make_evidence(None, numbers), made_at=MADE_AT)["data.csv"]).digest()
        for numbers in (sample_rows(), other)
    }
    assert len(sums) == 2


def test_the_page_has_the_checksums_of_the_other_files() -> None:
    files = evidence_files(make_evidence(), made_at=MADE_AT)
    page = ParsedPage(files["evidence.html"].decode())
    for name in MEMBERS[1:4]:
        assert hashlib.sha256(files[name]).hexdigest() in page.text
    assert "sha256sum data.csv data.parquet judgement.json | sha256sum" in page.text
    assert evidence_digest(files) in page.text
    assert judge_sha256() in page.text


def test_the_checksum_of_the_judge_covers_every_module_it_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    covered = {module.relative_to(render.ROOT) for module in judge_modules()}
    loaded = {
        Path(str(sys.modules[name].__file__))
        for name in list(sys.modules)
        if name.split(".")[0] in ("analysis", "domain")
    }
    assert {Path("analysis/parity/judge.py"), Path("domain/window.py")} <= covered
    assert {module.relative_to(render.ROOT) for module in loaded} <= covered
    for module in covered:
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_bytes((render.ROOT / module).read_bytes())
    monkeypatch.setattr(render, "ROOT", tmp_path)
    checksum = judge_sha256.__wrapped__
    original = checksum()
    assert original == judge_sha256()
    for module in covered:
        content = (tmp_path / module).read_bytes()
        (tmp_path / module).write_bytes(content + b"#")
        assert checksum() != original, module
        (tmp_path / module).write_bytes(content)


def test_the_page_shows_what_was_judged() -> None:
    case = make_evidence()
    text = parsed_page().text
    sentences = [item["sentence"] for item in evaluation_json(case.evaluation)["criteria"] if item["critical"]]
    assert sentences and all(sentence in text for sentence in sentences)
    assert "50:50 for 1h · 57,000 requests per fleet." in text
    assert "21 Sep 23:10 – 22 Sep 00:10 JST, 1h" in text
    assert "2026-09-21 14:10 – 2026-09-21 15:10 UTC" in text
    assert "Data through 2026-09-22 00:07 Asia/Tokyo" in text
    assert "3 min still provisional" in text
    assert "±0.05 pp · better: lower · gate" in text
    assert BLUE in text
    assert re.search(r"annotation\s+Deployed admin pages", text)
    assert re.search(r"Python 3\.\d+\.\d+ · pandas \d", text)


def test_the_page_has_the_expressions_of_criteria_of_ones_own() -> None:
    text = parsed_page(make_migration("criteria", [own_table(better="equal")])).text
    assert "±5 · better: equal EC2: service(photo, upload.ec2) ECS: service(photo, upload.ecs)" in text
    assert "judged by the differences of paired minutes" in text and "Mackerel expressions are evaluated here" in text


@pytest.mark.parametrize(
    ("errors", "given", "decision"),
    [
        (0.0, {}, "✓ CONTINUE · improvement"),
        (300.0, {}, "✕ ROLL BACK · error rate regressed"),
        (
            0.0,
            {"last_asked_at": WINDOW.start + 60, "missing": (WINDOW,)},
            "○ NO DATA · data is stale",
        ),
    ],
)
def test_it_is_titled_by_its_decision(errors: float, given: dict[str, object], decision: str) -> None:
    rows = sample_rows()
    rows["canary", "photo-ecs-blue", "target_5xx", "sum"] = [errors] * MINUTES
    page = evidence_files(make_evidence(None, rows, **given), made_at=MADE_AT)["evidence.html"].decode()  # type: ignore[arg-type]
    title, heading = re.findall(r"<(?:title|h1)[^>]*>(.*?)</", page)
    assert title.startswith(decision) and title.endswith(" · Photo service · Evidence file")
    assert heading.startswith(decision)


def test_every_cloudwatch_query_is_listed_with_its_console_link() -> None:
    page = parsed_page()
    assert (
        "AWS/ApplicationELB HTTPCode_Target_5XX_Count Sum 60 s LoadBalancer=app/photo/50dc6c495c0c9188, TargetGroup="
        in page.text
    )
    links = [value for name, value in page.attributes if name == "href"]
    assert len(links) == len(make_evidence().queries) > 40
    assert all(
        str(link).startswith("https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#") for link in links
    )


def test_the_demo_has_no_queries_and_is_marked() -> None:
    page = parsed_page(make_migration().model_copy(update={"demo": True}))
    assert "Demo: generated data" in page.text
    assert "DEMO" in page.text
    assert "a" not in page.elements


def test_one_interval_chart_per_criterion_and_two_comparisons() -> None:
    page = parsed_page()
    labels = [value for name, value in page.attributes if name == "aria-label"]
    assert [str(label).partition(".")[0].partition(": both")[0] for label in labels] == [
        "Difference over time (95% CI): error rate",
        "Difference over time (95% CI): p95",
        "Error rate",
        "Latency, p95",
    ]


def test_it_is_self_contained() -> None:
    page = parsed_page()
    assert not page.elements & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    names = {name for name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"src", "srcset", "xlink:href", "action"}
    (rule,) = [value for name, value in page.attributes if name == "content" and "default-src" in str(value)]
    assert rule == "default-src 'none'; style-src 'unsafe-inline'"
    assert "url(" not in evidence_files(make_evidence(), made_at=MADE_AT)["evidence.html"].decode()


def test_external_text_is_escaped() -> None:
    tables = config_with("migration.name", MALICIOUS_TEXT)
    tables["fleets"]["baseline"]["label"], tables["fleets"]["canary"]["label"] = (
        f"{MALICIOUS_TEXT}1",
        f"{MALICIOUS_TEXT}2",
    )
    migration = parse_tables(tables, CONFIG_PATH)
    event = type(EVENT)(
        START + 600,
        None,
        "note",
        MALICIOUS_TEXT,
        MALICIOUS_TEXT,
        MALICIOUS_TEXT,
        "javascript:alert(1)",
        MALICIOUS_TEXT,
        MALICIOUS_TEXT,
    )
    page = parsed_page(migration, sample_rows(ec2=MALICIOUS_TEXT, ecs=f"{MALICIOUS_TEXT}x"), events=(event,))
    assert page.elements == parsed_page().elements
    assert {name for name, _ in page.attributes} == {name for name, _ in parsed_page().attributes}
    assert page.text.count("<script>alert(1)</script>\"'&{{ 7 * 7 }}=1+1") >= 6
    assert "javascript:" not in " ".join(str(value) for _, value in page.attributes)


def test_requests_without_a_counted_response_are_named_below_the_criteria() -> None:
    assert (
        "Response not counted: EC2 0 of 52,000 · ECS 5,200 of 52,000 requests. No metric attributes these requests to a failed target;"
        in (parsed_page(None, rows_with_websockets()).text)
    )
    assert "Response not counted" not in parsed_page().text


def test_without_final_data_nothing_is_proven() -> None:
    page = parsed_page(last_asked_at=WINDOW.start + 60, missing=(WINDOW,))
    assert "no final data yet" in page.text
    assert "No final minutes to draw." in page.text
    assert "○ NO DATA · data is stale" in page.text
    empty = make_evidence(None, {})
    assert evidence_files(empty, made_at=MADE_AT)["data.csv"].count(b"\n") == 1
    page_text = evidence_page(empty, signed_files(empty), made_at=MADE_AT)
    assert "◐ WAIT · inconclusive so far" in ParsedPage(page_text).text


def test_the_page_has_the_signatures_of_the_phase_and_what_was_changed_in_the_ledger() -> None:
    assert "The evidence of this phase is not signed." in parsed_page().text
    case = make_evidence()
    sign_off = make_sign_off(
        WINDOW,
        migration=case.migration.key,
        sequence=1,
        name=MALICIOUS_TEXT,
        verified=False,
        sentence=f"Because {MALICIOUS_TEXT}",
        decision="hold",
        margin_changes=(MarginChange(WINDOW.start + 600, "error_rate", "0.5 pp", "1 pp"),),
    )
    body = to_json(sign_off)
    ledger = Ledger.of(case.migration.key, [LedgerRow(1, body, sha256(body)), LedgerRow(2, "{}", "0" * 64)])
    page = ParsedPage(evidence_files(replace(case, ledger=ledger), made_at=MADE_AT)["evidence.html"].decode())
    assert "script" not in page.elements
    assert f"{MALICIOUS_TEXT} name typed, not verified" in page.text
    assert f"Because {MALICIOUS_TEXT}" in page.text and "■ HOLD" in page.text
    assert (
        "error rate ±0.5 pp, p95 ±20 ms Changed after the phase began: error rate ±0.5 pp → ±1 pp, 23:20 JST"
        in page.text.replace("21 Sep ", "")
    )
    assert "Sign-off 2 was changed after it was signed." in page.text


def test_default_margins_are_marked() -> None:
    assert "Default margins" in parsed_page(make_migration("criteria", None)).text
    assert "Default margins" not in parsed_page().text


def test_an_unread_window_is_judged_up_to_its_final_minutes() -> None:
    assert make_evidence(last_asked_at=None).final_window == Window(WINDOW.start, WINDOW.end - 15 * 60)
    later = make_evidence(last_asked_at=WINDOW.end + 86_400)
    assert later.final_window == WINDOW
    assert len(later.rows) == 10 * MINUTES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Photo service", "evidence-photo-service-20260921T1410Z-20260921T1510Z.zip"),
        ("../../etc/passwd", "evidence-etc-passwd-20260921T1410Z-20260921T1510Z.zip"),
        ("写真", "evidence-migration-20260921T1410Z-20260921T1510Z.zip"),
        ("a" * 200, f"evidence-{'a' * 60}-20260921T1410Z-20260921T1510Z.zip"),
    ],
)
def test_the_file_is_named_after_the_migration_and_the_window(name: str, expected: str) -> None:
    assert evidence_file_name(name, window(60)) == expected


def test_the_files_are_dated_by_the_window_not_by_the_clock() -> None:
    with zipfile.ZipFile(BytesIO(evidence_zip(make_evidence(), made_at=MADE_AT))) as file:
        assert {entry.date_time for entry in file.infolist()} == {(2026, 9, 21, 15, 10, 0)}


def test_numbers_of_five_minutes_are_evidence_too() -> None:
    coarse = tidy_frame({key: values[:12] for key, values in sample_rows().items()}, period_s=300)
    case = make_evidence(None, {}, frame=coarse, periods=((WINDOW, 300),), last_asked_at=WINDOW.end + 3600)
    assert set(case.rows["period_s"]) == {300}
    assert case.queries[0].period_s == 300
    assert case.final_window == Window(WINDOW.start, WINDOW.end)


def endpoints_view(route: str) -> EndpointsView:
    """Two hours in which one route has six times the errors, and another so few that the totals agree."""
    counts = [
        *busy_route(120, 400, route="/fine", canary_error_factor=0.9),
        *busy_route(120, 80, route=route, errors=0.005, canary_error_factor=6),
    ]
    judgements = judge_endpoints(count_table(counts), FLEET_OF, first_minutes(120), DEFAULT_CRITERIA[:1])
    return EndpointsView(
        first_minutes(120), judgements, LineCounts(24, 115_200, 115_200), 120, ("GET",), ("photo.example.com",)
    )


def test_routes_are_listed_if_logs_were_counted() -> None:
    case = replace(make_evidence(), endpoints=endpoints_view(MALICIOUS_TEXT))
    text = ParsedPage(evidence_files(case, made_at=MADE_AT)["evidence.html"].decode()).text
    assert "2 routes in the access logs of 2h (115,200 lines): 1 regression, 1 inconclusive." in text
    assert "▲ regression error rate +" in text and MALICIOUS_TEXT in text
    assert "No access logs processed" not in text


def test_answers_that_differ_and_where_to_look_first_are_below_the_routes() -> None:
    details = replace(log_details(), undetailed_hours=2, hours=24)
    case = replace(make_evidence(), endpoints=endpoints_view("/a"), details=details)
    page = ParsedPage(evidence_files(case, made_at=MADE_AT)["evidence.html"].decode())
    assert f"{ROUTE} Size of GET 200: 12.0 kB on ECS, 24.0 kB on EC2 (−50.0%)" in page.text
    assert "Look here first: 50 failed of 1,000 requests on ECS" in page.text
    assert f"user agent {AGENT}: 80.0% (40) of these, 10.0% of all" in page.text
    assert "A hint where to look, not a cause." in page.text
    assert "2 of 24 hours were counted before this was recorded" in page.text
    assert "script" not in page.elements
    equal = replace(case, details=LogDetails())
    text = ParsedPage(evidence_files(equal, made_at=MADE_AT)["evidence.html"].decode()).text
    assert "No difference in size, status or protocol beyond the margins." in text
    assert "Look here first" not in text
    unknown = ParsedPage(evidence_files(replace(case, details=None), made_at=MADE_AT)["evidence.html"].decode()).text
    assert "What was answered" not in unknown


def test_without_logs_a_note_says_so() -> None:
    assert "No access logs processed for this phase" in parsed_page().text


def test_probes_and_findings_of_the_hand_over_are_evidence() -> None:
    case = replace(make_evidence(), probes=probes(START), batches=twice_run_batches(WINDOW.end, complete=False))
    text = ParsedPage(evidence_files(case, made_at=MADE_AT)["evidence.html"].decode()).text
    for shown in (
        "GET /api/photos/1207",
        "2026-09-21 23:10",
        "▲ answers differ",
        "json $.views: int 48213 → str 48213",
        "EC2 200 ×5",
        "not sent yet",
        "2× ran by both",
        "Cron and EventBridge ran the same due time.",
    ):
        assert shown in text
    assert "Not all runs of this time are known." in text


def test_without_findings_a_note_says_so_and_without_probes_and_batches_nothing() -> None:
    empty = replace(twice_run_batches(WINDOW.end), jobs=())
    text = ParsedPage(
        evidence_files(replace(make_evidence(), batches=empty), made_at=MADE_AT)["evidence.html"].decode()
    ).text
    assert "No due time ran by both or by neither" in text and "Not all runs" not in text
    assert not {"Probes", "Hand-over"} & set(parsed_page().text.split())


def test_texts_of_probes_and_jobs_are_escaped() -> None:
    probe, result = probes(START)[0]
    assert result is not None
    hostile = replace(
        result, differences=(Difference("text", MALICIOUS_TEXT, MALICIOUS_TEXT),), ignored=(MALICIOUS_TEXT,)
    )
    case = replace(make_evidence(), probes=((probe, hostile),), batches=twice_run_batches(WINDOW.end, MALICIOUS_TEXT))
    page = ParsedPage(evidence_files(case, made_at=MADE_AT)["evidence.html"].decode())
    assert page.text.count(MALICIOUS_TEXT) == 4
    assert "script" not in page.elements
