"""What the AWS sources share: every fault gets its kind, and a client is made as configured."""

import time
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from domain import Aws
from sources.aws import client
from sources.base import Problem

PHOTO = Aws(
    region="ap-northeast-1",
    load_balancer="arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:loadbalancer/app/photo/50dc6c495c0c9188",
)


def client_error(code: str, message: str = "no", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeRules"
    )


def problem_from(error: Exception) -> Problem:
    return client.problem_from_error(
        error, source="load_balancer", operation="elasticloadbalancing:DescribeRules", about="a rule"
    )


def test_a_refusal_keeps_code_and_words() -> None:
    assert problem_from(client_error("AccessDenied", "User is not authorized")) == Problem(
        "denied",
        "load_balancer",
        "elasticloadbalancing:DescribeRules",
        "a rule",
        "AccessDenied: User is not authorized",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ExpiredToken"), "expired_token"),
        (client_error("RequestExpired"), "clock_skew"),
        (client_error("SignatureDoesNotMatch", "The request signature does not match"), "wrong_key"),
        (
            client_error("SignatureDoesNotMatch", "Signature expired: 20260102T0000Z is now earlier than …"),
            "clock_skew",
        ),
        (client_error("InvalidSignatureException", "Signature not yet current: …"), "clock_skew"),
        (
            client_error("SignatureDoesNotMatch", "Credential should be scoped to a valid region, not 'x'."),
            "wrong_region",
        ),
        (client_error("InvalidClientTokenId"), "wrong_key"),
        (client_error("MissingAuthenticationToken", status=403), "no_credentials"),
        (client_error("UnauthorizedOperation"), "denied"),
        (client_error("Throttling"), "throttled"),
        (client_error("ThrottlingException"), "throttled"),
        (client_error("RuleNotFound"), "not_found"),
        (client_error("InvalidNextToken"), "bad_reply"),
        (client_error("ValidationError"), "bad_request"),
        # A code that is not in the list goes by its status.
        (client_error("SlowDown", status=429), "throttled"),
        (client_error("Forbidden", status=403), "denied"),
        (client_error("Unheard", status=503), "server_error"),
        (client_error("Unheard", status=400), "bad_request"),
        (exceptions.NoCredentialsError(), "no_credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no_credentials"),
        (exceptions.ProfileNotFound(profile="nobody"), "no_credentials"),
        (exceptions.InvalidConfigError(error_msg="source_profile"), "no_credentials"),
        (exceptions.ConfigParseError(path="config"), "no_credentials"),
        (exceptions.UnauthorizedSSOTokenError(), "expired_token"),
        (exceptions.SSOTokenLoadError(error_msg="none"), "expired_token"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), "expired_token"),
        (exceptions.LoginRefreshRequired(), "expired_token"),
        (exceptions.LoginInsufficientPermissions(), "denied"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://…"), "timeout"),
        (exceptions.ReadTimeoutError(endpoint_url="https://…"), "timeout"),
        (exceptions.EndpointConnectionError(endpoint_url="https://…"), "unreachable"),
        (exceptions.ConnectionClosedError(endpoint_url="https://…"), "unreachable"),
        (exceptions.ProxyConnectionError(proxy_url="http://…"), "unreachable"),
        (exceptions.SSLError(endpoint_url="https://…", error="certificate"), "unreachable"),
        (exceptions.ParamValidationError(report="too long"), "bad_request"),
        (exceptions.InvalidEndpointConfigurationError(msg="Invalid endpoint"), "bad_request"),
        (ResponseParserError("not XML"), "bad_reply"),
    ],
)
def test_each_fault_has_its_kind(error: Exception, kind: str) -> None:
    assert isinstance(error, client.AWS_ERRORS)
    assert problem_from(error).kind == kind


@pytest.mark.parametrize(
    "stumble", [UnicodeDecodeError("utf-8", b"\x83", 0, 1, "invalid start byte"), AttributeError("get")]
)
def test_a_reply_that_boto3_stumbles_over_is_a_bad_reply(stumble: Exception) -> None:
    def method(**parameters: Any) -> dict[str, Any]:
        raise stumble

    with pytest.raises(ResponseParserError) as caught:
        client.call_api(method, PageSize=400)
    assert problem_from(caught.value).kind == "bad_reply"


def test_a_fault_passes_through_a_call_as_it_is() -> None:
    # botocore's own errors may be ValueErrors too
    error = exceptions.UnknownEndpointError(service_name="cloudwatch", region_name="nowhere")

    def method(**parameters: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(exceptions.UnknownEndpointError):
        client.call_api(method)


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDWATCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_a_client_is_impatient_and_adaptive(no_files: None) -> None:
    config = client.create_client("cloudwatch", PHOTO).meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}
    hasty = client.create_client(
        "cloudwatch", PHOTO, connect_timeout_s=0.5, read_timeout_s=0.2, max_attempts=1
    ).meta.config
    assert (hasty.connect_timeout, hasty.read_timeout, hasty.retries["total_max_attempts"]) == (0.5, 0.2, 1)


def test_a_client_goes_where_the_environment_says(no_files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        client.create_client("cloudwatch", PHOTO).meta.endpoint_url == "https://monitoring.ap-northeast-1.amazonaws.com"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert client.create_client("cloudwatch", PHOTO).meta.endpoint_url == "http://127.0.0.1:4566"


def test_a_client_of_nothing_is_a_fault(no_files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(exceptions.ProfileNotFound):
        client.create_client("cloudwatch", PHOTO.model_copy(update={"profile": "nobody"}))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(exceptions.InvalidEndpointConfigurationError):
        client.create_client("cloudwatch", PHOTO)


def response_dated(date: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@pytest.mark.parametrize(
    "reply", [{}, response_dated(""), response_dated("yesterday"), response_dated("Fri, 02 Jan 2026 11:59:55 GMT")]
)
def test_no_skew_where_none_is_told(reply: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_355_200.0)
    assert client.clock_skew_problem(reply, source="cloudwatch", operation="cloudwatch:GetMetricData") is None


def test_skew_beyond_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_355_200.0)
    reply = response_dated("Fri, 02 Jan 2026 11:58:30 GMT")
    assert client.clock_skew_problem(reply, source="cloudwatch", operation="cloudwatch:GetMetricData") == Problem(
        "clock_skew", "cloudwatch", "cloudwatch:GetMetricData", "+90 s", "2026-01-02 11:58:30 UTC"
    )
