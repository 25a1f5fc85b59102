"""Streamlit's agent API on the real server: off by default, behind the token, and every page is text."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from messages.decision import WORDS
from messages.frame import PAGE_HELP
from tests.factories.dashboard_server import run_dashboard
from tests.factories.gate_server import GateReply, GateServer, run_gate

INTERACT, MCP, OPENAPI = (f"/_stcore/agent/{name}" for name in ("interact", "mcp", "openapi.json"))
TOKEN = {"Authorization": "Bearer correct-horse"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    """The demo, when its decision has data."""
    environment = {"MIGRATION_DEMO": "1", "AGENT_API": "1", "GATE_TOKEN": "correct-horse"}
    with run_dashboard(tmp_path_factory.mktemp("agents"), environment) as server:
        gate, deadline = GateServer(server, None), time.monotonic() + 60  # type: ignore[arg-type]
        while decision_of(gate) in ("", "no_data") and time.monotonic() < deadline:
            time.sleep(0.2)
        yield gate


def decision_of(server: GateServer) -> str:
    return str(server.ask(headers=TOKEN).json.get("decision", ""))


def post(server: GateServer, path: str, content: dict[str, Any], **headers: str) -> GateReply:
    return server.ask(path, method="POST", body=json.dumps(content).encode(), headers={**JSON, **headers})


def read_page(server: GateServer, page: str = "", **content: Any) -> dict[str, Any]:
    reply = post(server, INTERACT, {"page": page, **content}, **TOKEN)
    assert (reply.status, reply.json["status"]) == (200, "ready")
    return reply.json


def elements(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("children", ()):
        yield from elements(child)


def html_of(page: dict[str, Any]) -> str:
    return "\n".join(item["props"]["body"] for item in elements(page["tree"]) if item["type"] == "html")


def test_it_is_off_whatever_streamlits_own_configuration_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = {"STREAMLIT_SERVER_ENABLE_AGENT_API": "true"}
    with run_gate(tmp_path_factory.mktemp("off"), environment) as server:
        for reply in (post(server, INTERACT, {}), post(server, MCP, {}), server.ask(OPENAPI)):
            assert reply.status == 403
            assert reply.body.decode().startswith(
                "The agent API is off. To turn it on, start the dashboard with AGENT_API=1"
            )


@pytest.mark.parametrize("path", [INTERACT, MCP, OPENAPI])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"X-Forwarded-For": "127.0.0.1"}])
def test_without_the_token_nothing_is_said(server: GateServer, path: str, headers: dict[str, str]) -> None:
    reply = post(server, path, {}, **headers) if path != OPENAPI else server.ask(path, headers=headers)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Bearer realm="dashboard"')
    assert reply.body.decode().startswith("Missing or wrong token.")


def test_with_the_token_live_has_the_hero_and_its_charts_as_text(server: GateServer) -> None:
    page = read_page(server)
    hero = re.search(
        r"<section class='hero (\w+)'.*?role='status'><b><span[^>]*>.</span> ([A-Z ]+)</b> <span>([^<]+)", html_of(page)
    )
    assert hero and str(WORDS[hero[1]]) == hero[2], "the decision"  # type: ignore[index]
    assert len(hero[3]) > 10, "and what it is about"
    found = list(elements(page["tree"]))
    texts = [item["props"]["body"] for item in found if item["type"] == "text"]
    assert texts[0].startswith("Data through ")
    assert [text.partition(". ")[0] for text in texts if ". " in text][:4] == [
        "Error rate",
        "Latency p95",
        "Slow responses > 300 ms",
        "Requests per minute",
    ]
    tables = [item["data"] for item in found if item["type"] == "dataframe"]
    assert [column["name"] for column in tables[0]["columns"]][:4] == ["Time", "EC2 (%)", "ECS (%)", "ECS − EC2 (pp)"]
    assert all(table["row_count"] > 60 and table["preview"]["rows"] for table in tables) and len(tables) >= 4
    assert not [item for item in found if item["type"].startswith("components") and "chart" in item.get("key", "")]


def test_a_page_says_what_it_answers_and_a_widget_what_it_does(server: GateServer) -> None:
    page = read_page(server)
    assert {item["url_path"]: item["help"] for item in page["pages"]} == {
        path: str(text) for path, text in PAGE_HELP.items() if path not in ("board", "releases", "setup")
    }
    (earlier,) = (item for item in elements(page["tree"]) if item.get("key") == "earlier")
    assert earlier["props"]["help"] == "Earlier"


@pytest.mark.parametrize(
    ("page", "content"),
    [
        ("parity", "<caption class='spoken'>Parity</caption>"),
        ("endpoints", "Endpoints – Photo service (demo)"),
        ("batches", "Batches – Photo service (demo)"),
        ("retrospective", "Retrospective – Photo service (demo)"),
    ],
)
def test_every_page_can_be_read(server: GateServer, page: str, content: str) -> None:
    found = read_page(server, page)
    assert content in html_of(found)
    drawn = [item for item in elements(found["tree"]) if item.get("props", {}).get("component_name") == "overlay_chart"]
    assert drawn == []


def test_an_agent_sets_widgets_and_parameters(server: GateServer) -> None:
    first = read_page(server, query_params={"window": ["30m"]})
    (window,) = (item for item in elements(first["tree"]) if item.get("key") == "window_choice")
    assert window["value"] == "30m"
    second = post(
        server, INTERACT, {"session_id": first["session_id"], "widget_state": {"window_choice": "12h"}}, **TOKEN
    )
    assert second.json["query_params"]["window"] in ("12h", ["12h"])


def test_it_is_an_mcp_server_whose_sessions_are_viewers(server: GateServer) -> None:
    reply = post(server, MCP, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}, **TOKEN)
    assert {tool["name"] for tool in reply.json["result"]["tools"]} == {"interact", "get_data"}
    read_page(server)
    metrics = server.ask("/metrics", headers=TOKEN).body.decode()
    assert not re.search(r"(?m)^migration_viewers 0", metrics) and "\nmigration_viewers " in metrics
    assert server.ask(OPENAPI, headers=TOKEN).json["info"]["x-streamlit-agent-api"] == "available"
