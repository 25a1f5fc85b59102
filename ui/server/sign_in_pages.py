"""The pages that are shown in place of one that needs a sign-in."""

import asyncio

from messages.i18n import ENGLISH, in_language, supported_language
from ui.server.asgi import Scope, Send, header_values
from ui.server.request_guard import STREAMLIT_PREFIX

NOT_PAGES = ("/media/", "/component/", STREAMLIT_PREFIX, "/api/")


def accepts_page(scope: Scope) -> bool:
    """Whether a browser asked for a page, rather than for a part or a download of one."""
    is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    return (
        is_read and not scope["path"].startswith(NOT_PAGES) and "text/html" in ",".join(header_values(scope, b"accept"))
    )


def language_of(scope: Scope) -> str:
    """The first language of the browser that there is a translation for."""
    accepted = ",".join(header_values(scope, b"accept-language")).split(",")
    return next(filter(None, (supported_language(item.partition(";")[0].strip()) for item in accepted)), ENGLISH)


async def send_page(
    scope: Scope,
    send: Send,
    status: int,
    sentence: object,
    *more_headers: tuple[bytes, bytes],
    sign_in: str = "",
    sign_out: bool = False,
) -> None:
    """A page with one sentence. `sign_in`: the path that a link to sign in leads to; "" without."""
    language = language_of(scope)
    with in_language(language):
        body = await asyncio.to_thread(
            _render, language=language, sentence=str(sentence), sign_in=sign_in, sign_out=sign_out
        )
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *more_headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _render(**values: object) -> bytes:
    from reports.templating import render  # it imports all messages, for which the server does not wait

    return render("sign_in.page", **values).encode()
