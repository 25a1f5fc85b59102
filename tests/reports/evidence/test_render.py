"""The evidence file: what is in it, that it can be checked, that it stands alone, and that nobody's words act in it."""

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO

import pytest

from analysis.endpoints.endpoints import endpoints
from analysis.parity.verdicts import DEFAULT_CRITERIA
from archive.access_logs.tables import Lines
from commands.judge import hearing_json
from domain import Window
from domain.config.loader import read
from reports.evidence.render import evidence, files, judge_text, page
from services.endpoints import LogsJudged
from services.evidence import file_name
from tests.factories.config import BLUE, PATH, changed, migration
from tests.factories.evidence import EVENT, EVIL, MINUTES, WINDOW, a_case, rows
from tests.factories.frames import START, tidy, window
from tests.factories.log_counts import FLEET_OF, busy, minutes, table

MADE_AT = datetime(2026, 9, 21, 15, 20, 7, tzinfo=UTC)
MEMBERS = ["evidence.html", "data.csv", "data.parquet", "judgement.json"]


class Page(HTMLParser):
    """What a browser would make of the page: its elements, their attributes, its text."""

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


def written(*args: object, **given: object) -> Page:
    return Page(files(a_case(*args, **given), made_at=MADE_AT)["evidence.html"].decode())  # type: ignore[arg-type]


def unpacked(made: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(made)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def test_one_zip_holds_the_page_the_numbers_and_the_judgement() -> None:
    case = a_case()
    found = unpacked(evidence(case, made_at=MADE_AT))
    assert list(found) == MEMBERS
    assert json.loads(found["judgement.json"]) == hearing_json(case.hearing)
    assert found["data.csv"].count(b"\n") == 1 + 10 * (
        MINUTES - 3
    )  # ten series; the last three minutes are provisional


def test_the_same_evidence_gives_the_same_bytes_and_only_the_page_knows_when() -> None:
    assert evidence(a_case(), made_at=MADE_AT) == evidence(a_case(), made_at=MADE_AT)
    now, later = (unpacked(evidence(a_case(), made_at=MADE_AT + timedelta(seconds=wait))) for wait in (0, 1))
    assert {name for name in MEMBERS if now[name] != later[name]} == {"evidence.html"}
    assert (
        later["evidence.html"].replace(b"15:20:08", b"15:20:07").replace(b"00:20:08", b"00:20:07")
        == now["evidence.html"]
    )


def test_a_number_changed_shows_in_the_sum() -> None:
    other = rows()
    other["canary", "photo-ecs-blue", "requests", "sum"][5] = 1001.0
    sums = {
        hashlib.sha256(files(a_case(None, numbers), made_at=MADE_AT)["data.csv"]).digest()
        for numbers in (rows(), other)
    }
    assert len(sums) == 2


def test_the_page_says_how_to_check_the_files_beside_it() -> None:
    found = files(a_case(), made_at=MADE_AT)
    page = Page(found["evidence.html"].decode())
    for name in MEMBERS[1:]:
        assert hashlib.sha256(found[name]).hexdigest() in page.text
    assert "sha256sum data.csv data.parquet judgement.json" in page.text
    assert judge_text() in page.text


def test_the_page_says_what_was_judged() -> None:
    case = a_case()
    text = written().text
    sentences = [one["sentence"] for one in hearing_json(case.hearing)["criteria"] if one["critical"]]
    assert sentences and all(sentence in text for sentence in sentences)
    assert "At 50:50 for 1 h, 57,000 and 57,000 requests:" in text
    assert "21 Sep 23:10 – 22 Sep 00:10 JST, 1 h" in text
    assert "2026-09-21 14:10 – 2026-09-21 15:10 UTC" in text
    assert "judged until 2026-09-22 00:07 Asia/Tokyo" in text
    assert "3 min still provisional" in text
    assert "±0.05 pp · better: lower · critical" in text
    assert BLUE in text
    assert re.search(r"annotation\s+Deployed admin pages", text)
    assert re.search(r"Python 3\.\d+\.\d+ · pandas \d", text)


def test_every_query_is_there_in_cloudwatchs_own_words_with_its_place_in_the_console() -> None:
    found = written()
    assert (
        "AWS/ApplicationELB HTTPCode_Target_5XX_Count Sum 60 s LoadBalancer=app/photo/50dc6c495c0c9188, TargetGroup="
        in found.text
    )
    links = [value for name, value in found.attributes if name == "href"]
    assert len(links) == len(a_case().queries) > 40
    assert all(
        str(link).startswith("https://console.aws.amazon.com/cloudwatch/home?region=ap-northeast-1#") for link in links
    )


def test_the_demo_asks_nobody_and_is_marked() -> None:
    found = written(migration().model_copy(update={"demo": True}))
    assert "The demo asks nobody" in found.text
    assert "DEMO" in found.text
    assert "a" not in found.elements


def test_the_charts_are_there_one_a_criterion_and_two_side_by_side() -> None:
    found = written()
    labels = [value for name, value in found.attributes if name == "aria-label"]
    assert [str(label).partition(".")[0].partition(": both")[0] for label in labels] == [
        "The interval over time: error rate",
        "The interval over time: p95",
        "Error rate",
        "Latency, p95",
    ]


def test_it_stands_alone() -> None:
    found = written()
    assert not found.elements & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    names = {name for name, _ in found.attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"src", "srcset", "xlink:href", "action"}
    (rule,) = [value for name, value in found.attributes if name == "content" and "default-src" in str(value)]
    assert rule == "default-src 'none'; style-src 'unsafe-inline'"
    assert "url(" not in files(a_case(), made_at=MADE_AT)["evidence.html"].decode()


def test_nobodys_words_act() -> None:
    tables = changed("migration.name", EVIL)
    tables["fleets"]["baseline"]["label"], tables["fleets"]["canary"]["label"] = f"{EVIL}1", f"{EVIL}2"
    where = read(tables, PATH)
    event = type(EVENT)(START + 600, None, "note", EVIL, EVIL, EVIL, "javascript:alert(1)", EVIL, EVIL)
    found = written(where, rows(ec2=EVIL, ecs=f"{EVIL}x"), events=(event,))
    assert found.elements == written().elements
    assert {name for name, _ in found.attributes} == {name for name, _ in written().attributes}
    assert found.text.count("<script>alert(1)</script>\"'&{{ 7 * 7 }}=1+1") >= 6
    assert "javascript:" not in " ".join(str(value) for _, value in found.attributes)


def test_where_nothing_is_settled_it_says_so_and_proves_nothing() -> None:
    found = written(last_asked=WINDOW.start + 60, missing=(WINDOW,))
    assert "nothing of it is settled yet" in found.text
    assert "There are no settled minutes to draw." in found.text
    assert "✘ Could not ask: the newest numbers are too old to judge what happens now" in found.text
    empty = a_case(None, {})
    assert files(empty, made_at=MADE_AT)["data.csv"].count(b"\n") == 1
    assert "Not enough data" in Page(page(empty, {}, made_at=MADE_AT)).text


def test_default_margins_are_marked() -> None:
    assert "default margins" in written(migration("criteria", None)).text
    assert "default margins" not in written().text


def test_what_nobody_watched_is_judged_as_far_as_it_is_settled() -> None:
    assert a_case(last_asked=None).settled == Window(WINDOW.start, WINDOW.end - 15 * 60)
    later = a_case(last_asked=WINDOW.end + 86_400)
    assert later.settled == WINDOW
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
    assert file_name(name, window(60)) == expected


def test_the_files_are_dated_by_the_window_not_by_the_clock() -> None:
    with zipfile.ZipFile(BytesIO(evidence(a_case(), made_at=MADE_AT))) as file:
        assert {entry.date_time for entry in file.infolist()} == {(2026, 9, 21, 15, 10, 0)}


def test_numbers_of_five_minutes_are_evidence_too() -> None:
    coarse = tidy({key: values[:12] for key, values in rows().items()}, period_s=300)
    case = a_case(None, {}, frame=coarse, periods=((WINDOW, 300),), last_asked=WINDOW.end + 3600)
    assert set(case.rows["period_s"]) == {300}
    assert case.queries[0].period_s == 300
    assert case.settled == Window(WINDOW.start, WINDOW.end)


def judged_logs(route: str) -> LogsJudged:
    """Two hours in which one route has six times the errors, and another so few that the totals agree."""
    every = [*busy(120, 400, route="/fine", worse=0.9), *busy(120, 80, route=route, errors=0.005, worse=6)]
    found = endpoints(table(every), FLEET_OF, minutes(120), DEFAULT_CRITERIA[:1])
    return LogsJudged(minutes(120), found, Lines(24, 115_200, 115_200), 120, ("GET",), ("photo.example.com",))


def test_the_routes_are_told_where_logs_were_counted() -> None:
    case = replace(a_case(), routes=judged_logs(EVIL))
    text = Page(files(case, made_at=MADE_AT)["evidence.html"].decode()).text
    assert "2 routes in the access logs of 2 h (115,200 lines): 1 regression, 1 undecided." in text
    assert "▲ regression error rate +" in text and EVIL in text
    assert "No access logs were counted" not in text


def test_where_no_logs_were_counted_it_says_so() -> None:
    assert "No access logs were counted for this phase" in written().text
