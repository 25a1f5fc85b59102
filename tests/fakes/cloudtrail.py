"""A CloudTrail on loopback that answers LookupEvents: newest first, page by page, by one attribute, between two times."""

import json
from collections.abc import Mapping
from datetime import datetime
from http.server import ThreadingHTTPServer
from typing import Any

from tests.fakes.http import ErrorReply, LoopbackServer, aws_json_handler

DENIED: ErrorReply = (
    400,
    "AccessDeniedException",
    "User: arn:aws:sts::123456789012:assumed-role/viewer/s is not authorized to perform: cloudtrail:LookupEvents",
)
THROTTLED: ErrorReply = (400, "ThrottlingException", "Rate exceeded")


class FakeCloudTrail(LoopbackServer):
    """`records` are the delivered events (the contents of `CloudTrailEvent`); `error`, if set, is the reply to every call."""

    def __init__(self, *, port: int = 0) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.error: ErrorReply | None = None
        self.page_size = 50
        self.calls: list[str] = []
        super().__init__(ThreadingHTTPServer(("127.0.0.1", port), aws_json_handler(self._handle)))

    def _handle(self, _operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        (attribute,) = request["LookupAttributes"]  # CloudTrail takes one
        assert attribute["AttributeKey"] == "EventName"
        self.calls.append(attribute["AttributeValue"])
        if self.error:
            status, code, message = self.error
            return status, {"__type": code, "message": message}
        start, end = request.get("StartTime", 0), request.get("EndTime", 2**40)
        times = [(datetime.fromisoformat(record["eventTime"]).timestamp(), record) for record in self.records]
        records = sorted(
            (
                (time, record)
                for time, record in times
                if record["eventName"] == attribute["AttributeValue"] and start <= time <= end
            ),
            key=lambda item: -item[0],
        )
        first = int(request.get("NextToken", "0"))
        after = first + min(self.page_size, request.get("MaxResults", 50))
        events = [
            {"EventId": record["eventID"], "EventName": record["eventName"], "EventTime": time}
            | {"EventSource": record["eventSource"], "ReadOnly": "false", "CloudTrailEvent": json.dumps(record)}
            for time, record in records[first:after]
        ]
        return 200, {"Events": events} | ({"NextToken": str(after)} if after < len(records) else {})
