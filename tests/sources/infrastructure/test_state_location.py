"""The forms in which a state may be named."""

from pathlib import Path

import pytest

from sources.infrastructure.base import InfrastructureError, InfrastructureIssue
from sources.infrastructure.state_location import (
    S3Object,
    StateLocation,
    StateUrl,
    Workspace,
    display_location,
    parse_location,
)

CLOUD = "https://app.terraform.io"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("terraform.tfstate", Path("terraform.tfstate")),
        ("file:///srv/a%20b.tfstate", Path("/srv/a b.tfstate")),
        ("s3://states/photo/terraform.tfstate", S3Object("states", "photo/terraform.tfstate")),
        ("S3://states/a?b#c@d", S3Object("states", "a?b#c@d")),
        (f"{CLOUD}/app/acme/workspaces/photo", Workspace(CLOUD, "acme", "photo")),
        (f"{CLOUD}/app/acme/workspaces/photo/states?page=1", Workspace(CLOUD, "acme", "photo")),
        ("remote://app.terraform.io/acme/photo", Workspace(CLOUD, "acme", "photo")),
        ("https://tfe.example.com:8443/app/a/workspaces/b", Workspace("https://tfe.example.com:8443", "a", "b")),
        ("https://example.com", StateUrl("https://example.com/")),
        ("https://example.com/a?b=c", StateUrl("https://example.com/a?b=c")),
        ("https://me:" + "p%40ss@example.com/a", StateUrl("https://example.com/a", ("me", "p@ss"))),
        ("http://127.0.0.1:8080/a", StateUrl("http://127.0.0.1:8080/a")),
        ("http://[::1]:8080/a", StateUrl("http://[::1]:8080/a")),
        ("http://localhost/a", StateUrl("http://localhost/a")),
    ],
)
def test_locations(text: str, expected: StateLocation) -> None:
    assert parse_location(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("gs://bucket/key", "unsupported_location", "gs://bucket/key"),
        ("azurerm://a/b/c/d", "unsupported_location", "azurerm://a/b/c/d"),
        ("s3://bucket", "unsupported_location", "s3://bucket"),
        ("remote://host/org", "unsupported_location", "remote://host/org"),
        ("remote://me@host/a/b", "unsupported_location", "remote://host/a/b"),
        ("https://", "unsupported_location", "https://"),
        ("https://a:b/", "unsupported_location", "https://a:b/"),
        ("https://[::1/", "unsupported_location", "https://[::1/"),
        ("http://example.com/a?token=abc", "insecure_location", "http://example.com/a"),
        ("http://me:" + "pass-word@10.0.0.1/a", "insecure_location", "http://10.0.0.1/a"),
    ],
)
def test_locations_that_are_refused(text: str, code: str, shown: str) -> None:
    with pytest.raises(InfrastructureError) as caught:
        parse_location(text)
    assert isinstance(caught.value.reason, InfrastructureIssue)
    assert (caught.value.reason.code, caught.value.reason.origin) == (code, shown)


def test_credentials_are_not_in_the_text_of_a_location() -> None:
    url = "https://me:" + "pass-word@example.com/a?token=abc"
    assert "pass-word" not in repr(parse_location(url)) + display_location(url)
