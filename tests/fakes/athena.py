"""Athena and S3 on loopback: objects to list and get, and queries that are really counted, with Python's evaluation of the table's regular expression."""

import gzip
import re
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import duckdb
import pyarrow as pa

from sources.access_logs.sql import DUCKDB, FIELDS, counts_sql
from sources.aws.athena_table import LINE_REGEX, lines_sql
from tests.fakes.http import AwsJsonHandler, ErrorReply, LoopbackServer

BUCKET, RESULTS = "photo-logs", "photo-athena-results"


class FakeAthena(LoopbackServer):
    """Its state and faults are plain attributes, set at any time."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}  # by key, in BUCKET
        self.errors: dict[str, ErrorReply] = {}  # operation → its reply
        self.final_state = ("SUCCEEDED", "")  # of a counting query, with its reason
        self.polls_until_final = 2
        self.result_override = b""  # sent instead of a query's result
        self.output = f"s3://{RESULTS}/workgroup/"
        self.calls: list[str] = []
        self.queries: dict[str, str] = {}
        self.stopped: list[str] = []
        self.tables: list[str] = []
        self.poll_counts: dict[str, int] = {}
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self)))

    def handle(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(operation)
        if operation in self.errors:
            status, code, message = self.errors[operation]
            return status, {"__type": code, "message": message}
        if request.get("QueryExecutionId", "") not in {"", *self.queries}:
            return 400, {"__type": "InvalidRequestException", "message": "QueryExecution was not found"}
        return 200, getattr(self, f"_{operation}")(request)

    def _StartQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        query = f"00000000-0000-4000-8000-{len(self.queries):012d}"
        self.queries[query] = request["QueryString"]
        return {"QueryExecutionId": query}

    def _GetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        query = request["QueryExecutionId"]
        polls = self.poll_counts[query] = self.poll_counts.get(query, 0) + 1
        state, reason = ("RUNNING", "") if polls <= self.polls_until_final else self.final_state
        if self.queries[query].startswith("CREATE"):
            state, reason = "SUCCEEDED", ""
            self.tables.append(self.queries[query])
        status = {"State": state} | ({"StateChangeReason": reason} if reason else {})
        return {
            "QueryExecution": {
                "QueryExecutionId": query,
                "Status": status,
                "Statistics": {"DataScannedInBytes": 100 * polls},
                "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/{query}.csv"},
            }
        }

    def _StopQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(request["QueryExecutionId"])
        return {}

    def _GetWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        results = {"ResultConfiguration": {"OutputLocation": self.output}} if self.output else {}
        return {"WorkGroup": {"Name": request["WorkGroup"], "State": "ENABLED", "Configuration": results}}

    def _GetDatabase(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"Database": {"Name": request["DatabaseName"]}}

    def list_objects(self, query: dict[str, list[str]]) -> bytes:
        """ListObjectsV2, two keys a page."""
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        after = max(after, query.get("continuation-token", [""])[0])
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size></Contents>" for key in keys[:2]
        )
        token = f"<NextContinuationToken>{escape(keys[1])}</NextContinuationToken>" if len(keys) > 2 else ""
        return (
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(bool(token)).lower()}</IsTruncated>{token}{rows}'
            "</ListBucketResult>"
        ).encode()

    def result_csv(self, query: str) -> bytes:
        """A query's CSV file as Athena writes it: texts in quotes, null as an empty field."""
        if self.result_override:
            return self.result_override
        (day,) = re.findall(r"day = '([\d/]+)'", self.queries[query])
        (load_balancer,) = re.findall(r"strpos\(\"\$path\", '([^']+)'\)", self.queries[query])
        excluded = re.findall(rf"'s3://{BUCKET}/([^']+)'", self.queries[query])
        lines = [
            line
            for key, body in self.objects.items()
            if f"/{day}/" in key and load_balancer in key and key not in excluded
            for line in gzip.decompress(body).decode().splitlines()
        ]
        matches = [re.fullmatch(LINE_REGEX, line) for line in lines]
        fields = [
            dict(zip(FIELDS, match.groups() if match else [None] * len(FIELDS), strict=True)) for match in matches
        ]
        with duckdb.connect() as database:
            database.register("logs", pa.Table.from_pylist(fields, pa.schema([(name, pa.string()) for name in FIELDS])))
            result = database.execute(counts_sql(DUCKDB, lines_sql(DUCKDB, "logs"), examples=True, details=True))
            rows = [tuple(name for name, *_ in result.description or ()), *result.fetchall()]
        return "".join(",".join(map(_csv_field, row)) + "\n" for row in rows).encode()


def _csv_field(value: object) -> str:
    quoted = str(value).replace('"', '""')
    return "" if value is None else f'"{quoted}"'


def _make_handler(fake: FakeAthena) -> type[AwsJsonHandler]:
    class Handler(AwsJsonHandler):
        def reply(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            return fake.handle(operation.removeprefix("AmazonAthena."), request)

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            operation = "GetObject" if key else "ListBucket"
            fake.calls.append(operation)
            if operation in fake.errors:
                status, code, message = fake.errors[operation]
                error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                self.send(status, error.encode(), "application/xml")
            elif key:
                body = fake.result_csv(key.removesuffix(".csv")) if bucket == RESULTS else fake.objects[key]
                self.send(200, body, "binary/octet-stream")
            else:
                self.send(200, fake.list_objects(parse_qs(url.query)), "application/xml")

    return Handler
