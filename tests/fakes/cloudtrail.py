"""A CloudTrail on loopback that answers LookupEvents: newest first, page by page, by one attribute, from when to when."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

AMZ_JSON = "application/x-amz-json-1.1"
DENIED = (
    400,
    "AccessDeniedException",
    "User: arn:aws:sts::123456789012:assumed-role/viewer/s is not authorized to perform: cloudtrail:LookupEvents",
)
THROTTLED = (400, "ThrottlingException", "Rate exceeded")


@dataclass(slots=True)
class FakeCloudTrail:
    """`records` are what CloudTrail has delivered (the contents of `CloudTrailEvent`); `refuse` is what every call is refused with."""

    url: str = ""
    records: list[Mapping[str, Any]] = field(default_factory=list)
    error: tuple[int, str, str] | None = None
    page_size: int = 50
    calls: list[str] = field(default_factory=list)

    def handle(self, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        (attribute,) = asked["LookupAttributes"]  # CloudTrail takes one
        assert attribute["AttributeKey"] == "EventName"
        self.calls.append(attribute["AttributeValue"])
        if self.error:
            status, code, message = self.error
            return status, {"__type": code, "message": message}
        start, end = asked.get("StartTime", 0), asked.get("EndTime", 2**40)
        told = [
            (datetime.fromisoformat(record["eventTime"]).timestamp(), record)
            for record in self.records
            if record["eventName"] == attribute["AttributeValue"]
        ]
        told = sorted(((at, one) for at, one in told if start <= at <= end), key=lambda each: -each[0])
        begin = int(asked.get("NextToken", "0"))
        after = begin + min(self.page_size, asked.get("MaxResults", 50))
        events = [
            {"EventId": one["eventID"], "EventName": one["eventName"], "EventTime": at}
            | {"EventSource": one["eventSource"], "ReadOnly": "false", "CloudTrailEvent": json.dumps(one)}
            for at, one in told[begin:after]
        ]
        return 200, {"Events": events} | ({"NextToken": str(after)} if after < len(told) else {})


@contextmanager
def fake_cloudtrail(*, port: int = 0) -> Iterator[FakeCloudTrail]:
    world = FakeCloudTrail()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, told = world.handle(asked)
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", AMZ_JSON)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        world.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
