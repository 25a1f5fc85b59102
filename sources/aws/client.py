"""What the AWS sources share: a client with time limits and patience, and the outside world's faults as problems."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    InfiniteLoopConfigError,
    InvalidConfigError,
    InvalidEndpointConfigurationError,
    LoginError,
    LoginInsufficientPermissions,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
    UnknownCredentialError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from domain import Aws
from sources.base import Problem, ProblemKind

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 10
MAX_ATTEMPTS = 3
MAX_CLOCK_SKEW_S = 30  # AWS refuses signatures that are 5 minutes off; beyond this the newest minutes are already wrong
AWS_ERRORS = (BotoCoreError, ClientError, ResponseParserError)  # what `client` and `call` may raise

_KIND_BY_ERROR_CODE: dict[str, ProblemKind] = {
    "ExpiredToken": "expired_token",
    "ExpiredTokenException": "expired_token",
    "RequestExpired": "clock_skew",
    "RequestTimeTooSkewed": "clock_skew",
    "SignatureDoesNotMatch": "wrong_key",
    "InvalidSignatureException": "wrong_key",
    "InvalidClientTokenId": "wrong_key",
    "UnrecognizedClientException": "wrong_key",
    "AuthFailure": "wrong_key",
    "IncompleteSignature": "wrong_key",
    "MissingAuthenticationToken": "no_credentials",
    "MissingAuthenticationTokenException": "no_credentials",
    "AccessDenied": "denied",
    "AccessDeniedException": "denied",
    "UnauthorizedOperation": "denied",
    "NotAuthorized": "denied",
    "OptInRequired": "denied",
    "Throttling": "throttled",
    "ThrottlingException": "throttled",
    "ThrottledException": "throttled",
    "RequestLimitExceeded": "throttled",
    "TooManyRequestsException": "throttled",
    "LimitExceeded": "throttled",
    "InvalidNextToken": "bad_reply",
    "InternalFailure": "server_error",
    "InternalServiceFault": "server_error",
    "InternalServiceError": "server_error",
    "ServiceUnavailable": "server_error",
    "SlowDown": "throttled",
    "InvalidAccessKeyId": "wrong_key",
    "InvalidToken": "wrong_key",
    "PermanentRedirect": "wrong_region",
    "AuthorizationHeaderMalformed": "wrong_region",
    "NoSuchBucket": "not_found",
    "NoSuchKey": "not_found",
    "LoadBalancerNotFound": "not_found",
    "ListenerNotFound": "not_found",
    "RuleNotFound": "not_found",
    "TargetGroupNotFound": "not_found",
    "ApplicationDoesNotExistException": "gone",
    "DeploymentGroupDoesNotExistException": "gone",
    "ClusterNotFoundException": "gone",
    "ServiceNotFoundException": "gone",
    "ServiceNotActiveException": "gone",
}


def create_client(
    service: str,
    aws: Aws,
    *,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
    max_attempts: int = MAX_ATTEMPTS,
) -> Any:
    """A boto3 client by boto3's own credential chain, with short time limits and adaptive retries. AWS_ENDPOINT_URL is honoured as boto3 does.

    `attempts` counts the first one too. Raises BotoCoreError where the profile or the endpoint is nonsense: `problem_of` turns that into a problem.
    """
    session = boto3.Session(profile_name=aws.profile or None, region_name=aws.region)
    config = Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"mode": "adaptive", "total_max_attempts": max_attempts},
        user_agent_extra="migration-dashboard",
    )
    try:
        return session.client(service, config=config)
    except BotoCoreError:
        raise
    except ValueError as error:  # "Invalid endpoint: …", from AWS_ENDPOINT_URL
        raise InvalidEndpointConfigurationError(msg=str(error)) from error


def call_api(method: Callable[..., dict[str, Any]], **parameters: Any) -> dict[str, Any]:
    """One call of a client's method. A reply that boto3 cannot read raises ResponseParserError, where boto3 itself would stumble.

    Such a reply has the right status and the wrong body: a proxy's page in another encoding, a list for an object, a date that is none.
    """
    try:
        return method(**parameters)
    except AWS_ERRORS:
        raise
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise ResponseParserError(f"{type(error).__name__}: {error}") from error


def problem_from_error(error: Exception, *, source: str, operation: str, about: str = "") -> Problem:
    """What went wrong (one of FAULTS), as a problem. `operation` is the IAM action that was tried, e.g. "cloudwatch:GetMetricData"."""
    if not isinstance(error, ClientError):
        return Problem(_kind_of_client_error(error), source, operation, about, str(error))
    said = error.response.get("Error", {})
    code, detail = said.get("Code", ""), said.get("Message", "") or str(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Problem(
        _kind_of_error_response(code, detail, status), source, operation, about, f"{code}: {detail}" if code else detail
    )


def _kind_of_error_response(code: str, detail: str, status: int) -> ProblemKind:
    """The kind of an error that the other side sent."""
    kind = _KIND_BY_ERROR_CODE.get(code)
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


def _kind_of_client_error(error: Exception) -> ProblemKind:
    """The kind of an error of this side: nothing to sign with, nobody there, or an answer that cannot be read."""
    match error:
        case LoginInsufficientPermissions():
            return "denied"
        case SSOError() | TokenRetrievalError() | LoginError():
            return "expired_token"
        case (
            NoCredentialsError()
            | PartialCredentialsError()
            | CredentialRetrievalError()
            | UnknownCredentialError()
            | ProfileNotFound()
            | ConfigNotFound()
            | ConfigParseError()
            | InvalidConfigError()
            | InfiniteLoopConfigError()
        ):
            return "no_credentials"
        case ConnectTimeoutError() | ReadTimeoutError():
            return "timeout"
        case NoConnection() | HTTPClientError():
            # A region that does not exist has an endpoint that does not resolve.
            return "unreachable"
        case ParamValidationError() | InvalidEndpointConfigurationError():
            return "bad_request"
    return "bad_reply"


def clock_skew_problem(response: dict[str, Any], *, source: str, operation: str) -> Problem | None:
    """A problem where the reply's Date header and this machine's clock differ by more than SKEW_S seconds."""
    stamp = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not stamp:
        return None
    try:
        ahead_s = time.time() - parsedate_to_datetime(stamp).replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError):
        return None
    if abs(ahead_s) <= MAX_CLOCK_SKEW_S:
        return None
    theirs = datetime.fromtimestamp(time.time() - ahead_s, UTC)
    return Problem("clock_skew", source, operation, f"{ahead_s:+.0f} s", f"{theirs:%Y-%m-%d %H:%M:%S} UTC")
