"""Amazon SNS, in the custom schema of Amazon Q Developer in chat applications, which silently drops everything else.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json
from typing import Any

from channels.base import NO_REPLY, Delivery, Notice
from domain import Aws
from sources.aws.client import AWS_ERRORS, call_api, create_client, problem_from_error
from sources.base import Problem, ProblemKind

MAX_TITLE_CHARS, MAX_DESCRIPTION_CHARS = 250, 8000
_FINAL: frozenset[ProblemKind] = frozenset({"bad_request"})


def build_message(notice: Notice) -> dict[str, Any]:
    description = "\n".join((*map(_plain, notice.details), f"[{_plain(notice.name)}]({notice.link})"))
    return {
        "version": "1.0",
        "source": "custom",
        "id": notice.key,
        "content": {
            "textType": "client-markdown",
            "title": _plain(notice.title)[:MAX_TITLE_CHARS],
            "description": description[:MAX_DESCRIPTION_CHARS],
        },
        "metadata": {
            "threadId": notice.thread,
            "summary": f"{notice.name}: {notice.title}"[:MAX_TITLE_CHARS],
            "eventType": notice.kind,
            "additionalContext": {"migration": notice.migration, "value": notice.value},
        },
    }


def _plain(text: str) -> str:
    """A text without the characters that make a link, a mention or a code in the chat's Markdown."""
    return text.translate(str.maketrans("<>[]`", "‹›()'"))


class SnsChannel:
    """A FIFO topic drops what is sent again within five minutes, a standard one does not."""

    name = "sns"
    drops_repeats = False  # a message may be sent again later than that

    def __init__(self, topic: str, aws: Aws) -> None:
        """`aws`: with the region of the topic."""
        self._topic, self._aws = topic, aws
        self._client: Any = None

    def check(self) -> Problem | None:
        return None  # sns:Publish cannot be tried without sending

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        fifo = {"MessageGroupId": notice.migration, "MessageDeduplicationId": notice.key}
        options = fifo if self._topic.endswith(".fifo") else {}
        try:
            self._client = self._client or create_client("sns", self._aws, max_attempts=1)
            message = json.dumps(build_message(notice), ensure_ascii=False)
            call_api(self._client.publish, TopicArn=self._topic, Message=message, **options)
        except AWS_ERRORS as error:
            problem = problem_from_error(error, source=self.name, operation="sns:Publish", about=self._topic)
            may_have_arrived = problem.kind in NO_REPLY or problem.kind == "server_error"
            return Delivery(problem, problem.kind in _FINAL, may_have_arrived=may_have_arrived)
        return Delivery()
