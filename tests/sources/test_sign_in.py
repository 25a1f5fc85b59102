"""What doctor finds at a sign-in's servers: at a provider that works, and at all that does not answer as one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sources.sign_in
from domain.config.sign_in import SignIn
from messages.errors.sources import format_problem
from sources.base import Health
from sources.sign_in import GET_KEYS, GET_METADATA, GET_PUBLIC_KEY, check_provider, check_public_keys
from sources.transport import ReplyLimits
from tests.factories.certificates import write_certificate
from tests.fakes.alb_signer import SIGNER, FakeAlbSigner
from tests.fakes.openid_provider import FakeOpenIdProvider

METADATA_PATH, KEYS_PATH = "/.well-known/openid-configuration", "/jwks"
HTML = {"Content-Type": "text/html; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def provider() -> Iterator[FakeOpenIdProvider]:
    with FakeOpenIdProvider(algorithm="ES256") as provider:
        yield provider


def sign_in_at(issuer: str) -> SignIn:
    return SignIn(
        method="oidc", issuer=issuer, client_id="x", dashboard_url="https://dashboard.example.com", viewers=("*",)
    )


def alb_sign_in(url: str) -> SignIn:
    return SignIn(method="alb", load_balancer=SIGNER, public_keys_url=url, viewers=("*",))


def checks_of(provider: FakeOpenIdProvider, environment: dict[str, str] | None = None) -> tuple[Health, ...]:
    return check_provider(sign_in_at(provider.url), environment or {})


def states(checks: tuple[Health, ...]) -> list[tuple[str, str]]:
    return [(check.subject or check.permission, check.state) for check in checks]


def failure(checks: tuple[Health, ...]) -> tuple[str, str]:
    """The only failed check, and what it says."""
    (failed,) = (check for check in checks if check.state not in ("up", "not_checked"))
    assert failed.problem
    return failed.subject or failed.permission, format_problem(failed.problem).text


NOT_CHECKED = [
    ("issuer", "not_checked"),
    ("authorization_endpoint", "not_checked"),
    ("token_endpoint", "not_checked"),
    ("jwks_uri", "not_checked"),
    (GET_KEYS, "not_checked"),
]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_provider_that_works(slash: str, provider: FakeOpenIdProvider) -> None:
    provider.metadata["issuer"] = provider.url + slash
    assert states(checks_of(provider)) == [
        (GET_METADATA, "up"),
        ("issuer", "up"),
        ("authorization_endpoint", "up"),
        ("token_endpoint", "up"),
        ("jwks_uri", "up"),
        (GET_KEYS, "up"),
    ]
    assert provider.requested == [METADATA_PATH, KEYS_PATH]


@pytest.mark.parametrize(
    ("status", "headers", "body", "sentence"),
    [
        (404, JSON, b"{}", "Not found: {url}. Users cannot sign in. Reported: “HTTP 404”"),
        (403, HTML, b"<html>", "Access to {url} was denied, though it must be public. Reported: “HTTP 403”"),
        (429, JSON, b"{}", "Too many requests to {url}. Reported: “HTTP 429”"),
        (502, HTML, b"<html>", "Server error of {url}: users cannot sign in. Reported: “HTTP 502”"),
        (418, HTML, b"<html>", "The response of {url} is not a JSON object. Reported: “HTTP 418”"),
        (
            200,
            HTML,
            b"<html>Sign in</html>",
            "The response of {url} is not a JSON object. Reported: “HTTP 200, text/html; charset=utf-8”",
        ),
        (200, JSON, b"[]", "The response of {url} is not a JSON object. Reported: “HTTP 200, application/json”"),
        (200, {}, b"[" * 9000, "The response of {url} is not a JSON object. Reported: “HTTP 200, no Content-Type”"),
        (
            200,
            JSON,
            b" " * (2 << 20),
            "The response of {url} is not a JSON object. Reported: “a reply of more than 1 MiB”",
        ),
        (
            302,
            {"Location": "https://proxy.example.com/login"},
            b"",
            "A redirect from {url} to https://proxy.example.com/login: the sign-in does not follow redirects.",
        ),
    ],
)
@pytest.mark.parametrize("path", [METADATA_PATH, KEYS_PATH])
def test_a_reply_that_is_not_the_documents(
    path: str, status: int, headers: dict[str, str], body: bytes, sentence: str, provider: FakeOpenIdProvider
) -> None:
    provider.replies[path] = (status, headers, body)
    checks, text = checks_of(provider), sentence.format(url=provider.url + path)
    assert failure(checks) == (GET_METADATA if path == METADATA_PATH else GET_KEYS, text)
    assert (states(checks)[1:] == NOT_CHECKED) == (path == METADATA_PATH)


def test_the_next_step_names_the_setting(provider: FakeOpenIdProvider) -> None:
    provider.replies[KEYS_PATH] = (404, JSON, b"{}")
    problem = checks_of(provider)[-1].problem
    assert problem
    assert format_problem(problem).next_step == "Correct `jwks_uri` in the provider's metadata (docs/sign_in.md)."
    provider.replies[METADATA_PATH] = (404, JSON, b"{}")
    problem = checks_of(provider)[0].problem
    assert problem
    assert format_problem(problem).next_step == "Correct `issuer` under [sign_in] (docs/sign_in.md)."


@pytest.mark.parametrize(
    ("issuer", "named"), [("https://id.example.com", "https://id.example.com"), (None, "none at all")]
)
def test_another_issuer(issuer: str | None, named: str, provider: FakeOpenIdProvider) -> None:
    provider.metadata["issuer"] = issuer
    sentence = f"The provider at {provider.url} names {named} as its issuer: sign-ins would be refused."
    assert failure(checks_of(provider)) == ("issuer", sentence)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [None, "http://id.example.com/x", "/x", 1])
def test_an_endpoint_that_is_missing_or_without_tls(name: str, value: Any, provider: FakeOpenIdProvider) -> None:
    provider.metadata[name] = value
    checks = checks_of(provider)
    subject, text = failure(checks)
    assert subject == name
    assert text.startswith(f"The provider's metadata has no valid `{name}`, which must be an `https://` address.")
    assert checks[-1].state == ("not_checked" if name == "jwks_uri" else "up")


RSA = {"kty": "RSA", "n": "…", "e": "AQAB"}


@pytest.mark.parametrize(
    ("key_set", "is_usable"),
    [
        ({"keys": [RSA]}, True),
        ({"keys": [{"kty": "oct"}, RSA | {"use": "sig"}]}, True),
        ({"keys": []}, False),
        ({"keys": [RSA | {"use": "enc"}, {"kty": "oct"}, "key", None]}, False),
        ({"keys": "RSA"}, False),
        ({}, False),
    ],
)
def test_keys_that_verify_signatures(key_set: Any, is_usable: bool, provider: FakeOpenIdProvider) -> None:
    provider.replies[KEYS_PATH] = (200, JSON, json.dumps(key_set).encode())
    checks = checks_of(provider)
    assert checks[-1].state == ("up" if is_usable else "failed")
    if not is_usable:
        sentence = f"No public key that verifies signatures at {provider.url}/jwks: users cannot sign in."
        assert failure(checks) == (GET_KEYS, sentence)


def test_a_server_that_does_not_answer(provider: FakeOpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.fault = "hanging"
    sentence = f"No complete response from {provider.url}{METADATA_PATH} in time: users cannot sign in."
    for name, value in (("_TIMEOUT_S", (3.0, 0.1)), ("_LIMITS", ReplyLimits(deadline_s=0.1))):
        with monkeypatch.context() as patch:
            patch.setattr(sources.sign_in, name, value)
            subject, text = failure(checks_of(provider))
        assert subject == GET_METADATA and text.startswith(sentence)


def test_a_server_that_is_not_there() -> None:
    with FakeOpenIdProvider(algorithm="ES256") as provider:
        url = provider.url
    checks = check_provider(sign_in_at(url), {})
    assert failure(checks)[1].startswith(f"Cannot connect to {url}{METADATA_PATH}: users cannot sign in.")
    assert failure((check_public_keys(alb_sign_in(url)),))[1].startswith(f"Cannot connect to {url}/")


def test_a_certificate_is_verified_as_the_sign_in_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_certificate(tmp_path / "own.pem")
    # The sign-in's client does not read this variable.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with FakeOpenIdProvider(algorithm="ES256", certificate=certificate) as provider:
        assert {state for _, state in states(checks_of(provider, {"SSL_CERT_FILE": str(certificate)}))} == {"up"}
        subject, text = failure(checks_of(provider))
        assert (subject, text) == (
            GET_METADATA,
            f"The certificate of {provider.url}{METADATA_PATH} cannot be verified. Reported: “self-signed certificate”",
        )
        missing = failure(checks_of(provider, {"SSL_CERT_FILE": str(tmp_path / "missing.pem")}))[1]
        assert "missing.pem" in missing


def test_an_expired_certificate(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "old.pem", days_left=-1)
    with FakeOpenIdProvider(algorithm="ES256", certificate=certificate) as provider:
        subject, text = failure(checks_of(provider, {"SSL_CERT_FILE": str(certificate)}))
    assert subject == GET_METADATA and text.endswith("Reported: “certificate has expired”")


def test_nothing_of_netrc_is_sent(
    provider: FakeOpenIdProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hunter22\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert {state for _, state in states(checks_of(provider))} == {"up"}
    assert provider.authorizations == {""}


def test_the_host_of_public_keys_answers_that_there_is_no_such_key() -> None:
    with FakeAlbSigner() as signer:
        assert states((check_public_keys(alb_sign_in(signer.url)),)) == [(GET_PUBLIC_KEY, "up")]
        assert signer.requested == ["/00000000-0000-0000-0000-000000000000"]


@pytest.mark.parametrize(
    ("status", "headers", "sentence"),
    [
        (503, {}, "Server error of {url}: users cannot sign in. Reported: “HTTP 503”"),
        (
            302,
            {"Location": "https://proxy.example.com"},
            "A redirect from {url} to https://proxy.example.com: the sign-in does not follow redirects.",
        ),
    ],
)
def test_another_server_in_place_of_the_keys(
    status: int, headers: dict[str, str], sentence: str, provider: FakeOpenIdProvider
) -> None:
    path = "/00000000-0000-0000-0000-000000000000"
    provider.replies[path] = (status, headers, b"")
    check = check_public_keys(alb_sign_in(provider.url))
    assert failure((check,)) == (GET_PUBLIC_KEY, sentence.format(url=provider.url + path))


def test_a_region_that_is_empty_has_no_host() -> None:
    """The configuration accepts such an ARN."""
    sign_in = SignIn(method="alb", load_balancer=SIGNER.replace("ap-northeast-1", ""), viewers=("*",))
    assert failure((check_public_keys(sign_in),))[1].startswith("Cannot connect to https://public-keys.auth.elb..")
