"""Streamlit's HTML document, with the style of the pages in it, and links to what they need first."""

from collections.abc import Iterable
from dataclasses import dataclass

from ui.server.asgi import ASGIApp, Event, Receive, Scope, Send, header_values
from ui.server.preloads import preload_links

# A document of an older version, which the browser may have, is not to be confirmed; nor is the new one to be compressed yet.
REQUEST_HEADERS = (b"if-none-match", b"if-modified-since", b"accept-encoding")
# Those of Streamlit's file.
RESPONSE_HEADERS = (b"etag", b"last-modified", b"accept-ranges", b"content-length")


@dataclass(frozen=True, slots=True)
class StyledDocument:
    """Adds `css`, `body` and the links of ui.server.preloads to the document that a browser navigates to.

    Sent by the script, the style would come seconds after the first paint, and move everything. It is the first element of the body:
    Streamlit adds its own rules to the head, and of equal ones the last wins.
    """

    app: ASGIApp
    css: str
    body: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_navigation(scope):
            await self.app(scope, receive, send)
            return
        start: Event | None = None
        body = bytearray()

        async def with_style(message: Event) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_document(message):
                start = {**message, "headers": _without(message["headers"], RESPONSE_HEADERS)}
            elif start is None:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    links = preload_links(scope["path"]).encode()
                    styled = bytes(body).replace(b"</head>", links + b"</head>", 1)
                    styled = styled.replace(b"<body>", f"<body><style>{self.css}</style>{self.body}".encode(), 1)
                    start["headers"].append((b"content-length", str(len(styled)).encode()))
                    await send(start)
                    await send({**message, "body": styled})

        await self.app({**scope, "headers": _without(scope["headers"], REQUEST_HEADERS)}, receive, with_style)


def _is_navigation(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and any("text/html" in value for value in header_values(scope, b"accept"))
    )


def _is_document(start: Event) -> bool:
    types = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == 200 and any(value.startswith(b"text/html") for value in types)


def _without(headers: Iterable[tuple[bytes, bytes]], names: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in names]
