"""An incoming webhook of Slack.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import json
from typing import Any

from channels.base import Delivery, Notice
from channels.http import Reply, WebhookAddress
from sources.base import Problem

MAX_SECTION_CHARS = 3000  # a longer text is refused with 400
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    """A text in which Slack finds no link, mention or channel."""
    return text.translate(_ESCAPES)


def build_message(notice: Notice) -> dict[str, Any]:
    """`text` is what Slack's own notifications show. The blocks are plain text, so that Slack formats nothing in them, but for the link."""
    text = "\n".join((notice.title, *notice.details))
    return {
        "text": escape(f"{notice.name}: {notice.title}")[:MAX_SECTION_CHARS],
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": text[:MAX_SECTION_CHARS], "emoji": False}},
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": f"<{escape(notice.link)}|{_label(notice.name)}>"}],
            },
        ],
        "unfurl_links": False,
    }


def _label(name: str) -> str:
    """The text of a link, which ends at the first "|" or ">"."""
    return escape(name.replace("|", "/"))[:200]


class SlackChannel:
    """Slack answers "ok", or the name of an error. It drops no message that is sent again: a repeat shows twice."""

    name = "slack"
    drops_repeats = False

    def __init__(self, address: WebhookAddress) -> None:
        self._address = address

    def check(self) -> Problem | None:
        return self._address.check()

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        body = json.dumps(build_message(notice)).encode()
        reply = self._address.post(body, {"Content-Type": "application/json"}, with_text=True)
        delivery = self._address.delivery(reply)
        if isinstance(reply, Reply) and delivery.problem is None and reply.text.strip() != "ok":
            return self._address.bad_reply(reply)
        return delivery
