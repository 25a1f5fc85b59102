"""One request on the Endpoints page: what a client wrote into the log line, or into the URL, is text."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st

from domain.trace_ids import TraceId
from services.trace import TraceLookups
from sources.access_logs.base import LocalLogs
from tests.factories.access_log_lines import access_log_line
from tests.factories.app_context import NOW
from tests.factories.html import ParsedHtml
from ui.app_context import AppContext
from ui.endpoints import trace

SENT = NOW - timedelta(hours=3)
ID = TraceId(f"1-{int(SENT.timestamp()):08x}-36d228ad5d99923122bbe354")
EVIL = "<x-evil>"
TIME = f"{SENT:%Y-%m-%dT%H:%M:%S}.000000Z"


@pytest.fixture
def show(
    build_app: Callable[..., AppContext], rendered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ParsedHtml]:
    """The page for what was written as `?trace=`. The request's line has markup in each text that a client chooses."""
    fields = f'"Root={ID.text}" "{EVIL}" "-" 0 {TIME} "forward" "-" "{EVIL}" "10.0.1.7:8080" "200" "-" "-"'
    line = access_log_line(
        time=TIME, request=f"GET https://{EVIL}:443/{EVIL} HTTP/2.0", agent=EVIL, trailing_fields=fields
    )
    logs = tmp_path / "logs"
    logs.mkdir()
    end = f"{SENT + timedelta(minutes=5):%Y%m%dT%H%MZ}"
    name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end}_10.0.1.10_3c8d6a1b.log"
    (logs / name).write_text(line, encoding="utf-8")
    for part in ("text_input", "button"):
        monkeypatch.setattr(st, part, lambda *_args, **_options: None)
    monkeypatch.setattr(trace, "heartbeat", lambda *_args, **_options: None)
    monkeypatch.setattr(trace, "search_input", lambda *_args, **_options: None)
    app = build_app()
    lookups = TraceLookups(LocalLogs(logs), app.migration)

    def page(written: str) -> ParsedHtml:
        rendered.clear()
        if written == ID.text:
            lookups.result(ID, now=NOW)
            lookups.wait()
        trace.trace_page(app, lookups, written, now=NOW)
        return ParsedHtml(" ".join(rendered))

    return page


def test_markup_in_a_line_is_text(show: Callable[[str], ParsedHtml]) -> None:
    page = show(ID.text)
    assert f"/{EVIL}" in page.text
    assert "x-evil" not in page.tags


def test_a_script_as_an_id_is_not_shown(show: Callable[[str], ParsedHtml]) -> None:
    page = show("<script>alert(1)</script>")
    assert "script" not in page.tags
    assert "Not a trace id." in page.text
