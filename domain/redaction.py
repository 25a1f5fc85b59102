"""Removes credentials from text. Whatever a person may read about an error is redacted where it is created: problems, configuration issues, log lines."""

import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from urllib.parse import quote, quote_plus, unquote, urlsplit

REDACTED = "***"
MIN_SECRET_CHARS = 4  # a shorter value would be found in any text
_WORD_CHARS = 8  # a shorter value is only replaced where it is a word of its own
_PREFIX_CHARS = 12  # of a longer value: what begins with these is that value, cut short

_SECRET_VARIABLE = re.compile(
    r"(?i)(?:SECRET|SECRET_ACCESS_KEY|ACCESS_KEY_ID|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|CREDENTIALS?)\Z"
)
# Credentials by the shape in which libraries print them. The repetitions are bounded so that no text takes quadratic time.
_USERINFO = (
    re.compile(
        r"(?<=//)(?:[^\s/:]{0,256}:\S{0,512}|[^\s/@]{1,512})(?=@)"
    ),  # of a URL, even with / or @ in the password
    re.compile(r"(?<![\w.:/%+-])(?!arn:)[\w.%+-]{1,128}:(?!//)\S{1,512}(?=@[\w\[])"),  # without a scheme
)
_CREDENTIALS = (
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    re.compile(r"\b(?:(?i:bearer)\s+(?!authenti|authori|tokens?\b)|(?i:basic)\s+(?=\S*[0-9A-Z=]))[\w.~+/=-]{6,}"),
    re.compile(
        r"(?i)(?<![\w-])(?:x-api-key|x-amz-security-token|x-amz-sso_bearer_token|x-amz-signature|x-amz-credential|authorization|password|passwd|pwd)"
        r"[\"']?\s*[=:]\s*b?(?:\"[^\"]*\"|'[^']*'|(?:aws4-hmac-sha256|bearer|basic)\s[^\r\n\"']*|[^\s&,;)\"']+)"
    ),
    re.compile(
        r"(?i)(?<![a-z0-9])(?:[\w-]{0,64}[_-])?(?:pgpassword|password|passwd|secret|secret_?access_?key|api_?key|token|sessiontoken|securitytoken|"
        r"accesstoken|signature|sig|awsaccesskeyid)(?:=|%3D|[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*'|[^\s&,;)\"']+)"
    ),
)
_registered: set[str] = set()
_temporary: deque[str] = deque(maxlen=64)


def register_secret(secret: str, *, temporary: bool = False) -> None:
    """Redacts `secret`, such as a database password, from now on in all texts of this process.

    `temporary`: one of many that follow each other, such as session tokens. The newest 64 are redacted: register it at each use.
    """
    if secret and not temporary:
        _registered.add(secret)
    elif secret and secret not in _temporary:
        _temporary.append(secret)


def register_url(url: str) -> None:
    """Redacts the password of `url` from now on in all texts of this process; `url` need not be well-formed."""
    if ":" in _userinfo(url):  # otherwise it is a user without a password
        for password in _passwords_of_url(url):
            register_secret(password)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without `secrets`, without the known ones, and without what looks like a credential.

    Known are those registered and those of the environment. Each is also found quoted, escaped or encoded for a URL, and cut short.
    """
    pattern = _pattern(frozenset((*secrets, *secrets_of(os.environ), *_registered, *_temporary)))
    if pattern:
        text = pattern.sub(REDACTED, text)
    for credential in (*_USERINFO, *_CREDENTIALS) if "@" in text else _CREDENTIALS:
        text = credential.sub(REDACTED, text)
    return text


def redact_userinfo(url: str) -> str:
    """A text that is one URL, well-formed or not, without the user and the password."""
    return re.sub(r"^([\w+.-]*:(?=/)/*|).*@", r"\1", url, flags=re.DOTALL)


def secrets_of(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of variables that are named like a credential, and the users' passwords in those that are URLs."""
    for name, value in environ.items():
        if _SECRET_VARIABLE.search(name):
            yield value
        elif "@" in value and "//" in value:
            yield from _passwords_of_url(value)


def _userinfo(url: str) -> str:
    return re.sub(r"^[\w+.-]*:?//", "", url).rpartition("@")[0]


def _passwords_of_url(url: str) -> Iterator[str]:
    userinfo = _userinfo(url)
    _user, colon, password = userinfo.partition(":")
    yield password if colon else userinfo
    try:
        yield urlsplit(url).password or ""
    except ValueError:
        return


@lru_cache(maxsize=64)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets for form in _forms(secret)}
    usable = sorted((form for form in forms if len(form) >= MIN_SECRET_CHARS), key=lambda form: (-len(form), form))
    whole = [_expression(form) for form in usable]
    cut_short = {rf"{re.escape(form[:_PREFIX_CHARS])}[^\s\"'<>]*" for form in usable if len(form) > _PREFIX_CHARS}
    return re.compile("|".join((*whole, *sorted(cut_short))), re.IGNORECASE) if usable else None


def _expression(form: str) -> str:
    text = re.escape(form)
    return text if len(form) >= _WORD_CHARS else rf"(?<!\w){text}(?!\w)"


def _forms(secret: str) -> Iterator[str]:
    """The secret as it is, without white space around it, its lines, and each as libraries print them."""
    for text in {secret, secret.strip(), *(line.strip() for line in secret.splitlines()), unquote(secret)}:
        encoded = text.encode("utf-8", "surrogateescape")
        escaped = {
            repr(text)[1:-1],
            repr(encoded)[2:-1],
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
        }
        yield from (text, quote(encoded), quote(encoded, safe=""), quote_plus(encoded), escape(text))
        yield from escaped
        # In a message that is printed with repr() or as JSON itself.
        yield from (form.replace("\\", "\\\\") for form in escaped)
