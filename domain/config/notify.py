"""[notify]: where changes are announced. Secrets are in environment variables, whose names are configured."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from domain.config.base import ConfigTable, matches
from domain.config.errors import config_error

ChannelName = Literal["slack", "webhook", "sns", "mackerel_annotations"]


def _variable(name: str) -> str:
    if not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]{0,99})?", name):
        raise config_error("not_a_variable")  # without the text: it may be the secret
    return name


def _dashboard_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or re.search(r"[\s<>|\"?#@]", url) or len(url) > 500:
        raise config_error("not_a_dashboard_url", given=url)
    return url.rstrip("/")


VariableName = Annotated[str, AfterValidator(_variable)]
_SNS_TOPIC = r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?)?"


class Notify(ConfigTable):
    """`dashboard_url`: of links. `language`: of the messages; "": that of the process. `allow_private`: webhooks may be in a private network.

    `slack`, `webhook`, `webhook_secret`, `mackerel_key`: the names of environment variables. `mackerel_service`: "" for that of [mackerel].
    """

    dashboard_url: Annotated[str, AfterValidator(_dashboard_url)]
    language: Literal["", "en", "ja"] = ""
    slack: VariableName = ""
    webhook: VariableName = ""
    webhook_secret: VariableName = ""
    sns_topic: Annotated[str, matches(_SNS_TOPIC, "not_a_topic")] = ""
    mackerel_key: VariableName = ""
    mackerel_service: str = ""
    mackerel_metrics: bool = False
    allow_private: bool = False

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        if not self.channels:
            raise config_error("no_channel")
        if bool(self.webhook) != bool(self.webhook_secret):
            raise config_error("webhook_without_secret")
        if self.mackerel_metrics and not self.mackerel_key:
            raise config_error("metrics_without_key")
        return self

    @property
    def channels(self) -> tuple[ChannelName, ...]:
        """Those that are configured, in a fixed order."""
        given: dict[ChannelName, str] = {
            "slack": self.slack,
            "webhook": self.webhook or self.webhook_secret,
            "sns": self.sns_topic,
            "mackerel_annotations": self.mackerel_key,
        }
        return tuple(name for name, value in given.items() if value)

    @property
    def topic_region(self) -> str:
        return self.sns_topic.split(":")[3] if self.sns_topic else ""
