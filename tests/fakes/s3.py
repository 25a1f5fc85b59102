"""S3 and a load balancer's attributes on loopback: moto behind a layer that denies, truncates, redirects and throttles."""

import gzip
import io
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import parse_qs, unquote
from urllib.request import Request, urlopen

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from domain import Arn, Aws
from tests.fakes.elbv2 import REGION, QuietRequestHandler
from tests.fakes.http import LoopbackServer

BUCKET = "photo-logs"
_SETUP_ACCESS_KEY = "AKIAWORLDSOWNBUILDER"  # of the fake's own calls, which no fault affects


class FakeS3(LoopbackServer):
    """The load balancer "photo", which writes its logs to `BUCKET`/alb. One at a time in a process: moto keeps its state in module variables."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.prefix = "alb"
        self.denied_paths: set[str] = set()  # parts of request paths
        self.error: tuple[int, str] | None = None  # status and code of every reply of S3
        self.truncations: dict[
            str, list[int]
        ] = {}  # part of a path → lengths in bytes that its next replies are truncated to
        self.bucket_region = REGION
        self.calls: list[str] = []  # "GET /photo-logs/… bytes=5-"
        super().__init__(make_server("127.0.0.1", 0, self._handle, threaded=True, request_handler=QuietRequestHandler))

    def __enter__(self) -> Self:
        super().__enter__()
        with urlopen(Request(f"{self.url}/moto-api/reset", method="POST")) as reply:
            reply.read()
        ec2, self.elbv2, self.s3 = (self._client(name) for name in ("ec2", "elbv2", "s3"))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = ((1, "a"), (2, "c"))
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
            for at, zone in zones
        ]
        subnet_ids = [subnet["SubnetId"] for subnet in subnets]
        reply = self.elbv2.create_load_balancer(Name="photo", Subnets=subnet_ids)
        self.load_balancer = str(reply["LoadBalancers"][0]["LoadBalancerArn"])
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.enable_logs()
        return self

    def enable_logs(self, enabled: str = "true") -> None:
        attributes = {"enabled": enabled, "bucket": BUCKET, "prefix": self.prefix}
        self.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=self.load_balancer,
            Attributes=[{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in attributes.items()],
        )

    @property
    def aws(self) -> Aws:
        return Aws(region=REGION, load_balancer=self.load_balancer)

    def log_key(self, end: datetime, number: int = 1, *, balancer: str = "", kind: str = "") -> str:
        """The key of the log file whose five minutes end at `end`, as the load balancer names it."""
        arn = Arn.parse(self.load_balancer)
        assert arn
        name = balancer or arn.dimension.replace("/", ".")
        return (
            f"{self.prefix}/AWSLogs/123456789012/elasticloadbalancing/{REGION}/{end:%Y/%m/%d}/{kind}123456789012_elasticloadbalancing_{REGION}_{name}"
            f"_{end:%Y%m%dT%H%MZ}_10.0.1.{number}_3c8d6a1b.log.gz"
        )

    def put_log(self, key: str, content: str | bytes) -> str:
        body = gzip.compress(content.encode()) if isinstance(content, str) else content
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return key

    def downloads(self) -> list[str]:
        """The downloaded objects, with the byte range."""
        return [call.rpartition("_app.")[2] or call for call in self.calls if ".log" in call.partition("?")[0]]

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=_SETUP_ACCESS_KEY,
            aws_secret_access_key="an-example-secret",
        )

    def _handle(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        signed = environ.get("HTTP_AUTHORIZATION", "")
        path = unquote(environ["PATH_INFO"])
        if path.startswith("/moto-api") or _SETUP_ACCESS_KEY in signed or "/s3/" not in signed:
            return self._send(start, *self._call_moto(environ, body))
        byte_range = environ.get("HTTP_RANGE", "")
        query = parse_qs(environ.get("QUERY_STRING", ""))
        self.calls.append(f"{environ['REQUEST_METHOD']} {path}{'?' if query else ''} {byte_range}".rstrip())
        region = re.search(r"Credential=[^/]+/\d+/([^/]+)/", signed)
        if region and region[1] != self.bucket_region:
            return self._send(
                start,
                301,
                [("x-amz-bucket-region", self.bucket_region)],
                _error_body("PermanentRedirect", self.bucket_region),
            )
        if self.error:
            return self._send(start, self.error[0], [], _error_body(self.error[1], "Please reduce your request rate."))
        if any(part in path or part in str(query) for part in self.denied_paths):
            return self._send(start, 403, [], _error_body("AccessDenied", "User: viewer is not authorized"))
        status, headers, reply = self._call_moto(environ, body)
        for part, lengths in self.truncations.items():
            if part in path and lengths:
                return self._send(start, status, headers, reply, length=lengths.pop(0))
        return self._send(start, status, headers, reply)

    def _call_moto(self, environ: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        moto_environ = {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        chunks, status, headers = run_wsgi_app(self._moto, moto_environ, buffered=True)
        reply_headers = [
            (name, value) for name, value in headers if name.lower() not in ("content-length", "date", "server")
        ]
        return int(status.split()[0]), reply_headers, b"".join(chunks)

    def _send(
        self,
        start: Callable[..., Any],
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        length: int | None = None,
    ) -> Iterable[bytes]:
        """A reply; `length`: it announces the whole body and ends after `length` bytes."""
        now = f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}"
        start(f"{status} -", [*headers, ("Content-Length", str(len(body))), ("Date", now)])
        return [body[:length]]


def _error_body(code: str, message: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
