"""Requests of probes against a web site on loopback: limits of size and time, encodings, and redirects that are not followed."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from domain.probe import Answer
from sources.probe import MIN_INTERVAL_S, ProbeClient, ProbeRequest
from tests.fakes.probed_site import ProbedSite


@pytest.fixture
def site() -> Iterator[ProbedSite]:
    with ProbedSite() as site:
        yield site


def send(site: ProbedSite, path: str, method: str = "GET", **options: float) -> Answer:
    client = ProbeClient(sleep=lambda _: None, **options)  # type: ignore[arg-type]
    port = urlsplit(site.url).port or 0
    return client.send(ProbeRequest(method, "127.0.0.1", port, "photo.example.com", path, tls=False))


def test_an_answer_is_decoded(site: ProbedSite) -> None:
    answer = send(site, "/html")
    assert (answer.status, answer.error, answer.header("content-type")) == (200, "", "text/html; charset=utf-8")
    assert answer.body.startswith(b"<!doctype html>")
    assert site.requests == [("GET", "/html", f"photo.example.com:{urlsplit(site.url).port}")]


def test_head_has_no_body(site: ProbedSite) -> None:
    assert send(site, "/json", "HEAD").body == b""
    assert site.requests[0][0] == "HEAD"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get", "GET /"])
def test_nothing_but_get_and_head_is_sent(site: ProbedSite, method: str) -> None:
    with pytest.raises(ValueError, match="never sends"):
        send(site, "/html", method)
    assert site.requests == []


def test_a_redirect_is_not_followed(site: ProbedSite) -> None:
    with ProbedSite() as elsewhere:
        for where in ("/html", f"{elsewhere.url}/html", elsewhere.url.removeprefix("http:")):
            site.away_to = where
            answer = send(site, "/away")
            assert (answer.status, answer.header("location")) == (302, where)
        assert elsewhere.requests == []
    assert [path for _, path, _ in site.requests] == ["/away"] * 3


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/bomb", "too_large"),
        ("/large", "too_large"),
        ("/stream", "too_large"),
        ("/cut", "bad_reply"),
        ("/broken-gzip", "bad_reply"),
    ],
)
def test_answers_that_cannot_be_read(site: ProbedSite, path: str, error: str) -> None:
    assert send(site, path).error == error


@pytest.mark.parametrize("path", ["/endless", "/endless-head", "/slow", "/slow-head"])
def test_an_endless_answer_ends_at_the_deadline(site: ProbedSite, path: str) -> None:
    assert send(site, path, deadline_s=0.3).error == "timeout"


def test_a_server_that_does_not_listen() -> None:
    answer = ProbeClient().send(ProbeRequest("GET", "127.0.0.1", 1, "a", "/", tls=False))
    assert (answer.status, answer.error) == (0, "unreachable")


def test_a_server_without_tls(site: ProbedSite) -> None:
    port = urlsplit(site.url).port or 0
    assert ProbeClient(deadline_s=0.5).send(ProbeRequest("GET", "127.0.0.1", port, "a", "/", tls=True)).error in (
        "tls",
        "timeout",
    )


def test_at_most_two_requests_a_second(site: ProbedSite) -> None:
    pauses: list[float] = []
    client = ProbeClient(sleep=pauses.append)
    request = ProbeRequest("GET", "127.0.0.1", urlsplit(site.url).port or 0, "a", "/image", tls=False)
    for _ in range(3):
        client.send(request)
    assert len(pauses) == 2
    assert all(0 < pause <= MIN_INTERVAL_S for pause in pauses)
