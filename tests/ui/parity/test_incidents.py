"""The incidents of a phase on a page: the decision above them, and the form that acknowledges one."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from services.decision import Circumstances
from services.incidents import acknowledgements
from tests.factories.app_context import NOW
from tests.factories.incidents import EARLIER, INCIDENT, evaluation_with
from tests.factories.log_details import AGENT, failed_requests
from ui import app_context
from ui.app_context import AppContext, AppContexts
from ui.decision import incident_url, incidents_table, reason_url
from ui.endpoints.details import incident_hints
from ui.retrospective import entries
from ui.retrospective.rate_limit import RateLimit


def _page() -> None:
    from services.decision import Circumstances
    from tests.factories.app_context import NOW
    from tests.factories.incidents import EARLIER, INCIDENT, evaluation_with
    from ui.app_context import get_app_context
    from ui.parity.incidents import incidents_section

    app = get_app_context()
    circumstances = Circumstances(notes=app.archive.notes.read())
    incidents_section(app, evaluation_with(EARLIER, INCIDENT, circumstances=circumstances), now=NOW)


def test_an_incident_is_acknowledged_by_a_note(
    build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = build_app()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders(())))
    monkeypatch.setattr(entries, "_of_archive", RateLimit(60))
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    page.button[0].click().run()
    assert app.archive.notes.read() == ()  # a note needs words
    page.text_input[0].set_value("A broken release")
    page.button[0].click().run()
    (note,) = app.archive.notes.read()
    assert (note.ts, note.title) == (INCIDENT.window.start, "A broken release")
    assert acknowledgements([EARLIER, INCIDENT], [note]) == {INCIDENT.id: note}
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert [option.rpartition(" ")[2] for option in page.selectbox[0].options] == [EARLIER.id]
    assert "A broken release" in " ".join(item.proto.body for item in page.get("html"))


def test_an_incident_of_one_fleet_says_where_to_look_first(
    build_app: Callable[..., AppContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the time of the incident, as far as its logs were counted: EARLIER has none."""
    app = build_app()
    monkeypatch.setattr(app_context, "_contexts", AppContexts({app.migration.slug: app}))
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=StreamlitHeaders(())))
    app.archive.access_logs.save_counts(
        [], failed_requests(INCIDENT.window.start, app.migration.fleets.canary.names[0])
    )
    (hinted,) = incident_hints(app, (EARLIER, INCIDENT))
    assert hinted == (INCIDENT, [f"user agent {AGENT}: 80.0% (40) of these, 10.0% of all"])
    assert incident_hints(app, (replace(INCIDENT, fleets=("baseline", "canary")),)) == []
    page = AppTest.from_function(_page, default_timeout=30).run()
    assert not page.exception
    body = " ".join(item.proto.body for item in page.get("html"))
    hint = "user agent &lt;b&gt;client&lt;/b&gt;: 80.0% (40) of these, 10.0% of all"
    assert body.count("Look here first") == 1 and hint in body and AGENT not in body


def test_reasons_link_to_what_says_more() -> None:
    evaluation = evaluation_with(
        INCIDENT, circumstances=Circumstances(regressed_routes=("/v1/feed",), sources_down=("cloudwatch",))
    )
    urls = [reason_url(reason, evaluation) for reason in evaluation.decision.reasons]
    assert urls[0].startswith("/endpoints?route=%2Fv1%2Ffeed&from=") and urls[1] == incident_url(INCIDENT)
    assert urls[1] == "/?from=2026-11-22T09%3A30Z&to=2026-11-22T10%3A35Z"
    assert urls[2] == "/#sources"


def test_without_incidents_there_is_no_table() -> None:
    assert incidents_table(evaluation_with(), now=NOW) == ""
