"""The channels of a migration."""

import os
from collections.abc import Mapping

from channels.base import Channel
from channels.http import WebhookAddress
from channels.mackerel import MackerelWriter
from channels.slack import SlackChannel
from channels.sns import SnsChannel
from channels.webhook import WebhookChannel
from domain import Migration


def create_channels(migration: Migration, environment: Mapping[str, str] = os.environ) -> tuple[Channel, ...]:
    """Those of [notify]. Sends no request."""
    notify, channels = migration.notify, list[Channel]()
    if notify is None:
        return ()
    if notify.slack:
        channels.append(SlackChannel(_address("slack", notify.slack, migration, environment)))
    if notify.webhook:
        address = _address("webhook", notify.webhook, migration, environment)
        channels.append(WebhookChannel(address, notify.webhook_secret, environment=environment))
    if notify.sns_topic and migration.aws:
        aws = migration.aws.model_copy(update={"region": notify.topic_region})
        channels.append(SnsChannel(notify.sns_topic, aws))
    if notify.mackerel_key:
        channels.append(mackerel_writer(migration, environment))
    return tuple(channels)


def mackerel_writer(migration: Migration, environment: Mapping[str, str] = os.environ) -> MackerelWriter:
    """Raises ValueError if [notify] has no key of Mackerel."""
    if migration.notify is None or not migration.notify.mackerel_key:
        raise ValueError("no mackerel_key")
    return MackerelWriter(migration.notify.mackerel_key, migration.annotated_service, environment=environment)


def _address(channel: str, variable: str, migration: Migration, environment: Mapping[str, str]) -> WebhookAddress:
    allow_private = bool(migration.notify and migration.notify.allow_private)
    return WebhookAddress(channel, variable, allow_private=allow_private, environment=environment)
