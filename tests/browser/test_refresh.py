"""A refresh changes what changed, in place: no chart is taken out of the page, and what the reader is doing goes on."""

from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import expect

from domain import Event, Window
from sources.base import Events
from tests.browser.dashboard_page import NAMES, Opens
from tests.fakes.services import Watched
from ui.url import written

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_numbers = count(1)


def this_minute() -> int:
    return int(datetime.now(UTC).timestamp()) // 60 * 60


def something_happens(photo: Watched, title: str = "Deployed", *, at: int | None = None) -> None:
    """Another process writes an event, of ten minutes ago, into the archive: every chart draws it with its next refresh."""
    now = this_minute()
    event = Event(at or now - 600, None, "note", title, "", "", "", "by_hand", f"by_hand:{next(_numbers)}")
    photo.archive.keep_events(Events(Window(event.ts, now), now, (event,), complete=False), "by_hand")


def test_a_refresh_redraws_every_chart_where_it_is(photo: Watched, opens: Opens) -> None:
    board = opens(photo.server, clock=True)
    board.page.evaluate(
        """() => {
            window.before = [...document.querySelectorAll('.overlay-chart')];
            window.removed = 0;
            const charts = nodes => [...nodes].filter(node => node.matches?.('.overlay-chart') || node.querySelector?.('.overlay-chart'));
            new MutationObserver(seen => seen.forEach(one => { window.removed += charts(one.removedNodes).length; }))
                .observe(document.body, {childList: true, subtree: true});
        }"""
    )
    drawn = {name: board.drawn(name) for name in NAMES}
    something_happens(photo, "Moved the logs")
    board.refresh()
    board.until(
        "() => [...document.querySelectorAll('.overlay-chart')].every(box => box.textContent.includes('Moved the logs'))"
    )

    assert all(board.drawn(name) > drawn[name] for name in NAMES)
    assert board.page.evaluate("window.before.every(node => node.isConnected)")
    assert board.page.evaluate("window.removed") == 0


def test_what_a_reader_points_at_stays_through_a_refresh(photo: Watched, opens: Opens) -> None:
    """Also through that which brings the first event into a window that had none."""
    now = this_minute()
    start, end = now - 170 * 60, now - 110 * 60
    board = opens(photo.server, f"/?from={written(start)}&to={written(end)}", clock=True)
    box = board.chart("latency").locator(".nsewdrag").first.bounding_box()
    assert box
    board.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    hover = board.chart("latency").locator(".hoverlayer .legend")
    expect(hover).to_contain_text("EC2")
    drawn = board.drawn("latency")

    something_happens(photo, "Rebooted", at=start + 45 * 60)
    board.refresh()
    board.until(f"() => Number(document.querySelector('.st-key-chart_latency .overlay-chart').dataset.drawn) > {drawn}")
    expect(hover).to_contain_text("EC2")


def test_a_refresh_keeps_the_window_that_was_dragged(photo: Watched, opens: Opens) -> None:
    board = opens(photo.server, clock=True)
    board.drag("error_rate", 0.5, 0.95)
    board.wait_minutes(80, 83)
    zoomed, drawn = board.ranges(), board.drawn("error_rate")

    something_happens(photo)
    board.refresh()
    board.until(
        f"() => Number(document.querySelector('.st-key-chart_error_rate .overlay-chart').dataset.drawn) > {drawn}"
    )
    assert board.ranges() == zoomed


def test_paused_the_page_asks_for_nothing(photo: Watched, opens: Opens) -> None:
    board = opens(photo.server, clock=True)
    asked = board.asked
    board.refresh()
    board.until("asked => window.asked === asked", asked + 1)
    board.at_rest()

    board.live.press("Space")
    board.expect_text(".top-line", "paused$")
    board.at_rest()
    asked, drawn = board.asked, [board.drawn(name) for name in NAMES]
    something_happens(photo)
    board.page.clock.fast_forward(10 * 60_000)
    assert board.asked == asked
    assert [board.drawn(name) for name in NAMES] == drawn
    board.expect_text(".top-line", r"1\d min old · paused$")

    board.live.press("Space")
    board.expect_text(".top-line", r"next in \d+ s$")
    board.at_rest()
    assert all(board.drawn(name) > before for name, before in zip(NAMES, drawn, strict=True))
