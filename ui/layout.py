"""What all pages share: title, demo banner, notes, and error pages."""

import logging
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import streamlit as st
from markupsafe import Markup

from archive import Archive, ArchiveError, recalled_times
from domain import Migration, Window, utc_now
from domain.trace import current_reference
from messages import live, past, times
from messages.errors import sources
from messages.errors.sources import Message
from reports.templating import render
from ui.favicon import favicon

LOG_INTERVAL_S = 60.0
logger = logging.getLogger(__name__)
_logged: dict[str, tuple[float, str]] = {}  # kind of problem → when it was logged, and the reference


def brand(name: str) -> None:
    """The program's mark and the name of the service in the header, before the navigation."""
    mark = b64encode(favicon().encode()).decode()
    rule = f"content: {_css_string(name)}; background-image: url('data:image/svg+xml;base64,{mark}')"
    st.html(f"<style>[data-testid='stToolbar']::before {{ {rule} }}</style>")


def _css_string(text: str) -> str:
    """`text` as a CSS string whose characters are escaped, so that none ends the string or the element."""
    return '"' + "".join(char if char.isascii() and char.isalnum() else f"\\{ord(char):x} " for char in text) + '"'


def demo_banner(migration: Migration, text: str | Markup = "") -> None:
    """Marks the page as demo data, if it is."""
    if migration.demo:
        st.html(Markup("<div class='demo'><b>{}</b>{}</div>").format(live.DEMO_MARK, text))


def page_title(migration: Migration, page: str) -> None:
    """The heading, for screen readers alone: the header shows both names."""
    st.html(Markup("<h1 class='page-title hidden'>{} – {}</h1>").format(page, migration.name))


def panel_title(title: str, *, tooltip: str = "", note: str = "") -> None:
    st.html(render("layout.panel_title", title=title, tooltip=tooltip, note=note))


def note(text: str | Markup) -> None:
    st.html(Markup("<p class='note'>{}</p>").format(text))


def retention_note(migration: Migration, window: Window, now: datetime) -> None:
    """Since when points and counts are kept, if that is within the window, or after it: there, nothing is not "no data"."""
    since = migration.retention.points_since(int(now.timestamp()))
    if window.start < since:
        note(past.not_kept(format_clock(since, migration, now), migration.keep))


def warning(text: str) -> None:
    st.html(Markup("<div class='demo warn'>{}</div>").format(text))


def empty_state(text: str, details: str = "") -> None:
    """A placeholder of a chart or table."""
    content = Markup("<div><b>{}</b><br>{}</div>").format(text, details) if details else text
    st.html(Markup("<div class='empty'>{}</div>").format(content))


def configuration_example(title: str, explanation: str, example: str) -> None:
    """What to add to migration.toml."""
    st.html(Markup("<section class='below'><h2>{}</h2><p>{}</p></section>").format(title, explanation))
    st.code(example, language="toml")


def error_page(title: str, errors: Iterable[Message]) -> None:
    """The title, and each error with its next step."""
    st.html(Markup("<h1 class='page-title'>{}</h1>{}").format(title, render("layout.errors", items=errors)))


def archive_error_page(title: str, error: ArchiveError) -> None:
    message = sources.format_archive_problem(error.kind, error.detail)
    error_page(title, [sources.with_reference(message, _log_archive_problem(error.kind, error.detail))])


def _log_archive_problem(kind: str, detail: str) -> str:
    """The reference of the line about this problem, which is logged once in LOG_INTERVAL_S by all pages together."""
    at, reference = _logged.get(kind, (-LOG_INTERVAL_S, ""))
    if time.monotonic() - at >= LOG_INTERVAL_S:
        reference = current_reference()
        _logged[kind] = time.monotonic(), reference
        logger.warning("page without archive", extra={"kind": kind, "detail": detail})
    return reference


@contextmanager
def archive_state(migration: Migration, archive: Archive, title: str) -> Iterator[None]:
    """Above what the block draws: why the archive cannot be read or written, and how old what is shown is; an error page if it raises ArchiveError."""
    banner = st.container()
    with recalled_times() as read_at:
        try:
            yield
        except ArchiveError as error:
            archive_error_page(title, error)
            return
        except Exception:  # Streamlit logs it
            error_page(title, [sources.with_reference(sources.page_failure(), current_reference())])
            raise
    if problem := archive.problem:
        now, outage = utc_now(), archive.outage
        since = format_clock(outage.since, migration, now) if outage else ""
        as_of = format_clock(min(read_at), migration, now) if read_at else ""
        message = sources.format_archive_state(problem.kind, problem.detail, since=since, as_of=as_of)
        reference = _log_archive_problem(problem.kind, problem.detail)
        banner.html(render("layout.errors", items=[sources.with_reference(message, reference)]))


def format_clock(ts: int, migration: Migration, now: datetime) -> str:
    """Epoch seconds in the migration's time zone: "22:33 JST"."""
    return times.clock_of(ts, migration.zone, now=now)


def format_ago(ts: int, now: datetime) -> str:
    """How long ago `ts` (epoch seconds) was: "41 s ago"."""
    return times.ago(datetime.fromtimestamp(ts, UTC), now=now)
