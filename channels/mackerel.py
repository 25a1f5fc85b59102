"""Mackerel: a graph annotation for each notice, and if configured, service metrics of the decision and the canary's share."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from channels.base import DEADLINE_S, FINAL_STATUSES, TIMEOUT_S, Delivery, Notice
from domain.redaction import register_secret
from sources.base import Problem
from sources.mackerel.client import BASE_URL
from sources.mackerel.protocol import problem_kind, retry_after_s
from sources.transport import ReplyLimits, create_session, failure_kind, limits, read_body

ANNOTATIONS = "/api/v0/graph-annotations"
MAX_TITLE_CHARS, MAX_DESCRIPTION_CHARS = 250, 1024
MAX_REPLY_BYTES = 1 << 20  # the annotations of one second

Metric = tuple[str, int, float]  # name, epoch seconds, value


def build_annotation(notice: Notice, service: str) -> dict[str, Any]:
    """The description ends with the link and the notice's key, by which it is found again."""
    end = f"\n{notice.link}\n#{notice.key}"
    details = "\n".join(notice.details)[: MAX_DESCRIPTION_CHARS - len(end)]
    return {
        "title": notice.title[:MAX_TITLE_CHARS],
        "description": f"{details}{end}".strip(),
        "from": notice.at,
        "to": notice.at,
        "service": service,
    }


class MackerelWriter:
    """Writes to one service with a key of its own, which needs Write permission."""

    name = "mackerel_annotations"
    drops_repeats = True

    def __init__(self, variable: str, service: str, *, environment: Mapping[str, str] = os.environ) -> None:
        self._variable, self._service = variable, service
        self._key = environment.get(variable, "").strip()
        self._base_url = (environment.get("MACKEREL_APIBASE", "") or BASE_URL).strip().rstrip("/")
        register_secret(self._key)
        self._session = create_session()

    def check(self) -> Problem | None:
        return None if self._key else Problem("no_secret", self.name, "POST", self._variable)

    def send(self, notice: Notice, *, is_repeat: bool) -> Delivery:
        """Before a repeat, looks whether the annotation is there: Mackerel has one for each request."""
        if is_repeat:
            query = {"service": self._service, "from": notice.at, "to": notice.at}
            found = self._request("GET", ANNOTATIONS, params=query)
            if isinstance(found, Delivery):
                return found
            if f"#{notice.key}" in found:
                return Delivery()
        reply = self._request("POST", ANNOTATIONS, json=build_annotation(notice, self._service))
        return reply if isinstance(reply, Delivery) else Delivery()

    def post_metrics(self, metrics: Sequence[Metric]) -> Delivery:
        """Posts service metrics. Twice is the same as once: Mackerel keeps one value for a name and a minute."""
        body = [{"name": name, "time": at, "value": value} for name, at, value in metrics]
        reply = self._request("POST", f"/api/v0/services/{self._service}/tsdb", json=body)
        return reply if isinstance(reply, Delivery) else Delivery()

    def _request(self, method: str, path: str, **options: Any) -> str | Delivery:
        """The body of the reply, or why there is none."""
        if problem := self.check():
            return Delivery(problem)
        operation = f"{method} {path}"
        try:
            with limits(ReplyLimits(DEADLINE_S, MAX_REPLY_BYTES)):
                reply = self._session.request(
                    method,
                    f"{self._base_url}{path}",
                    headers={"X-Api-Key": self._key},
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                    **options,
                )
                text = read_body(reply).decode(errors="replace")
        except (requests.RequestException, ValueError) as error:
            return Delivery(Problem(failure_kind(error), self.name, operation, "", str(error)), may_have_arrived=True)
        kind = problem_kind(reply.status_code)
        if kind is None and _is_json(text):
            return text
        detail = f"{reply.status_code} {text[:200]}".strip()
        about = self._variable if kind in ("denied", "wrong_key") else self._service
        problem, status = Problem(kind or "bad_reply", self.name, operation, about, detail), reply.status_code
        return Delivery(problem, status in FINAL_STATUSES, retry_after_s(reply.headers), status >= 500)


def _is_json(text: str) -> bool:
    """Whether it is Mackerel that has answered, and not a proxy's page."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
