"""The pages on the demo, without a server: any query string gives a page within bounds, a closed page is given up, and an outage empties none."""

import json
import logging
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit
from hypothesis import example, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from archive import Archive, ArchiveError
from collector.access_log_ingest import IngestProgress, IngestState
from domain import Window, utc_now
from domain.config.retention import Retention
from domain.trace import current_reference
from services.log_details import LogDetails
from sources.base import Problem
from sources.demo.sources import DemoTraffic, program_anchor
from tests.factories.demo_app import demo_app
from ui import app_context, controls, layout
from ui.app_context import AppContexts
from ui.parity.evidence_button import evidence_button
from ui.parity.view import judgement_view, phase_evaluation

PAGES = ("live", "parity", "endpoints", "batches", "retrospective")
NAMES = (
    "window",
    "from",
    "to",
    "source",
    "percentile",
    "refresh",
    "kiosk",
    "slow",
    "compare",
    "note",
    "events",
    "phase",
    "criterion",
    "method",
    "host",
    "status",
    "route",
    "trace",
)
NAMES += ("page", "map", "job", "embed")
TIMES = st.datetimes().map(lambda time: f"{time.isoformat(timespec='minutes')}Z") | st.sampled_from(
    ["2000-01-01T00:00Z", "2010-01-01T00:00Z", "2099-12-31T23:59Z", "9999-12-31T23:59Z", "0001-01-01", "2026-W47-7"]
)
NUMBERS = st.sampled_from(["nan", "inf", "-1", "0", "1e999", "²", "٣", "0x10", "9" * 5000]) | st.integers().map(str)
CHOICES = st.sampled_from(
    [
        "3h",
        "60d",
        "phase",
        "p99",
        "fan",
        "week",
        "off",
        "5xx",
        "p95",
        "demo",
        "none",
        "weight,alert",
        "/route/7",
        "true",
        "",
    ]
)
HOSTILE = st.sampled_from(["<script>alert(1)</script>", "a\0b", "\ufffe", "${7*7}", "../../etc/passwd", "x" * 20_000])
VALUES = TIMES | NUMBERS | CHOICES | HOSTILE | st.text(st.characters(codec="utf-8"), max_size=30)
QUERIES = st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, min_size=1, max_size=2), max_size=6)
MAX_PEAK_BYTES = 64_000_000  # of a page; one array of the minutes of 90 years has 379 MB


@pytest.fixture(scope="module", autouse=True)
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The context of this process is the demo's; pages do not wait for what is not polled."""
    with demo_app(tmp_path_factory.mktemp("demo")) as app, pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
        for module in ("pages.live", "pages.batches", "ui.parity.window_latency", "ui.endpoints.ingest_progress"):
            patch.setattr(f"{module}.INITIAL_WAIT_S", 0.0)
        yield


def page_script(page: str) -> None:
    from importlib import import_module

    import_module(f"pages.{page}").render()


def open_page(page: str, query: dict[str, list[str]]) -> AppTest:
    test = AppTest.from_function(page_script, kwargs={"page": page}, default_timeout=60)
    for name, values in query.items():
        test.query_params[name] = values
    return test.run()


@pytest.mark.parametrize("page", PAGES)
@settings(max_examples=25)
@given(query=QUERIES)
@example(query={"phase": ["²"]})
@example(query={"phase": ["9" * 5000]})
def test_any_query_string_gives_a_page(page: str, query: dict[str, list[str]]) -> None:
    test = open_page(page, query)
    assert not test.exception
    assert any("page-title" in html.proto.body for html in test.get("html"))


def test_endpoints_of_which_nothing_stands_out_are_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.endpoints.details.details_view", lambda *_args, **_options: LogDetails())
    test = open_page("endpoints", {})
    assert not test.exception and not any("Look here first" in text for text in texts(test))


@pytest.mark.parametrize(("page", "others"), [*((page, {}) for page in PAGES), ("endpoints", {"route": ["/route/7"]})])
def test_the_longest_range_takes_no_more_memory_than_its_data(page: str, others: dict[str, list[str]]) -> None:
    tracemalloc.start()
    try:
        test = open_page(page, {"from": ["2010-01-02T00:00Z"], "to": ["2099-12-30T00:00Z"], **others})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not test.exception
    assert peak < MAX_PEAK_BYTES


def set_open(monkeypatch: pytest.MonkeyPatch, *, is_open: bool) -> None:
    """Whether the browser still has the page open."""
    server = SimpleNamespace(is_active_session=lambda _session_id: is_open)
    monkeypatch.setattr(controls, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: server))


@pytest.mark.parametrize("page", ["parity", "endpoints", "retrospective"])
def test_the_work_for_a_closed_page_is_given_up(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    n_elements = []
    for is_open in (True, False):
        set_open(monkeypatch, is_open=is_open)
        streamlit.cache_resource.clear()
        test = open_page(page, {})
        assert not test.exception
        n_elements.append(len(test.get("html")))
    assert n_elements[1] < n_elements[0]


def test_the_evidence_file_of_a_closed_page_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_context.get_app_context()
    view = judgement_view(app, app.source_names[0], now=utc_now())
    button: dict[str, Any] = {}
    monkeypatch.setattr(streamlit, "download_button", lambda _label, **options: button.update(options))
    for is_open in (True, False):
        set_open(monkeypatch, is_open=is_open)
        monkeypatch.setattr(controls, "get_script_run_ctx", lambda: SimpleNamespace(session_id="a"))
        evidence_button(app, view, app.source_names[0])
        assert bool(button["data"]()) == is_open


@pytest.mark.parametrize(
    ("state", "files_done", "problems", "expected"),
    [
        ("done", 100, 0, set()),
        ("counting", 10, 0, {"routes_pending"}),
        ("stopped", 0, 1, {"routes_unreadable"}),
        ("done", 10, 1, {"routes_unreadable"}),
    ],
)
def test_pages_and_evidence_await_the_logs_as_commands_do(
    monkeypatch: pytest.MonkeyPatch, state: IngestState, files_done: int, problems: int, expected: set[str]
) -> None:
    app, now = app_context.get_app_context(), utc_now()
    view = judgement_view(app, app.source_names[0], now=now)
    denied = (Problem("denied", "access_logs", "s3:GetObject"),) * problems
    progress = IngestProgress(view.phase.window, state, files=100, files_done=files_done, problems=denied)
    monkeypatch.setattr(app.collector, "ingest_progress", lambda _window: progress)
    for with_all_routes in (False, True):  # as Live and Parity, and as the evidence file
        evaluation = phase_evaluation(app, view, now=now, with_all_routes=with_all_routes)
        codes = {reason.code for reason in evaluation.decision.reasons}
        assert codes & {"routes_pending", "routes_unreadable"} == expected
        assert not expected or evaluation.decision.decision != "continue"


@contextmanager
def without_file(archive: Archive) -> Iterator[None]:
    """The archive's file is away."""
    path = Path(str(archive.engine.url.database))
    moved = path.rename(path.with_suffix(".moved"))
    try:
        yield
    finally:
        moved.rename(path)


def texts(test: AppTest) -> list[str]:
    return [html.proto.body for html in test.get("html")]


def test_a_fixed_range_has_its_band_and_its_own_finding() -> None:
    now = utc_now()
    past = {name: [f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%MZ}"] for name, hours in (("from", 8), ("to", 6))}
    of_range, of_now = " ".join(texts(open_page("live", past))), " ".join(texts(open_page("live", {})))
    assert "VIEWING " in of_range and "(ended 6" in of_range and "Now: " in of_range
    assert "class='hero past" in of_range and "class='hero past" not in of_now
    assert "VIEWING" not in of_now and "Rollback capacity" in of_now and "Rollback capacity" not in of_range


@pytest.mark.parametrize("page", ["live", "parity"])
def test_many_routes_are_judged_after_the_page_and_pending_until_then(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, pending = replace(app_context.get_app_context()), "Routes not judged yet."
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    monkeypatch.setattr("ui.endpoints.view.MAX_ROUTES_AT_ONCE", 10)
    assert any(pending in text for text in texts(open_page(page, {})))
    app.background_routes.wait()
    assert not any(pending in text for text in texts(open_page(page, {})))


def test_a_past_range_has_the_routes_of_its_counted_logs_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    app, now = replace(app_context.get_app_context()), utc_now()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    monkeypatch.setattr("ui.endpoints.view.MAX_ROUTES_AT_ONCE", 10)

    def shown(start: int, end: int) -> str:
        """Of a range, by minutes before now."""
        times = {"from": start, "to": end}
        query = {name: [f"{now - timedelta(minutes=ago):%Y-%m-%dT%H:%MZ}"] for name, ago in times.items()}
        return " ".join(texts(open_page("live", query)))

    assert "Access logs of this range are not processed: routes not judged." in shown(480, 360)
    pending = shown(60, 20)
    assert "loading" in pending and "not processed" not in pending and "Routes judged by" not in pending
    app.background_routes.wait()
    judged = shown(60, 20)
    assert re.search(r"Routes judged by the access logs of [4-6] of \d\d min\.", judged) and "loading" not in judged
    without_logs = replace(app, sources=replace(app.sources, logs=None))
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: without_logs}))
    assert "Access logs are not configured: routes not judged." in shown(480, 360)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_keeps_its_last_view_while_the_archive_cannot_be_read(page: str) -> None:
    archive = app_context.get_app_context().archive
    before = texts(open_page(page, {}))
    with without_file(archive):
        test = open_page(page, {})
        assert not test.exception
        banner, *rest = [body for body in texts(test) if "class='error'" in body]
        assert "The archive&#39;s file was removed or replaced (since " in banner
        assert "Shown: archive as of " in banner and "Restore the file" in banner
        assert rest == []
        left_out = 1 if page == "parity" else 0  # the note in the form of sign-offs, which is not there
        assert len(texts(test)) == len(before) + 1 - left_out
    after = open_page(page, {})
    assert not after.exception and not any("class='error'" in body for body in texts(after))


@pytest.mark.parametrize("minutes", [2, 60, 600])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_keeps_it_for_hours(page: str, minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not open_page(page, {}).exception
    later = utc_now() + timedelta(minutes=minutes)
    monkeypatch.setattr(f"pages.{page}.utc_now", lambda: later)
    with without_file(app_context.get_app_context().archive):
        test = open_page(page, {})
    (banner,) = [body for body in texts(test) if "class='error'" in body]
    assert "Shown: archive as of " in banner and not test.exception


def test_no_evidence_file_is_made_of_what_is_left_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_context.get_app_context()
    view = judgement_view(app, app.source_names[0], now=utc_now())
    button: dict[str, Any] = {}
    monkeypatch.setattr(streamlit, "download_button", lambda _label, **options: button.update(options))
    evidence_button(app, view, app.source_names[0])
    assert not button["disabled"]
    with without_file(app.archive):
        with pytest.raises(ArchiveError, match="replaced"):
            button["data"]()
        evidence_button(app, view, app.source_names[0])
        assert button["disabled"]


def test_a_page_that_was_not_shown_before_is_an_error_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_context.get_app_context()
    with Archive.open(app.migration.archive, app.migration) as archive, without_file(archive):
        monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: replace(app, archive=archive)}))
        streamlit.cache_resource.clear()
        monkeypatch.setattr(layout, "_logged", {})
        with caplog.at_level(logging.WARNING, "ui.layout"):
            tests = [open_page("parity", {}) for _ in range(2)]
    (line,) = [record for record in caplog.get_records("call") if record.name == "ui.layout"]
    assert line.getMessage() == "page without archive" and vars(line)["kind"] == "replaced"
    for test in tests:
        assert not test.exception
        (error,) = [body for body in texts(test) if "class='error'" in body]
        assert "Restore the file" in error and "Shown" not in error
    references = [re.search(r"Log reference: ([0-9a-f]{6})\.", body) for test in tests for body in texts(test)]
    assert len({match[1] for match in references if match}) == 1


def test_a_page_that_fails_has_the_reference_of_its_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fail(*_arguments: object, **_options: object) -> None:
        seen.append(current_reference())
        raise KeyError("a mistake")

    monkeypatch.setattr("pages.parity.judgement_view", fail)
    first, second = (open_page("parity", {}) for _ in range(2))
    assert len(set(seen)) == 2 and all(seen)
    for test, reference in zip((first, second), seen, strict=True):
        assert test.exception
        (error,) = [body for body in texts(test) if "class='error'" in body]
        assert f"This page raised an exception. Log reference: {reference}." in error


def test_only_a_range_up_to_now_offers_a_refresh() -> None:
    past = {"from": ["2026-09-21T10:00Z"], "to": ["2026-09-21T11:00Z"]}
    for query, offered in (({}, True), (past, False)):
        page = open_page("live", query)
        assert any(box.key == "refresh_choice" for box in page.selectbox) is offered


def test_last_week_is_drawn_once_the_archive_has_it_and_requested_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    app, now = app_context.get_app_context(), utc_now()
    source, requested = app.source_names[0], set[Window]()

    def request(window: Window, name: str) -> None:
        if name == source:
            requested.add(window)

    monkeypatch.setattr(app.collector, "request_window", request)
    past = {name: [f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%MZ}"] for name, hours in (("from", 5), ("to", 4))}
    week = past | {"compare": ["week"]}
    assert "last week" not in chart_texts(open_page("live", past)) and not requested
    page = open_page("live", week)
    assert "last week" not in chart_texts(page)
    assert (refresh_s(page), refresh_s(open_page("live", past))) == (15, 0)
    assert [text for text in texts(page) if "Same time last week (" in text and "not in the archive yet" in text]
    (window,) = requested
    app.archive.metrics.fill(window, app.metric_source(source), now=now)
    requested.clear()
    page = open_page("live", week)
    assert chart_texts(page).count('"text":"last week"') == 4
    assert not [text for text in texts(page) if "Same time last week" in text] and not requested
    assert refresh_s(page) == 0


def refresh_s(test: AppTest) -> float:
    """The interval of the page's heartbeat."""
    beats = (json.loads(component.proto.json or "{}") for component in test.get("bidi_component"))
    return float(next(beat["every"] for beat in beats if "every" in beat))


def chart_texts(test: AppTest) -> str:
    return " ".join(chart.proto.bytes.decode() for chart in test.get("bidi_component") if chart.proto.bytes)


@pytest.mark.parametrize(("share", "is_shown"), [(99, False), (100, True)])
def test_live_states_whether_the_old_fleet_is_empty_once_the_new_one_has_all_traffic(
    share: int, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, now = app_context.get_app_context().archive.events, int(utc_now().timestamp())
    traffic = DemoTraffic(anchor=program_anchor()).traffic_at(now)
    weights = {"baseline": 100 - share, "canary": share}
    rules = tuple(
        replace(rule, shares=tuple(replace(item, weight=weights.pop(item.fleet, 0)) for item in rule.shares))
        if rule.arn == traffic.split_arn
        else rule
        for rule in traffic.rules
    )
    monkeypatch.setattr(events, "latest_traffic", lambda: (replace(traffic, rules=rules), now))
    shown = [text for text in texts(open_page("live", {})) if "class='drain" in text]
    assert bool(shown) == is_shown
    assert all(
        "Not safe to remove EC2. photo-ec2: " in text and "requests in the required time" in text for text in shown
    )


@pytest.mark.parametrize("page", ["live", "parity", "endpoints"])
@pytest.mark.parametrize("keep", ["", "100d"])
def test_what_is_not_kept_is_not_shown_as_no_data(page: str, keep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, now = app_context.get_app_context(), utc_now().replace(minute=0, second=0, microsecond=0)
    kept = replace(app, migration=app.migration.model_copy(update={"keep": keep}))
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: kept}))
    hour = Window.last(60, now=now)
    monkeypatch.setattr(Retention, "points_since", lambda self, _now_s: hour.end if self.points_s else 0)
    times = [f"{time:%Y-%m-%dT%H:%MZ}" for time in (hour.starts_at, hour.ends_at)]
    query = {} if page == "parity" else {"from": times[:1], "to": times[1:]}  # the current phase began hours ago
    sentences = [text for text in texts(open_page(page, query)) if "Not kept before" in text]
    assert len(sentences) == (1 if keep else 0)
    assert all("keep = &#34;100d&#34;" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("filling", "sentence"),
    [
        ((0, 0), "Backfilling archive: 0.0%. Figures below are incomplete."),
        ((30, 1440), "Backfilling archive: 2.1%. Figures below are incomplete."),
        (None, ""),
    ],
)
def test_the_retrospective_of_an_archive_that_is_being_filled_says_so_from_the_start(
    filling: tuple[int, int] | None, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.retrospective.filling_progress", lambda _app, _source: filling)
    shown = [item.proto.text for item in open_page("retrospective", {}).get("progress")]
    assert [text for text in shown if "Backfilling" in text] == [sentence] * bool(sentence)


@pytest.mark.parametrize("filling", [(1, 9), None])
def test_a_phase_that_is_not_archived_yet_has_no_verdict(
    filling: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, now = app_context.get_app_context(), utc_now()
    view = judgement_view(app, app.source_names[0], now=now)
    ended = replace(view, phase=replace(view.phase, outcome="advanced"))
    monkeypatch.setattr("pages.parity.judgement_view", lambda *_args, **_options: ended)
    monkeypatch.setattr("pages.parity.is_loading", lambda _app, _view: True)
    monkeypatch.setattr("pages.parity.filling_progress", lambda _app, _source: filling)
    assert any("being read for the first time" in text for text in texts(open_page("parity", {}))) is bool(filling)
