"""No secret in what a person may read about an error: problems, configuration issues, log lines."""

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archive import ArchiveError
from domain import ConfigurationError, load
from domain.redaction import REDACTED, redact, redact_userinfo, register_secret, register_url, secrets_of
from messages.errors.config import format_config_issue
from sources.base import Problem

# A session token has some hundred characters, of which error texts are cut short.
TOKEN = "FwoGZXIvYXdzEBYaDNotReal+" + "0123456789abcdef/" * 20
PASSWORD = "pa's/s:w@rd#"


# Ways in which libraries write a value into an error.
PRINTED = {
    "as it is": str,
    "repr": repr,
    "bytes": lambda secret: repr(secret.encode()),
    "a message that is printed with repr": lambda secret: repr(f"Invalid header value: {secret.encode()!r}"),
    "JSON": json.dumps,
    "a URL's path": quote,
    "a URL's parameter": quote_plus,
    "without white space around it": str.strip,
}


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=4, max_size=80),
    printed=st.sampled_from(list(PRINTED)),
    before=st.sampled_from(["", "Invalid header value ", "https://aws.invalid/?x=", "(", "\n"]),
)
@settings(deadline=None)
def test_no_secret_is_left_however_it_is_printed(secret: str, printed: str, before: str) -> None:
    secret_text = PRINTED[printed](secret)
    assume(len(secret.strip()) >= 8 and not set(secret) <= set("*") and secret.strip().lower() not in before.lower())
    text = redact(f"{before}{secret_text} was refused", [secret])
    assert secret not in text
    assert secret_text not in text
    assert secret.strip() not in text


@pytest.mark.parametrize("ending", ["\n", "\r\n", " ", ""])
@pytest.mark.parametrize("kept_chars", [20, 80, 160, 300])
def test_a_session_token_is_not_shown_even_if_cut_short(
    ending: str, kept_chars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN + ending)
    detail = f"Invalid header value {(TOKEN + ending).encode()!r}"[: 22 + kept_chars]
    problem = Problem("bad_request", "cloudwatch", f"GET /{TOKEN}", f"about {TOKEN}", detail)
    assert problem == Problem("bad_request", "cloudwatch", f"GET /{REDACTED}", f"about {REDACTED}", problem.detail)
    assert TOKEN[:12] not in problem.detail
    assert problem.detail.startswith("Invalid header value b")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDWATCH", "MACKEREL_APIBASE", "HTTPS_PROXY"])
@pytest.mark.parametrize(
    "url", ["https://me:{}@proxy.invalid:8443/x", "//me:{}@proxy.invalid", "https://{}@proxy.invalid"]
)
def test_the_userinfo_of_an_endpoint_is_not_shown(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given_url = url.format(PASSWORD)
    monkeypatch.setenv(name, given_url)
    for text in (
        f"Invalid endpoint: {given_url}",
        f"Failed to parse: {PASSWORD}",
        f"refused {PASSWORD!r}",
        quote(PASSWORD),
    ):
        assert "s/s:w" not in Problem("bad_request", "s", "o", detail=text).detail
        assert "s%2Fs" not in Problem("bad_request", "s", "o", detail=text).detail


ARCHIVES = (
    "postgresql://me:{}@db.internal/archive",
    "postgresql+psycopg://me:{}@db.internal",
    "postgresql+psycopg:/me:{}@db.internal/archive",
    "postgresql+psycopg:me:{}@db.internal/archive",
    "postgres//me:{}@db.internal/archive",
    "me:{}@db.internal/archive",
    "mysql://me:{}@db.internal/archive",
    " postgresql://me:{}@db.internal/archive",
)


@pytest.mark.parametrize("url", ARCHIVES)
@pytest.mark.parametrize("password", ["hunter2-secret", PASSWORD, "with a space", "a?b=c&d"])
def test_the_password_of_a_malformed_archive_url_is_in_no_issue(url: str, password: str, tmp_path: Path) -> None:
    path = tmp_path / "migration.toml"
    path.write_text(f"[migration]\nname = 'Photo'\narchive = {json.dumps(url.format(password))}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    texts = [str(format_config_issue(issue)) + repr(issue) for issue in raised.value.issues] + [str(raised.value)]
    assert any("archive" in text for text in texts)
    assert not [text for text in texts if password in text or "me:" in text]


def test_a_database_error_has_no_password() -> None:
    register_url("postgresql+psycopg://me:{}@db.internal/archive".format("hunter2-secret"))
    error = ArchiveError(
        "denied", "connection with hunter2-secret failed: postgresql://me:other-one@db.internal/archive"
    )
    assert str(error) == "denied: connection with *** failed: postgresql://***@db.internal/archive"
    assert error.problem.detail == "connection with *** failed: postgresql://***@db.internal/archive"


SHAPES = {
    "refused me:hunter2@db.internal": "refused ***@db.internal",
    "host me:hunter2@[::1]:5432": "host ***@[::1]:5432",
    f"//me:{PASSWORD}@db.internal/x": "//***@db.internal/x",
    f"https://me:{PASSWORD}@db.internal/x": "https://***@db.internal/x",
    "Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl refused": "*** refused",
    "Basic bWU6aHVudGVyMg== refused": "*** refused",
    "GET /x?a=1&X-Amz-Security-Token=abc%2Fdef&b=2": "GET /x?a=1&***&b=2",
    "GET /x?AWSAccessKeyId=abc&Signature=def%3D&Expires=1": "GET /x?***&***&Expires=1",
    "x-amz-sso_bearer_token: abc refused": "*** refused",
    "DB_PASSWORD=hunter2 is wrong": "*** is wrong",
    '{"access_token": "abc", "n": 1}': '{"***, "n": 1}',
}


@pytest.mark.parametrize("text", SHAPES)
def test_unknown_credentials_are_found_by_their_shape(text: str) -> None:
    assert redact(text) == SHAPES[text]


ORDINARY = (
    "User: arn:aws:sts::123456789012:assumed-role/Admin/taro@example.com is not authorized to perform: cloudwatch:GetMetricData",
    "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ec2/73e2d6bc24d8a067",
    "The security token included in the request is expired",
    "ExpiredToken: The provided token has expired.",
    "Photo @ app/photo/50dc6c495c0c9188 at 12:30",
    "bearer authentication is needed; basic authentication too",
    "Could not connect to the endpoint URL: https://monitoring.ap-northeast-1.amazonaws.com/",
    "MACKEREL_APIKEY",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_a_short_secret_is_replaced_where_it_is_a_word() -> None:
    assert redact("user test failed the latest test", ["test"]) == "user *** failed the latest ***"
    assert redact("a b c", ["a", "b", ""]) == "a b c"


def test_of_temporary_secrets_those_in_use_are_redacted() -> None:
    register_secret("password-of-the-database")
    for number in range(1_000):
        register_secret("token-in-use", temporary=True)
        register_secret(f"{number:04}-session-token", temporary=True)
    text = "password-of-the-database token-in-use 0999-session-token 0001-session-token"
    assert redact(text) == "*** *** *** 0001-session-token"


def test_the_secrets_of_an_environment() -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": "one",
        "AWS_SESSION_TOKEN": "two",
        "MACKEREL_APIKEY": "three",
        "PGPASSWORD": "four",
        "SLACK_TOKEN": "five",
        "HTTPS_PROXY": "http://me:{}@proxy.invalid".format("six"),
        "HOME": "/srv/me",
        "TOKENIZERS": "no",
        "AWS_ENDPOINT_URL": "https://aws.invalid/a@b",
    }
    assert {*secrets_of(environ)} - {""} == {"one", "two", "three", "four", "five", "six", "aws.invalid/a"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://me:pw@db/archive", "postgresql+psycopg://db/archive"),
        ("postgresql+psycopg:/me:pw@db/archive", "postgresql+psycopg:/db/archive"),
        ("me:p/w@db/archive", "db/archive"),
        ("sqlite:///archive.db", "sqlite:///archive.db"),
    ],
)
def test_a_url_without_its_userinfo(url: str, shown: str) -> None:
    assert redact_userinfo(url) == shown


def test_a_long_text_does_not_take_quadratic_time() -> None:
    for text in ("a:", "/", "x", "password", "a_"):
        assert redact(text * 50_000 + " me:hunter2@db").endswith(" ***@db")
