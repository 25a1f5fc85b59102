"""[server]: who may open the pages."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from domain.config.base import ConfigTable
from domain.config.errors import config_error
from domain.hosts import normalize_host

StreamlitEndpoint = Literal["agent", "metrics", "upload"]


def _normalized(text: str) -> str:
    host = normalize_host(text)
    if host is None:
        raise config_error("not_a_host", given=text)
    return host


class ServerSettings(ConfigTable):
    """`allowed_hosts`: the hosts of the pages' URLs besides loopback, normalized. `expose`: Streamlit's endpoints that are refused otherwise.

    `protected`: something in front restricts access, so the pages do not warn.
    """

    allowed_hosts: tuple[Annotated[str, AfterValidator(_normalized)], ...] = ()
    expose: tuple[StreamlitEndpoint, ...] = ()
    protected: bool = False
