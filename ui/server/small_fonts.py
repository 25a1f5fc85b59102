"""Parts of Streamlit's fonts in place of the whole ones (fonts/README.md)."""

from pathlib import Path
from types import MappingProxyType

from ui.server.asgi import ASGIApp, Receive, Scope, Send

_FOLDER = Path(__file__).parent / "fonts"
# By the beginning of the path that Streamlit's style refers to; after it is a hash of the whole font.
SMALL_FONTS = MappingProxyType(
    {
        "/static/media/SourceSansVF-Upright.": _FOLDER / "text.woff2",
        "/static/media/MaterialSymbols-Rounded.": _FOLDER / "icons.woff2",
    }
)
# Not forever: the URL does not change with these files.
CACHE_CONTROL = b"public, max-age=86400"


class SmallFonts:
    """The middleware that answers requests for SMALL_FONTS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._fonts = {prefix: file.read_bytes() for prefix, file in SMALL_FONTS.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" and scope["method"] == "GET" else ""
        font = next((font for prefix, font in self._fonts.items() if path.startswith(prefix)), None)
        if font is None:
            await self.app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"font/woff2"),
            (b"content-length", str(len(font)).encode()),
            (b"cache-control", CACHE_CONTROL),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": font})
