"""A refresh changes what changed, in place: no chart is taken out of the page, and what the reader is doing goes on."""

from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import expect

from domain import Event, Window
from sources.base import Events
from tests.browser.dashboard_page import CHART_NAMES, OpenPage
from tests.fakes.services import RunningDashboard
from ui.url import format_time

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_numbers = count(1)


def this_minute() -> int:
    return int(datetime.now(UTC).timestamp()) // 60 * 60


def something_happens(photo: RunningDashboard, title: str = "Deployed", *, at: int | None = None) -> None:
    """Another process writes an event, of ten minutes ago, into the archive: every chart draws it with its next refresh."""
    now = this_minute()
    event = Event(at or now - 600, None, "note", title, "", "", "", "by_hand", f"by_hand:{next(_numbers)}")
    photo.archive.events.save_events(Events(Window(event.ts, now), now, (event,), complete=False), "by_hand")


def test_a_refresh_redraws_every_chart_where_it_is(photo: RunningDashboard, opens: OpenPage) -> None:
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
    drawn = {name: board.draw_count(name) for name in CHART_NAMES}
    something_happens(photo, "Moved the logs")
    board.refresh()
    board.wait_for(
        "() => [...document.querySelectorAll('.overlay-chart')].every(box => box.textContent.includes('Moved the logs'))"
    )

    assert all(board.draw_count(name) > drawn[name] for name in CHART_NAMES)
    assert board.page.evaluate("window.before.every(node => node.isConnected)")
    assert board.page.evaluate("window.removed") == 0


def test_what_a_reader_points_at_stays_through_a_refresh(photo: RunningDashboard, opens: OpenPage) -> None:
    """Also through that which brings the first event into a window that had none."""
    now = this_minute()
    start, end = now - 170 * 60, now - 110 * 60
    board = opens(photo.server, f"/?from={format_time(start)}&to={format_time(end)}", clock=True)
    box = board.chart("latency").locator(".nsewdrag").first.bounding_box()
    assert box
    board.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    hover = board.chart("latency").locator(".hoverlayer .legend")
    expect(hover).to_contain_text("EC2")
    drawn = board.draw_count("latency")

    something_happens(photo, "Rebooted", at=start + 45 * 60)
    board.refresh()
    board.wait_for(
        f"() => Number(document.querySelector('.st-key-chart_latency .overlay-chart').dataset.drawn) > {drawn}"
    )
    expect(hover).to_contain_text("EC2")


def test_a_refresh_keeps_the_window_that_was_dragged(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, clock=True)
    board.drag("error_rate", 0.5, 0.95)
    board.wait_window_minutes(80, 83)
    zoomed, drawn = board.x_ranges(), board.draw_count("error_rate")

    something_happens(photo)
    board.refresh()
    board.wait_for(
        f"() => Number(document.querySelector('.st-key-chart_error_rate .overlay-chart').dataset.drawn) > {drawn}"
    )
    assert board.x_ranges() == zoomed


def test_paused_the_page_asks_for_nothing(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, clock=True)
    asked = board.messages_sent
    board.refresh()
    board.wait_for("asked => window.asked === asked", asked + 1)
    board.wait_until_idle()

    board.live_switch.press("Space")
    board.expect_text(".top-line", "paused$")
    board.wait_until_idle()
    asked, drawn = board.messages_sent, [board.draw_count(name) for name in CHART_NAMES]
    something_happens(photo)
    board.page.clock.fast_forward(10 * 60_000)
    assert board.messages_sent == asked
    assert [board.draw_count(name) for name in CHART_NAMES] == drawn
    board.expect_text(".top-line", r"1\d min old · paused$")

    board.live_switch.press("Space")
    board.expect_text(".top-line", r"next in \d+ s$")
    board.wait_until_idle()
    assert all(board.draw_count(name) > before for name, before in zip(CHART_NAMES, drawn, strict=True))
