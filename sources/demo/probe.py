"""The demo's answers to probes: a page with times and ids, JSON in which one field has another type on ECS, and an image."""

import json
import random
from dataclasses import replace

from domain import Traffic
from domain.probe import Answer
from sources.probe import ProbeRequest

DNS_NAME = "photo.example.com"
ADDRESS = "192.0.2.10"
_HEADERS = (("server", "nginx"), ("cache-control", "private, max-age=0"))


def demo_resolve(_host: str) -> frozenset[str]:
    return frozenset((ADDRESS,))


def before_the_split(traffic: Traffic) -> Traffic:
    """With all weight on EC2: while both fleets have weight, EC2 has no header rule that leads to it alone."""
    rules = tuple(
        replace(
            rule,
            shares=tuple(replace(share, weight=100 if share.fleet == "baseline" else 0) for share in rule.shares),
        )
        if rule.arn == traffic.split_arn
        else rule
        for rule in traffic.rules
    )
    return replace(traffic, rules=rules)


class DemoProbeClient:
    """Sends nothing."""

    def __init__(self) -> None:
        self._random = random.Random(1)

    def send(self, request: ProbeRequest) -> Answer:
        is_canary = any(name == "X-Canary" for name, _ in request.headers)
        token = f"{self._random.getrandbits(128):032x}"
        seconds = (0.052 if is_canary else 0.061) * self._random.lognormvariate(0, 0.15)
        request_id = ("x-request-id", token)
        if request.path.startswith("/api/"):
            photo = {"id": 1207, "views": "48213" if is_canary else 48213, "etag": token[:8], "tags": ["sea", "night"]}
            headers = (*_HEADERS, request_id, ("content-type", "application/json"))
            return Answer(200, headers, json.dumps(photo).encode(), seconds)
        body = f"<!doctype html><title>Photos</title><form><input name=csrf value={token}></form><p>1,204 photos</p>"
        content = ("content-type", "text/html; charset=utf-8")
        return Answer(200, (*_HEADERS, request_id, content), body.encode(), seconds)
