"""Streamlit's agent API: programs that read and drive the pages without a browser. docs/agents.md describes it.

It is behind the token (ui.server.token_guard), and off unless the environment has AGENT_API=1.
"""

from collections.abc import Mapping

from streamlit import config

OPTION = "server.enableAgentApi"


def enable_agent_api(environment: Mapping[str, str]) -> bool:
    """Turns it on or off, whatever Streamlit's own configuration says; whether it is on. Call it before the routes are made."""
    is_on = environment.get("AGENT_API", "").strip() == "1"
    config.set_option(OPTION, is_on, "AGENT_API")
    return is_on
