"""[server]: who may open the pages."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from domain.config.base import ConfigTable
from domain.config.errors import config_error
from domain.hosts import normalize_host

StreamlitEndpoint = Literal["metrics", "upload"]


def _normalized(text: str) -> str:
    host = normalize_host(text)
    if host is None:
        raise config_error("not_a_host", given=text)
    return host


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{0,100}", text):
        raise config_error("not_a_header", given=text)
    return text


class ServerSettings(ConfigTable):
    """`allowed_hosts`: the hosts of the pages' URLs besides loopback, normalized. `expose`: Streamlit's endpoints that are refused otherwise.

    `protected`: something in front restricts access, so the pages do not warn. `author_header`: where it sends the name of the visitor.
    """

    allowed_hosts: tuple[Annotated[str, AfterValidator(_normalized)], ...] = ()
    expose: tuple[StreamlitEndpoint, ...] = ()
    protected: bool = False
    author_header: Annotated[str, AfterValidator(_header)] = ""
