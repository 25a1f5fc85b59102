"""CloudWatch Logs on loopback: FilterLogEvents, page by page."""

from http.server import ThreadingHTTPServer
from typing import Any

from tests.fakes.http import ErrorReply, LoopbackServer, aws_json_handler

DENIED: ErrorReply = (
    400,
    "AccessDeniedException",
    "User: arn:aws:sts::123456789012:assumed-role/viewer/s is not authorized to perform: logs:FilterLogEvents",
)
THROTTLED: ErrorReply = (400, "ThrottlingException", "Rate exceeded")
NOT_FOUND: ErrorReply = (400, "ResourceNotFoundException", "The specified log group does not exist.")


class FakeCloudWatchLogs(LoopbackServer):
    """`groups`: (epoch milliseconds, message) by log group; `errors`: the reply to every call about a group. Others do not exist."""

    def __init__(self) -> None:
        self.groups: dict[str, list[tuple[int, str]]] = {}
        self.errors: dict[str, ErrorReply] = {}
        self.page_size = 100
        self.calls: list[dict[str, Any]] = []
        super().__init__(ThreadingHTTPServer(("127.0.0.1", 0), aws_json_handler(self._handle)))

    def _handle(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert operation.endswith(".FilterLogEvents")
        self.calls.append(request)
        group = request["logGroupName"]
        if error := self.errors.get(group, None if group in self.groups else NOT_FOUND):
            status, code, message = error
            return status, {"__type": code, "message": message}
        lines = sorted(line for line in self.groups[group] if request["startTime"] <= line[0] < request["endTime"])
        first = int(request.get("nextToken", "0"))
        page = lines[first : first + min(self.page_size, request["limit"])]
        events = [
            {"logStreamName": "s", "timestamp": ts, "message": message, "eventId": f"{group}:{first + index}:{ts}"}
            for index, (ts, message) in enumerate(page)
        ]
        more = first + len(page) < len(lines)
        return 200, {"events": events} | ({"nextToken": str(first + len(page))} if more else {})
