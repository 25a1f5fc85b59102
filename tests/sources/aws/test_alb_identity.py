"""The token of a load balancer's sign-in: what proves who sent a request, and all that does not."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from domain.config.sign_in import SignIn
from sources.aws.alb_identity import (
    CLOCK_SKEW_S,
    RETRY_AFTER_S,
    InvalidTokenError,
    PublicKeys,
    public_keys_url,
    verify_token,
)
from tests.factories.config import ELB_ARN_PREFIX
from tests.fakes.alb_signer import KEY_ID, SIGNER, USER, FakeAlbSigner, encode

SIGN_IN = SignIn(method="alb", load_balancer=SIGNER, viewers=("*",))
OTHER_SIGNER = f"{ELB_ARN_PREFIX}:loadbalancer/app/other/0123456789abcdef"


@pytest.fixture
def signer() -> Iterator[FakeAlbSigner]:
    with FakeAlbSigner() as signer:
        yield signer


@pytest.mark.parametrize("name", ["x", "xy", "xyz", "?????>>>>>", "佐藤"])
def test_the_claims_of_a_token_with_any_padding(name: str, signer: FakeAlbSigner) -> None:
    """Names of successive lengths: the payload ends without padding, with one "=" and with two."""
    claims = verify_token(signer.sign({"sub": name}), SIGN_IN, PublicKeys(signer.url).get)
    assert claims["sub"] == name


def test_a_token_without_padding_is_another_text_than_what_was_signed(signer: FakeAlbSigner) -> None:
    token = signer.sign({"sub": "xy", "pad": ""})
    assert "=." in token
    with pytest.raises(InvalidTokenError, match="signature"):
        verify_token(token.replace("=", ""), SIGN_IN, PublicKeys(signer.url).get)


def unsigned(signer: FakeAlbSigner) -> str:
    return signer.sign(alg="none").rpartition(".")[0] + "."


def of_hmac(signer: FakeAlbSigner) -> str:
    """Signed with the public key as the secret of HS256, which a library would verify that takes the algorithm from the token."""
    return signer.sign(alg="HS256")


def changed(signer: FakeAlbSigner) -> str:
    header, payload, signature = signer.sign().split(".")
    claims = json.loads(urlsafe_b64decode(payload)) | {"email": "boss@example.com"}
    return ".".join((header, encode(json.dumps(claims).encode()), signature))


def with_der(signer: FakeAlbSigner) -> str:
    """A signature in ASN.1, which is not that of JWT."""
    return signer.sign().rpartition(".")[0] + "." + encode(b"0" * 70)


HOUR_AGO = int(time.time()) - 3600
INVALID: list[tuple[str, Callable[[FakeAlbSigner], str]]] = [
    ("algorithm", unsigned),
    ("algorithm", of_hmac),
    ("algorithm", lambda signer: signer.sign(alg=None)),
    ("algorithm", lambda signer: signer.sign(alg="es256")),
    ("signer", lambda signer: signer.sign(signer=OTHER_SIGNER)),
    ("signer", lambda signer: signer.sign(signer=None)),
    ("expired", lambda signer: signer.sign(exp=HOUR_AGO)),
    ("expired", lambda signer: signer.sign(USER | {"exp": HOUR_AGO})),
    ("expired", lambda signer: signer.sign(exp="never")),
    ("expired", lambda signer: signer.sign(exp=True)),
    ("key", lambda signer: signer.sign(kid="b1a2f7c4-0000-0000-0000-000000000000")),
    ("key", lambda signer: signer.sign(kid="../../other")),
    ("key", lambda signer: signer.sign(kid=None)),
    ("signature", lambda signer: signer.sign(key=ec.generate_private_key(ec.SECP256R1()))),
    ("signature", lambda signer: signer.sign().rpartition(".")[0] + "."),
    ("signature", changed),
    ("signature", with_der),
    ("malformed", lambda _: ""),
    ("malformed", lambda _: "a.b"),
    ("malformed", lambda _: "a.b.c"),
    ("malformed", lambda _: f"{encode(b'[]')}.{encode(b'{}')}.x"),
    ("malformed", lambda _: f"{encode(b'[' * 9000)}.{encode(b'{}')}.x"),
    ("malformed", lambda signer: f"{signer.sign()}.x"),
    ("malformed", lambda signer: signer.sign().rpartition(".")[0] + ".é"),
    ("malformed", lambda signer: signer.sign({"sub": "x" * 40_000})),
]


@pytest.mark.parametrize(("fault", "make"), INVALID, ids=[f"{n}-{fault}" for n, (fault, _) in enumerate(INVALID)])
def test_a_token_that_proves_nothing_is_refused_for_its_reason(
    fault: str, make: Callable[[FakeAlbSigner], str], signer: FakeAlbSigner
) -> None:
    with pytest.raises(InvalidTokenError) as caught:
        verify_token(make(signer), SIGN_IN, PublicKeys(signer.url).get)
    assert caught.value.fault == fault
    assert not any("other" in path for path in signer.requested)


def test_a_token_without_any_expiry_is_refused(signer: FakeAlbSigner) -> None:
    header, _, _ = signer.sign(exp=None).split(".")
    with pytest.raises(InvalidTokenError, match="expired"):
        verify_token(f"{header}.{encode(b'{}')}.x", SIGN_IN, PublicKeys(signer.url).get)


def test_clocks_may_differ_by_a_minute(signer: FakeAlbSigner) -> None:
    keys = PublicKeys(signer.url)
    token = signer.sign(USER | {"exp": 1_000}, exp=1_000)
    assert verify_token(token, SIGN_IN, keys.get, clock=lambda: 1_000 + CLOCK_SKEW_S - 1)
    with pytest.raises(InvalidTokenError, match="expired"):
        verify_token(token, SIGN_IN, keys.get, clock=lambda: 1_000 + CLOCK_SKEW_S)


def test_a_key_is_fetched_once_and_a_missing_one_at_most_twice_a_minute(signer: FakeAlbSigner) -> None:
    now = 0.0
    keys = PublicKeys(signer.url, clock=lambda: now)
    for _ in range(3):
        verify_token(signer.sign(), SIGN_IN, keys.get)
    assert signer.requested == [f"/{KEY_ID}"]
    for _ in range(3):
        with pytest.raises(InvalidTokenError, match="key"):
            keys.get("unknown")
    assert signer.requested == [f"/{KEY_ID}", "/unknown"]
    signer.keys["unknown"], now = signer.keys[KEY_ID], RETRY_AFTER_S
    assert keys.get("unknown") == signer.keys[KEY_ID]


def test_a_cached_key_does_not_wait_for_another_ones_fetch(signer: FakeAlbSigner) -> None:
    keys = PublicKeys(signer.url)
    keys.get(KEY_ID)
    signer.keys["slow"], signer.hanging = b"-----BEGIN PUBLIC KEY-----", {"/slow"}
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(keys.get, "slow")
        assert signer.arrived.wait(10)
        assert keys.get(KEY_ID) == keys.cached(KEY_ID) == signer.keys[KEY_ID]
        assert not slow.done()
        signer.release()
        assert slow.result(10) == signer.keys["slow"]


@pytest.mark.parametrize("key", [b"-----BEGIN PUBLIC KEY-----", b""])
def test_a_missing_key_is_fetched_by_one_thread_and_the_others_get_its_result(
    key: bytes, signer: FakeAlbSigner
) -> None:
    looked = Semaphore(0)

    def clock() -> float:  # read by each thread that finds no key
        looked.release()
        return 0.0

    keys = PublicKeys(signer.url, clock=clock)
    signer.keys["slow"], signer.hanging = key, {"/slow"}
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(keys.get, "slow") for _ in range(3)]
        assert signer.arrived.wait(10)
        assert all(looked.acquire(timeout=10) for _ in results)
        signer.release()
        errors = [result.exception(10) for result in results]
    assert signer.requested == ["/slow"]
    assert [str(error) if error else "" for error in errors] == ["" if key else "key"] * 3


def test_after_an_unexpected_error_none_waits_for_ever(signer: FakeAlbSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = PublicKeys(signer.url)
    monkeypatch.setattr(keys._session, "get", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        keys.get(KEY_ID)
    with pytest.raises(InvalidTokenError, match="key"):
        keys.get(KEY_ID)


@pytest.mark.parametrize("body", [b"x" * 100_000, b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 100_000, b"not a key"])
def test_what_is_no_key_is_none(body: bytes, signer: FakeAlbSigner) -> None:
    signer.keys[KEY_ID] = body
    with pytest.raises(InvalidTokenError, match="key"):
        PublicKeys(signer.url).get(KEY_ID)


def test_a_key_of_another_curve_verifies_nothing(signer: FakeAlbSigner) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    signer.keys[KEY_ID] = signer.pem(other)
    with pytest.raises(InvalidTokenError, match="signature"):
        verify_token(signer.sign(), SIGN_IN, PublicKeys(signer.url).get)


def test_without_the_key_server_there_is_no_key() -> None:
    with FakeAlbSigner() as signer:
        keys = PublicKeys(signer.url)
    with pytest.raises(InvalidTokenError, match="key"):
        keys.get(KEY_ID)


@pytest.mark.parametrize(
    ("partition", "region", "url"),
    [
        ("aws", "ap-northeast-1", "https://public-keys.auth.elb.ap-northeast-1.amazonaws.com"),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1",
        ),
        ("aws-cn", "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn/aws-elb-public-keys-prod-cn-north-1"),
    ],
)
def test_the_keys_are_those_of_the_load_balancers_region(partition: str, region: str, url: str) -> None:
    arn = SIGNER.replace(":aws:", f":{partition}:").replace("ap-northeast-1", region)
    assert public_keys_url(SignIn(method="alb", load_balancer=arn, viewers=("*",))) == url
    keys = "https://keys.example.com"
    assert public_keys_url(SignIn(method="alb", load_balancer=arn, viewers=("*",), public_keys_url=keys)) == keys
