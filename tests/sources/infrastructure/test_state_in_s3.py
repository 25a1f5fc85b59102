"""States in S3 on loopback: the object, its denials and its size."""

from collections.abc import Iterator

import pytest

from domain.redaction import redact
from messages.errors.sources import format_problem
from sources.aws.client import AwsAccess
from sources.infrastructure.base import HintsResult
from sources.infrastructure.reader import read_infrastructure
from tests.fakes.elbv2 import REGION
from tests.fakes.s3 import BUCKET, FakeS3

KEY = "photo/terraform.tfstate"


@pytest.fixture
def s3(state: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    with FakeS3() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", fake.url)
        fake.s3.put_object(Bucket=BUCKET, Key=KEY, Body=state)
        yield fake


def read(key: str = KEY) -> HintsResult:
    return read_infrastructure(AwsAccess(REGION), tfstate=[f"s3://{BUCKET}/{key}"], environment={})


def test_a_state(s3: FakeS3) -> None:
    result = read()
    assert (result.hints.services, result.hints.origins) == (("photo/web",), (f"s3://{BUCKET}/{KEY}",))
    assert (result.issues, result.problems) == ((), ())
    assert s3.calls == [f"GET /{BUCKET}/{KEY}"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "operation", "title"),
    [
        (403, "AccessDenied", "denied", "s3:GetObject", "Access to the state denied"),
        (404, "NoSuchBucket", "not_found", "s3:GetObject", "No such state"),
        (403, "KMS.DisabledException", "denied", "kms:Decrypt", "The state cannot be decrypted"),
        (400, "KMS.NotFoundException", "denied", "kms:Decrypt", "The state cannot be decrypted"),
    ],
)
def test_denials(status: int, code: str, kind: str, operation: str, title: str, s3: FakeS3) -> None:
    s3.error = status, code
    (problem,) = read().problems
    assert (problem.kind, problem.source, problem.operation) == (kind, "tfstate_s3", operation)
    assert format_problem(problem, is_retried=False).title == title


def test_an_object_that_is_not_there(s3: FakeS3) -> None:
    (problem,) = read("photo/other.tfstate").problems
    assert (problem.kind, problem.about) == ("not_found", f"s3://{BUCKET}/photo/other.tfstate")


def test_an_object_that_ends_early(s3: FakeS3, state: bytes) -> None:
    s3.truncations[KEY] = [len(state) // 2]
    (problem,) = read().problems
    assert problem.kind in ("bad_reply", "unreachable")
    assert problem.detail == redact(problem.detail)


def test_a_state_that_is_too_large(s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.infrastructure.state_readers.MAX_STATE_MIB", 0)
    (issue,) = read().issues
    assert (issue.code, issue.params) == ("file_too_large", {"limit": "0 MiB"})
