"""Ending a script whose page was closed."""

from types import SimpleNamespace

import pytest
from streamlit.runtime.scriptrunner import StopException

from ui import controls


@pytest.mark.parametrize("is_active", [True, False])
def test_a_script_ends_only_if_its_page_was_closed(monkeypatch: pytest.MonkeyPatch, is_active: bool) -> None:
    server = SimpleNamespace(is_active_session=lambda session_id: is_active and session_id == "a")
    monkeypatch.setattr(controls, "get_script_run_ctx", lambda: SimpleNamespace(session_id="a"))
    monkeypatch.setattr(controls.runtime, "exists", lambda: True)
    monkeypatch.setattr(controls.runtime, "get_instance", lambda: server)
    if is_active:
        controls.page_checkpoint()()
    else:
        with pytest.raises(StopException):
            controls.page_checkpoint()()


def test_without_a_server_a_script_goes_on() -> None:
    controls.page_checkpoint()()
