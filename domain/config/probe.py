"""[[probe]]: a request that is sent to both fleets through the load balancer, when a person asks for it."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from domain.config.base import ConfigTable, matches
from domain.config.errors import config_error

# These decide about the connection, or which host answers.
_FORBIDDEN_HEADERS = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "accept-encoding")
)


class Probe(ConfigTable):
    """Only GET and HEAD exist. `header`: "Name: value" that the header rule asks for; "": that of the rule. `expect`: the status, 0: any.

    `host`: one of the listener's rules; "": that of the rule, or the load balancer's DNS name. `requests`: to each fleet.
    """

    method: Literal["GET", "HEAD"] = "GET"
    path: Annotated[str, matches(r"/[!-\"$-~]{0,2000}", "not_a_path")]
    header: Annotated[str, matches(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}: ?[ -~]{1,1000})?", "not_a_probe_header")] = ""
    host: Annotated[str, matches(r"([A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{0,63}", "not_a_probe_host")] = ""
    expect: Annotated[int, Field(ge=0, le=599)] = 0
    requests: Annotated[int, Field(ge=2, le=20)] = 5

    @field_validator("header")
    @classmethod
    def _check_header(cls, text: str) -> str:
        if text.partition(":")[0].lower() in _FORBIDDEN_HEADERS:
            raise config_error("not_a_probe_header", given=text)
        return text

    @property
    def header_pair(self) -> tuple[str, str]:
        name, _, value = self.header.partition(":")
        return name, value.strip()
