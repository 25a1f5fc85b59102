"""Reads the current state of a workspace of HCP Terraform (Terraform Cloud) or Terraform Enterprise.

API: https://developer.hashicorp.com/terraform/cloud-docs/api-docs: "Show Workspace" and "Fetch the Current State Version for a Workspace", whose attribute
hosted-state-download-url has the state. Tokens are found as Terraform and go-tfe find them.
"""

import json
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from domain.redaction import register_secret
from sources.infrastructure.base import InfrastructureError, InfrastructureIssue
from sources.infrastructure.state_http import StateSession, http_error, read_chunks
from sources.infrastructure.state_location import Workspace

DEFAULT_HOST = "app.terraform.io"
_MAX_DOCUMENT_BYTES = 4 << 20  # of a reply that is not a state


def open_workspace(workspace: Workspace, environment: Mapping[str, str]) -> Generator[bytes, None, None]:
    """The current state of a workspace in chunks. Raises InfrastructureError."""
    session = StateSession(workspace.base_url, f"Bearer {_token(workspace, environment)}")
    api = f"{workspace.base_url}/api/v2"
    try:
        organization, name = quote(workspace.organization, safe=""), quote(workspace.name, safe="")
        workspace_id = _get(session, f"{api}/organizations/{organization}/workspaces/{name}", "id")
        version_url = f"{api}/workspaces/{quote(workspace_id, safe='')}/current-state-version"
        url = urljoin(version_url, _get(session, version_url, "attributes", "hosted-state-download-url"))
        yield from read_chunks(session.get(url), url)
    finally:
        session.close()


def token_variables(host: str) -> tuple[str, str]:
    """The environment variables that may have the token for a host: a hyphen is written twice as an underscore, or kept."""
    name = host.replace(".", "_")
    return f"TF_TOKEN_{name.replace('-', '__')}", f"TF_TOKEN_{name}"


def _token(workspace: Workspace, environment: Mapping[str, str]) -> str:
    """TF_TOKEN_<host>; else TFE_TOKEN, but for its own host only: an ecspresso configuration must not send it elsewhere."""
    host = urlsplit(workspace.base_url).hostname or ""
    address = environment.get("TFE_HOSTNAME") or urlsplit(environment.get("TFE_ADDRESS", "")).hostname or DEFAULT_HOST
    names = (*token_variables(host), *(("TFE_TOKEN",) if host == address.lower() else ()))
    token = next((environment[name].strip() for name in names if environment.get(name, "").strip()), "")
    if not token or not token.isascii() or not token.isprintable():
        params = {"host": host, "variable": names[0]}
        raise InfrastructureError(InfrastructureIssue("no_token", workspace.base_url, params=params))
    register_secret(token)
    return token


def _get(session: StateSession, url: str, *keys: str) -> str:
    """A text in the data of a reply. Raises InfrastructureError."""
    content = bytearray()
    for chunk in read_chunks(session.get(url), url):
        content += chunk
        if len(content) > _MAX_DOCUMENT_BYTES:
            raise http_error("bad_reply", url, "too large")
    try:
        value: Any = json.loads(content)["data"]
        for key in keys:
            value = value[key]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise http_error("bad_reply", url) from None
    if not isinstance(value, str) or not value:
        raise http_error("bad_reply", url, f"no {keys[-1]}")
    return value
