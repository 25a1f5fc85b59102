"""Opens a Terraform state where it is, and reads it in chunks: nothing of it is written to disk."""

import contextlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path

from sources.aws.calls import ClientProvider
from sources.aws.client import AWS_ERRORS, AwsAccess, call_api, problem_from_error, require_keys
from sources.infrastructure.base import InfrastructureError, InfrastructureIssue
from sources.infrastructure.files import open_regular
from sources.infrastructure.state_http import open_url
from sources.infrastructure.state_location import S3Object, StateUrl, display_location, parse_location
from sources.infrastructure.terraform_cloud import open_workspace
from sources.infrastructure.terraform_state import TerraformState, parse_state
from sources.transport import DOWNLOAD_DEADLINE_S, ReplyLimits, limits

SOURCE = "tfstate_s3"
GET_PERMISSION, DECRYPT_PERMISSION = "s3:GetObject", "kms:Decrypt"
MAX_STATE_MIB = 100
_CHUNK_BYTES = 1 << 16


def read_state(location: str, access: AwsAccess, environment: Mapping[str, str]) -> TerraformState:
    """The state at a location (state_location.parse_location has its forms). Raises InfrastructureError."""
    with (
        limits(ReplyLimits(DOWNLOAD_DEADLINE_S, inf)),
        contextlib.closing(_open(location, access, environment)) as chunks,
    ):
        return parse_state(_limited(chunks, display_location(location)), display_location(location))


def _open(location: str, access: AwsAccess, environment: Mapping[str, str]) -> Generator[bytes, None, None]:
    parsed = parse_location(location)
    if isinstance(parsed, Path):
        return _open_file(parsed)
    if isinstance(parsed, S3Object):
        return _open_object(parsed, access)
    if isinstance(parsed, StateUrl):
        return open_url(parsed)
    return open_workspace(parsed, environment)


def _limited(chunks: Iterable[bytes], origin: str) -> Iterator[bytes]:
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        if n_bytes > MAX_STATE_MIB << 20:
            params = {"limit": f"{MAX_STATE_MIB} MiB"}
            raise InfrastructureError(InfrastructureIssue("file_too_large", origin, params=params))
        yield chunk


def _open_file(path: Path) -> Generator[bytes, None, None]:
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _open_object(location: S3Object, access: AwsAccess) -> Generator[bytes, None, None]:
    client = ClientProvider("s3", access)
    try:
        response = call_api(client().get_object, Bucket=location.bucket, Key=location.key)
        require_keys(response, "Body")
        with contextlib.closing(response["Body"]) as body:
            while chunk := body.read(_CHUNK_BYTES):
                yield chunk
    except AWS_ERRORS as error:
        about = f"s3://{location.bucket}/{location.key}"
        problem = problem_from_error(error, source=SOURCE, operation=GET_PERMISSION, about=about)
        if "kms" in problem.detail.lower() and problem.kind in ("denied", "bad_request", "not_found"):
            problem = replace(problem, kind="denied", operation=DECRYPT_PERMISSION)
        raise InfrastructureError(problem) from None
