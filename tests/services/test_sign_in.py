"""What doctor checks of a sign-in beside its servers: packages, secrets, the load balancer that signs, and roles."""

from collections.abc import Iterator
from typing import Any

import pytest

import services.sign_in
from domain.config.several import Configuration
from messages.errors.sources import format_problem
from services.sign_in import sign_in_checks
from sources.base import Health
from tests.factories.config import ALB, make_migration
from tests.fakes.alb_signer import SIGNER, FakeAlbSigner
from tests.fakes.openid_provider import CLIENT_ID, FakeOpenIdProvider

SECRETS = {"SIGN_IN_CLIENT_SECRET": "secret-of-the-client", "SIGN_IN_COOKIE_SECRET": "x" * 32}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeOpenIdProvider]:
    with FakeOpenIdProvider(algorithm="ES256") as provider:
        yield provider


@pytest.fixture(scope="module")
def signer() -> Iterator[FakeAlbSigner]:
    with FakeAlbSigner() as signer:
        yield signer


def oidc(provider: FakeOpenIdProvider, **changes: Any) -> dict[str, Any]:
    table = {"method": "oidc", "issuer": provider.url, "client_id": CLIENT_ID, "approvers": ["ops"]}
    return table | {"dashboard_url": "https://dashboard.example.com"} | changes


def alb(signer: FakeAlbSigner, **changes: Any) -> dict[str, Any]:
    table = {"method": "alb", "load_balancer": SIGNER, "public_keys_url": signer.url, "approvers": ["ops"]}
    return table | changes


def checks(table: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Health]:
    """By what the table of doctor calls them."""
    configuration = Configuration((make_migration("sign_in", table),))
    found = sign_in_checks(configuration, SECRETS if environment is None else environment)
    return {check.subject or check.permission: check for check in found}


def text(check: Health) -> str:
    return format_problem(check.problem).text if check.problem else ""


def test_without_a_sign_in_nothing_is_checked() -> None:
    assert sign_in_checks(Configuration((make_migration(),)), {}) == ()


def test_each_check_of_a_provider(provider: FakeOpenIdProvider) -> None:
    found = checks(oidc(provider))
    assert list(found) == [
        "requirements-auth.txt",
        "SIGN_IN_CLIENT_SECRET",
        "SIGN_IN_COOKIE_SECRET",
        "GET /.well-known/openid-configuration",
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "GET jwks_uri",
        "approvers",
    ]
    assert {(check.state, check.problem) for check in found.values()} == {("up", None)}


@pytest.mark.parametrize(
    ("variable", "value", "state", "sentence"),
    [
        (
            "SIGN_IN_CLIENT_SECRET",
            " ",
            "failed",
            "The environment variable SIGN_IN_CLIENT_SECRET is not set: the dashboard does not start.",
        ),
        (
            "SIGN_IN_COOKIE_SECRET",
            "",
            "up",
            "The environment variable SIGN_IN_COOKIE_SECRET is not set: all sessions end when the dashboard restarts.",
        ),
        (
            "SIGN_IN_COOKIE_SECRET",
            "hunter22" * 3 + "hunter2",
            "failed",
            "The environment variable SIGN_IN_COOKIE_SECRET has fewer than 32 characters: the dashboard does not start.",
        ),
    ],
)
def test_secrets_by_their_names_alone(
    variable: str, value: str, state: str, sentence: str, provider: FakeOpenIdProvider
) -> None:
    found = checks(oidc(provider), SECRETS | {variable: value})
    assert (found[variable].state, text(found[variable])) == (state, sentence)
    assert [name for name, check in found.items() if check.problem] == [variable]
    assert "hunter2" not in repr(found)


def test_packages_that_are_missing(provider: FakeOpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.sign_in, "PACKAGES", {"oidc": ("json", "no_such_package", "nor_this_one")})
    check = checks(oidc(provider))["requirements-auth.txt"]
    assert check.state == "failed"
    assert text(check) == "Packages that the configuration needs are not installed: no_such_package, nor_this_one."


def test_without_an_approver_there_is_a_notice(provider: FakeOpenIdProvider) -> None:
    check = checks(oidc(provider, approvers=[], editors=["web-team"]))["approvers"]
    assert (check.state, text(check)) == ("up", "No user can sign off a phase: [sign_in] has no `approvers`.")


def test_each_check_of_a_load_balancer(signer: FakeAlbSigner) -> None:
    found = checks(alb(signer), {})
    assert list(found) == ["requirements-auth.txt", "load_balancer: front", "GET public key", "approvers"]
    assert {check.state for check in found.values()} == {"up"}


def test_a_load_balancer_that_is_also_the_one_of_the_migration(signer: FakeAlbSigner) -> None:
    assert "load_balancer: photo, also that of Photo service" in checks(alb(signer, load_balancer=ALB))
