"""A webhook to a server of your own, signed as Standard Webhooks specifies (https://www.standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from channels.base import Delivery, Notice
from channels.http import WebhookAddress
from domain.redaction import register_secret
from sources.base import Problem

MIN_SECRET_BYTES = 16
PREFIX = "whsec_"  # before a secret in base64


def secret_bytes(text: str) -> bytes:
    """The key of the signature; empty if it is too short or no base64 after the prefix."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else text.encode()
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) >= MIN_SECRET_BYTES else b""


def signed_headers(key: str, body: bytes, secret: bytes, *, now: int) -> dict[str, str]:
    """The headers of a request at `now` (epoch seconds). The receiver drops what it has had by `webhook-id`, and what is older than minutes."""
    content = b".".join((key.encode(), str(now).encode(), body))
    signature = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }


def build_body(notice: Notice) -> bytes:
    fields = asdict(notice)
    at = f"{datetime.fromtimestamp(fields.pop('at'), UTC):%Y-%m-%dT%H:%M:%SZ}"
    data = {name: fields[name] for name in ("migration", "name", "title", "details", "link", "thread", "value")}
    return json.dumps({"type": f"migration.{notice.kind}", "timestamp": at, "data": data}, ensure_ascii=False).encode()


class WebhookChannel:
    name = "webhook"
    drops_repeats = True  # the receiver does, by `webhook-id`

    def __init__(
        self,
        address: WebhookAddress,
        variable: str,
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`variable`: the name of the one with the secret."""
        text = environment.get(variable, "").strip()
        register_secret(text)
        self._address, self._variable, self._secret, self._clock = address, variable, secret_bytes(text), clock

    def check(self) -> Problem | None:
        if not self._secret:
            return Problem("no_secret", self.name, "POST", self._variable)
        return self._address.check()

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        """Any 2xx is success, whatever the body."""
        if problem := self.check():
            return Delivery(problem)
        body = build_body(notice)
        headers = signed_headers(notice.key, body, self._secret, now=int(self._clock()))
        return self._address.delivery(self._address.post(body, headers, with_text=False))
