"""What the AWS sources share: a client with time limits and patience, and the outside world's faults as problems."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from migration import Aws
from sources import Problem, ProblemKind

CONNECT_TIMEOUT_S = 3
READ_TIMEOUT_S = 10
SKEW_S = 30  # AWS refuses signatures that are 5 minutes off; beyond this the newest minutes are already wrong

_KINDS: dict[str, ProblemKind] = {
    "ExpiredToken": "expired_token",
    "ExpiredTokenException": "expired_token",
    "RequestExpired": "clock_skew",
    "RequestTimeTooSkewed": "clock_skew",
    "SignatureDoesNotMatch": "wrong_key",
    "InvalidSignatureException": "wrong_key",
    "InvalidClientTokenId": "wrong_key",
    "UnrecognizedClientException": "wrong_key",
    "AuthFailure": "wrong_key",
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
    "InternalFailure": "server_error",
    "InternalServiceFault": "server_error",
    "InternalServiceError": "server_error",
    "ServiceUnavailable": "server_error",
    "LoadBalancerNotFound": "not_found",
    "ListenerNotFound": "not_found",
    "RuleNotFound": "not_found",
    "TargetGroupNotFound": "not_found",
}


def client(service: str, aws: Aws) -> Any:
    """A boto3 client by boto3's own credential chain, with short time limits and adaptive retries. AWS_ENDPOINT_URL is honoured as boto3 does.

    Raises BotoCoreError where the profile does not exist: `problem_of` turns that into a problem.
    """
    session = boto3.Session(profile_name=aws.profile or None, region_name=aws.region)
    return session.client(
        service,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "adaptive", "total_max_attempts": 3},
            user_agent_extra="migration-dashboard",
        ),
    )


def problem_of(error: BotoCoreError | ClientError, *, source: str, operation: str, about: str = "") -> Problem:
    """What went wrong, as a problem. `operation` is the IAM action that was tried, e.g. "cloudwatch:GetMetricData"."""
    detail = str(error)
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        code, detail = said.get("Code", ""), said.get("Message", "") or detail
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        kind = _KINDS.get(code)
        if kind == "wrong_key" and ("Signature expired" in detail or "Signature not yet current" in detail):
            kind = "clock_skew"
        if kind is None:
            kind = (
                "server_error"
                if status >= 500
                else "throttled"
                if status == 429
                else "denied"
                if status in (401, 403)
                else "bad_request"
            )
        return Problem(kind, source, operation, about, f"{code}: {detail}" if code else detail)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound, CredentialRetrievalError)):
        kind = "no_credentials"
    elif isinstance(error, (SSOError, TokenRetrievalError)):
        kind = "expired_token"
    elif isinstance(error, (ConnectTimeoutError, ReadTimeoutError)):
        kind = "timeout"
    elif isinstance(error, (EndpointConnectionError, HTTPClientError)):
        # A region that does not exist has an endpoint that does not resolve.
        kind = "unreachable"
    else:
        kind = "bad_reply"
    return Problem(kind, source, operation, about, detail)


def skew_of(reply: dict[str, Any], *, source: str, operation: str) -> Problem | None:
    """A problem where the reply's Date header and this machine's clock differ by more than SKEW_S seconds."""
    stamp = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not stamp:
        return None
    try:
        ahead_s = time.time() - parsedate_to_datetime(stamp).replace(tzinfo=UTC).timestamp()
    except (TypeError, ValueError):
        return None
    if abs(ahead_s) <= SKEW_S:
        return None
    theirs = datetime.fromtimestamp(time.time() - ahead_s, UTC)
    return Problem("clock_skew", source, operation, f"{ahead_s:+.0f} s", f"{theirs:%Y-%m-%d %H:%M:%S} UTC")
