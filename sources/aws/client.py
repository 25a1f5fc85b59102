"""boto3 client factory with timeouts and retries; maps AWS errors to Problem."""

import os
import re
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import unescape
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from domain import Aws, Migration
from domain.redaction import register_secret
from sources.aws.shapes import drop_invalid_items, parse_time
from sources.base import MAX_CLOCK_SKEW_S, Problem, ProblemKind
from sources.transport import LimitedBotocoreSession, ReplyTooLargeError, http_date_s

AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)  # what `create_client` and `call_api` raise
# What botocore does not wrap.
_PYTHON_ERRORS = (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError)
_NOT_IMPLEMENTED = 501

_CODES: dict[ProblemKind, str] = {
    "no_credentials": "MissingAuthenticationToken MissingAuthenticationTokenException",
    "expired_token": "ExpiredToken ExpiredTokenException",
    "clock_skew": "RequestExpired RequestTimeTooSkewed",
    "wrong_key": (
        "SignatureDoesNotMatch InvalidSignatureException InvalidClientTokenId UnrecognizedClientException AuthFailure "
        "IncompleteSignature InvalidAccessKeyId InvalidToken"
    ),
    "wrong_region": "PermanentRedirect AuthorizationHeaderMalformed",
    "denied": "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized OptInRequired AuthorizationError",
    "throttled": (
        "Throttling Throttled ThrottlingException ThrottledException RequestLimitExceeded TooManyRequestsException LimitExceeded SlowDown"
    ),
    "server_error": "InternalFailure InternalServiceFault InternalServiceError ServiceUnavailable",
    "not_supported": "NotImplemented UnknownOperationException InvalidAction",
    "bad_reply": "InvalidNextToken",
    "not_found": (
        "LoadBalancerNotFound ListenerNotFound RuleNotFound TargetGroupNotFound ResourceNotFoundException NoSuchBucket NoSuchKey NotFound"
    ),
    "gone": (
        "ApplicationDoesNotExistException DeploymentGroupDoesNotExistException ClusterNotFoundException "
        "ServiceNotFoundException ServiceNotActiveException"
    ),
}
_KIND_BY_CODE: dict[str, ProblemKind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}

# Errors that boto3 raises without a response; the first match counts.
_KIND_BY_ERROR: tuple[tuple[ProblemKind, tuple[type[Exception], ...]], ...] = (
    ("denied", (exceptions.LoginInsufficientPermissions,)),
    ("expired_token", (exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.LoginError)),
    ("no_credentials", (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound)),
    ("no_credentials", (exceptions.CredentialRetrievalError, exceptions.UnknownCredentialError)),
    ("no_credentials", (exceptions.ConfigNotFound, exceptions.ConfigParseError)),
    ("no_credentials", (exceptions.InvalidConfigError, exceptions.InfiniteLoopConfigError)),
    ("timeout", (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)),
    ("unreachable", (exceptions.ConnectionError, exceptions.HTTPClientError)),  # also a region that does not exist
    ("bad_request", (exceptions.ParamValidationError, exceptions.InvalidEndpointConfigurationError)),
)


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """What a client needs of [aws], before there is a configuration; "": as boto3 finds it."""

    region: str = ""
    profile: str = ""


def aws_of(migration: Migration, source: str) -> Aws:
    """The [aws] table; raises ValueError if the migration has none."""
    if migration.aws is None:
        raise ValueError(f"{source} needs the [aws] table.")
    return migration.aws


def create_client(service: str, aws: Aws | AwsAccess, *, read_timeout_s: float = 10, max_attempts: int = 3) -> Any:
    """A boto3 client with boto3's credential chain, short timeouts, limited and checked replies (sources/aws/shapes.py), and adaptive retries.

    AWS_ENDPOINT_URL is honoured as in boto3.

    Its credentials are redacted in all texts from its first request on. `max_attempts` includes the first. Raises BotoCoreError for an invalid
    profile or endpoint.
    """
    botocore_session = get_session()
    botocore_session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_time)
    botocore_session.register_component("data_loader", _service_models())
    session = boto3.Session(
        profile_name=aws.profile or None, region_name=aws.region or None, botocore_session=botocore_session
    )
    session.events.register("before-sign", _register_credentials)
    config = Config(
        connect_timeout=3,
        read_timeout=read_timeout_s,
        retries={"mode": "adaptive", "total_max_attempts": max_attempts},
        user_agent_extra="migration-dashboard",
    )
    try:
        client = session.client(service, config=config)
        client._endpoint.http_session = LimitedBotocoreSession(client._endpoint.http_session)
        client.meta.events.register("after-call", _check_reply)
        return client
    except BotoCoreError:
        raise
    except _PYTHON_ERRORS as error:
        _raise_if_of_credentials(error)
        if isinstance(error, ValueError):  # "Invalid endpoint: …", from AWS_ENDPOINT_URL
            raise exceptions.InvalidEndpointConfigurationError(msg=str(error)) from error
        raise


def default_region(profile: str = "") -> str:
    """The region of AWS_REGION, AWS_DEFAULT_REGION or the profile; "" if there is none. boto3 alone does not read AWS_REGION."""
    try:
        return os.environ.get("AWS_REGION") or boto3.Session(profile_name=profile or None).region_name or ""
    except BotoCoreError:  # the first request reports it
        return ""


def available_regions() -> list[str]:
    """The regions of the partition "aws", by name."""
    regions: list[str] = boto3.Session().get_available_regions("elbv2")
    return regions


@cache
def _service_models() -> Loader:
    """boto3's descriptions of the services, read once for all clients: those of three services take megabytes and a tenth of a second."""
    loader: Loader = get_session().get_component("data_loader")
    return loader


def _register_credentials(request_signer: Any, **_: object) -> None:
    """Redacts the credentials that botocore is about to sign with, wherever it found them; also those it signs with to assume a role.

    An error can only quote them from now on. botocore itself reads them next, so nothing is asked more often.
    """
    if (credentials := request_signer._credentials) is not None:
        frozen = credentials.get_frozen_credentials()
        for secret in (frozen.secret_key, frozen.token):
            register_secret(secret or "", temporary=True)


def _check_reply(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    if http_response.status_code < 300 and model.output_shape:
        drop_invalid_items(parsed, model.output_shape)


def call_api(method: Callable[..., dict[str, Any]], **params: Any) -> dict[str, Any]:
    """One call of a client's method. Raises one of AWS_ERRORS.

    A response with status 200 and an invalid body (a proxy's page, a list for an object, an invalid date) makes boto3 fail with a ValueError,
    TypeError, AttributeError or LookupError, a huge number or depth with an ArithmeticError or RecursionError: those become ResponseParserError.
    """
    try:
        return method(**params)
    except AWS_ERRORS:
        raise
    except _PYTHON_ERRORS as error:
        _raise_if_of_credentials(error)
        if isinstance(error, OSError):  # such as a CA bundle that does not exist
            raise exceptions.HTTPClientError(error=error) from error
        raise ResponseParserError(f"{type(error).__name__}: {error}") from error


def require_keys(response: Mapping[str, Any], *keys: str) -> None:
    """Raises ResponseParserError if one of the keys is missing in a response, as boto3's result of a proxy's page does."""
    if missing := [key for key in keys if key not in response]:
        raise ResponseParserError(f"no {missing[0]}")


def _raise_if_of_credentials(error: Exception) -> None:
    """Raises CredentialRetrievalError if botocore was reading credentials: a `credential_process` that is missing, or prints something else."""
    modules = {frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)}
    if "botocore.credentials" in modules:
        raise exceptions.CredentialRetrievalError(provider="the profile", error_msg=str(error)) from error


def problem_from_error(error: Exception, *, source: str, operation: str, about: str = "") -> Problem:
    """One of AWS_ERRORS as a problem. `operation` is the IAM action that was tried, e.g. "cloudwatch:GetMetricData"."""
    if not isinstance(error, ClientError):
        if isinstance(error, exceptions.HTTPClientError) and isinstance(error.kwargs.get("error"), ReplyTooLargeError):
            return Problem("bad_reply", source, operation, about, str(error.kwargs["error"]))
        kinds: list[ProblemKind] = [kind for kind, types in _KIND_BY_ERROR if isinstance(error, types)]
        return Problem(kinds[0] if kinds else "bad_reply", source, operation, about, str(error))
    response = error.response.get("Error", {})
    code, detail = response.get("Code", ""), response.get("Message", "") or str(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind = _kind_of_error_response(code, detail, status)
    detail = _title_of_html(detail) or detail
    return Problem(kind, source, operation, about, f"{code}: {detail}" if code else detail)


def _kind_of_error_response(code: str, detail: str, status: int) -> ProblemKind:
    """The kind of an error that AWS returned."""
    if status == _NOT_IMPLEMENTED:  # whatever the code
        return "not_supported"
    kind = _KIND_BY_CODE.get(code)
    if kind == "wrong_key" and ("Signature expired" in detail or "Signature not yet current" in detail):
        return "clock_skew"
    if kind == "wrong_key" and "scoped to a valid region" in detail:
        return "wrong_region"
    if kind:
        return kind
    if status >= 500:
        return "server_error"
    if status == 429:
        return "throttled"
    return "denied" if status in (401, 403) else "bad_request"


def _title_of_html(text: str) -> str:
    """The title of an HTML page, which a proxy or an emulator sends instead of AWS's error; "" if it is none."""
    if not re.match(r"\s*<(!doctype html|html)\b", text, re.IGNORECASE):
        return ""
    title = re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL)
    return f"HTML page “{unescape(title[1]).strip()}”" if title else "HTML page"


def clock_ahead_s(response: dict[str, Any]) -> float:
    """By how much the local clock is ahead of the response's Date header, in seconds; 0 without a valid one."""
    server_time_s = http_date_s(response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
    return 0.0 if server_time_s is None else time.time() - server_time_s


def clock_skew_problem(ahead_s: float, *, source: str, operation: str) -> Problem | None:
    """A problem if the service's clock and the local clock differ by more than MAX_CLOCK_SKEW_S."""
    if abs(ahead_s) <= MAX_CLOCK_SKEW_S:
        return None
    server_time = datetime.fromtimestamp(time.time() - ahead_s, UTC)
    return Problem("clock_skew", source, operation, f"{ahead_s:+.0f} s", f"{server_time:%Y-%m-%d %H:%M:%S} UTC")
