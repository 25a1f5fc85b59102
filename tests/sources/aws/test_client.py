"""The client factory, and the kind of each AWS error."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.loaders import JSONFileLoader
from botocore.parsers import ResponseParserError

from domain import Aws
from messages.errors.sources import format_problem
from sources.aws.client import (
    AWS_ERRORS,
    AwsAccess,
    call_api,
    clock_ahead_s,
    clock_skew_problem,
    create_client,
    problem_from_error,
)
from sources.base import Problem, clock_lead_s
from tests.factories.config import ALB

PHOTO = Aws(region="ap-northeast-1", load_balancer=ALB)


def client_error(code: str, message: str = "no", status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "DescribeRules"
    )


def problem_from(error: Exception) -> Problem:
    return problem_from_error(
        error, source="load_balancer", operation="elasticloadbalancing:DescribeRules", about="a rule"
    )


def test_problem_keeps_error_code_and_message() -> None:
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
        # An unknown code is classified by its status.
        (client_error("SlowDown", status=429), "throttled"),
        (client_error("Forbidden", status=403), "denied"),
        (client_error("Unknown", status=503), "server_error"),
        (client_error("InternalFailure", status=501), "not_supported"),
        (client_error("UnknownOperationException"), "not_supported"),
        (client_error("InvalidAction"), "not_supported"),
        (client_error("Unknown", status=400), "bad_request"),
        (exceptions.NoCredentialsError(), "no_credentials"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no_credentials"),
        (exceptions.ProfileNotFound(profile="missing"), "no_credentials"),
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
def test_kind_of_each_error(error: Exception, kind: str) -> None:
    assert isinstance(error, AWS_ERRORS)
    assert problem_from(error).kind == kind


def test_an_html_page_is_quoted_by_its_title() -> None:
    page = "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
    assert problem_from(client_error("500", page, 500)).detail == "500: HTML page “500 Internal Server Error”"
    assert problem_from(client_error("502", " <HTML><HEAD></HEAD></HTML>", 502)).detail == "502: HTML page"


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"\x83", 0, 1, "invalid start byte"), AttributeError("get")]
)
def test_unreadable_response_is_a_bad_reply(error: Exception) -> None:
    def method(**params: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(ResponseParserError) as caught:
        call_api(method, PageSize=400)
    assert problem_from(caught.value).kind == "bad_reply"


def test_aws_errors_pass_through_unchanged() -> None:
    # Some of botocore's errors are ValueErrors.
    error = exceptions.UnknownEndpointError(service_name="cloudwatch", region_name="nowhere")

    def method(**params: Any) -> dict[str, Any]:
        raise error

    with pytest.raises(exceptions.UnknownEndpointError):
        call_api(method)


def test_client_has_short_timeouts_and_adaptive_retries() -> None:
    config = create_client("cloudwatch", PHOTO).meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}
    config = create_client("cloudwatch", PHOTO, read_timeout_s=0.2, max_attempts=1).meta.config
    assert (config.read_timeout, config.retries["total_max_attempts"]) == (0.2, 1)


def test_client_without_a_configuration_has_the_region_that_boto3_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert create_client("cloudwatch", AwsAccess()).meta.region_name == "eu-west-1"
    assert create_client("cloudwatch", AwsAccess(region="us-east-2")).meta.region_name == "us-east-2"
    with pytest.raises(exceptions.ProfileNotFound):
        create_client("cloudwatch", AwsAccess(profile="missing"))


def test_descriptions_of_services_are_read_once_for_all_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    create_client("cloudwatch", PHOTO)
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda *_arguments: pytest.fail("read again"))
    create_client("cloudwatch", PHOTO)


def test_client_honours_the_endpoint_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert create_client("cloudwatch", PHOTO).meta.endpoint_url == "https://monitoring.ap-northeast-1.amazonaws.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert create_client("cloudwatch", PHOTO).meta.endpoint_url == "http://127.0.0.1:4566"


def test_invalid_profile_or_endpoint_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(exceptions.ProfileNotFound):
        create_client("cloudwatch", PHOTO.model_copy(update={"profile": "missing"}))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(exceptions.InvalidEndpointConfigurationError):
        create_client("cloudwatch", PHOTO)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/nonexistent/tool --json", "No such file or directory: '/nonexistent/tool'"),
        ("/bin/echo hello", "Expecting value: line 1 column 1 (char 0)"),
        ('/bin/echo "', "No closing quotation"),
        ("/bin/echo []", "'list' object has no attribute 'get'"),
        ("/bin/echo {}", "Unsupported version"),
        ("", "list index out of range"),
    ],
)
def test_a_broken_credential_process_is_a_problem_of_credentials(
    command: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[profile broken]\ncredential_process = {command}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(exceptions.CredentialRetrievalError) as caught:
        create_client("cloudwatch", PHOTO.model_copy(update={"profile": "broken"}))
    problem = problem_from(caught.value)
    assert problem.kind == "no_credentials" and reason in problem.detail
    assert format_problem(problem).next_step.endswith("that command must exist and print credentials.")


def test_a_credential_process_that_disappears_is_a_problem_of_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = {"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "x", "SessionToken": "x"}
    tool, config = tmp_path / "tool", tmp_path / "config"
    tool.write_text(
        f"#!/bin/sh\necho '{json.dumps(expired | {'Expiration': '2099-01-01T00:00:00Z'})}'\n", encoding="utf-8"
    )
    tool.chmod(0o755)
    config.write_text(f"[profile tool]\ncredential_process = {tool}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    client = create_client("cloudwatch", PHOTO.model_copy(update={"profile": "tool"}))
    client._request_signer._credentials._expiry_time = datetime(2026, 1, 1, tzinfo=UTC)
    tool.unlink()
    with pytest.raises(exceptions.CredentialRetrievalError, match="No such file"):
        call_api(client.list_metrics)


@pytest.mark.parametrize("service", ["cloudwatch", "elbv2", "s3"])
def test_credentials_from_a_file_are_redacted_from_the_first_request_on(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "[photo]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = only-in-a-file\naws_session_token = as-is-this\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nothing listens there
    client = create_client(service, PHOTO.model_copy(update={"profile": "photo"}), max_attempts=1)
    method = {"cloudwatch": "list_metrics", "elbv2": "describe_load_balancers", "s3": "list_buckets"}[service]
    with pytest.raises(exceptions.EndpointConnectionError):
        call_api(getattr(client, method))
    assert Problem("denied", service, "x", detail="only-in-a-file, as-is-this").detail == "***, ***"


def test_a_missing_ca_bundle_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent/bundle.pem")
    with pytest.raises(exceptions.HTTPClientError) as caught:
        call_api(create_client("cloudwatch", PHOTO, max_attempts=1).list_metrics)
    assert problem_from(caught.value).kind == "unreachable"


def response_dated(date: str) -> dict[str, Any]:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@pytest.mark.parametrize(
    "response", [{}, response_dated(""), response_dated("yesterday"), response_dated("Fri, 02 Jan 2026 11:59:55 GMT")]
)
def test_no_clock_skew(response: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_355_200.0)
    assert (
        clock_skew_problem(clock_ahead_s(response), source="cloudwatch", operation="cloudwatch:GetMetricData") is None
    )


def test_a_clock_ahead_of_the_date_by_more_than_a_reply_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_355_200.0)
    dates = ("Fri, 02 Jan 2026 11:59:55 GMT", "Fri, 02 Jan 2026 09:00:00 GMT", "Fri, 02 Jan 2026 15:00:00 GMT")
    leads_s = [clock_lead_s(clock_ahead_s(response_dated(date))) for date in dates]
    assert leads_s == [0.0, 3 * 3600.0, 0.0]


def test_clock_skew_above_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_767_355_200.0)
    response = response_dated("Fri, 02 Jan 2026 11:58:30 GMT")
    assert clock_skew_problem(
        clock_ahead_s(response), source="cloudwatch", operation="cloudwatch:GetMetricData"
    ) == Problem("clock_skew", "cloudwatch", "cloudwatch:GetMetricData", "+90 s", "2026-01-02 11:58:30 UTC")
