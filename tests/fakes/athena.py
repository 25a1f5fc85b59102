"""Athena and S3 on loopback: objects that can be listed and got, and queries that are really counted, by Python's reading of the table's expression."""

import csv
import gzip
import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import duckdb
import pyarrow as pa

from sources.access_logs.sql import DUCKDB, FIELDS, GROUP_COLUMNS, counts_sql
from sources.aws.athena_table import LINE_REGEX, lines_sql

BUCKET, RESULTS = "photo-logs", "photo-athena-results"


@dataclass(slots=True)
class FakeAthena:
    """`objects` by key, in BUCKET. `refuse`: what an action is refused with. `ends`: how a counting query ends, after `looks` looks at it.

    `broken`: what a result is instead. `on_look` is called at every look, with how many there were.
    """

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    final_state: tuple[str, str] = ("SUCCEEDED", "")
    polls_until_final: int = 2
    result_override: bytes = b""
    output: str = f"s3://{RESULTS}/workgroup/"
    calls: list[str] = field(default_factory=list)
    queries: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    poll_counts: dict[str, int] = field(default_factory=dict)

    def handle(self, action: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.calls.append(action)
        if action in self.errors:
            status, code, message = self.errors[action]
            return status, {"__type": code, "message": message}
        return 200, getattr(self, f"_{action}")(asked)

    def _StartQueryExecution(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = f"00000000-0000-4000-8000-{len(self.queries):012d}"
        self.queries[query] = asked["QueryString"]
        return {"QueryExecutionId": query}

    def _GetQueryExecution(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = asked["QueryExecutionId"]
        seen = self.poll_counts[query] = self.poll_counts.get(query, 0) + 1
        state, reason = ("RUNNING", "") if seen <= self.polls_until_final else self.final_state
        if self.queries[query].startswith("CREATE"):
            state, reason = "SUCCEEDED", ""
            self.tables.append(self.queries[query])
        status = {"State": state} | ({"StateChangeReason": reason} if reason else {})
        return {
            "QueryExecution": {
                "QueryExecutionId": query,
                "Status": status,
                "Statistics": {"DataScannedInBytes": 100 * seen},
                "ResultConfiguration": {"OutputLocation": f"s3://{RESULTS}/{query}.csv"},
            }
        }

    def _StopQueryExecution(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(asked["QueryExecutionId"])
        return {}

    def _GetWorkGroup(self, asked: dict[str, Any]) -> dict[str, Any]:
        results = {"ResultConfiguration": {"OutputLocation": self.output}} if self.output else {}
        return {"WorkGroup": {"Name": asked["WorkGroup"], "State": "ENABLED", "Configuration": results}}

    def _GetDatabase(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Database": {"Name": asked["DatabaseName"]}}

    def list_objects(self, asked: dict[str, list[str]]) -> bytes:
        """ListObjectsV2, two keys a page."""
        prefix, after = asked.get("prefix", [""])[0], asked.get("start-after", [""])[0]
        after = max(after, asked.get("continuation-token", [""])[0])
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size></Contents>" for key in keys[:2]
        )
        more = f"<NextContinuationToken>{escape(keys[1])}</NextContinuationToken>" if len(keys) > 2 else ""
        return (
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{rows}'
            "</ListBucketResult>"
        ).encode()

    def result_csv(self, query: str) -> bytes:
        """A query's CSV file, as Athena writes it: every text in quotes, null as nothing."""
        if self.result_override:
            return self.result_override
        (day,) = re.findall(r"day = '([\d/]+)'", self.queries[query])
        (own,) = re.findall(r"strpos\(\"\$path\", '([^']+)'\)", self.queries[query])
        apart = re.findall(rf"'s3://{BUCKET}/([^']+)'", self.queries[query])
        lines = [
            line
            for key, body in self.objects.items()
            if f"/{day}/" in key and own in key and key not in apart
            for line in gzip.decompress(body).decode().splitlines()
        ]
        reads = re.compile(LINE_REGEX)
        found = [reads.fullmatch(line) for line in lines]
        fields = [dict(zip(FIELDS, one.groups() if one else [None] * len(FIELDS), strict=True)) for one in found]
        with duckdb.connect() as database:
            database.register("logs", pa.Table.from_pylist(fields, pa.schema([(name, pa.string()) for name in FIELDS])))
            rows = database.execute(counts_sql(DUCKDB, lines_sql(DUCKDB, "logs"), examples=True)).fetchall()
        out = io.StringIO()
        written = csv.writer(out, quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else csv.QUOTE_ALL)
        written.writerow((*GROUP_COLUMNS, "n", "example"))
        for row in rows:
            written.writerow(row)
        return out.getvalue().encode()


@contextmanager
def fake_athena() -> Iterator[FakeAthena]:
    world = FakeAthena()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = world.handle(self.headers["X-Amz-Target"].removeprefix("AmazonAthena."), asked)
            self._say(status, json.dumps(told).encode(), "application/x-amz-json-1.1")

        def do_GET(self) -> None:
            bucket, _, key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
            action = "GetObject" if key else "ListBucket"
            world.calls.append(action)
            if action in world.errors:
                status, code, message = world.errors[action]
                said = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
                self._say(status, said.encode(), "application/xml")
            elif key:
                body = world.result_csv(key.removesuffix(".csv")) if bucket == RESULTS else world.objects[key]
                self._say(200, body, "binary/octet-stream")
            else:
                self._say(200, world.list_objects(parse_qs(urlsplit(self.path).query)), "application/xml")

        def _say(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        world.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
