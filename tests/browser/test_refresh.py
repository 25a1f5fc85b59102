"""A refresh updates the page in place: no chart is removed, and the viewer's interaction continues."""

import re
from datetime import UTC, datetime
from itertools import count

import pytest
from playwright.sync_api import expect

from domain import Event, Window
from sources.base import Events
from tests.browser.dashboard_page import CHART_NAMES, OpenPage
from tests.browser.running_dashboard import RunningDashboard

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_ids = count(1)


def this_minute() -> int:
    return int(datetime.now(UTC).timestamp()) // 60 * 60


def write_event(running: RunningDashboard, title: str = "Deployed", *, at: int | None = None) -> None:
    """Writes an event into the archive, by default of ten minutes ago, as another process would: the next refresh draws it."""
    now = this_minute()
    event = Event(at or now - 600, None, "note", title, "", "", "", "by_hand", f"by_hand:{next(_ids)}")
    running.archive.events.save_events(Events(Window(event.ts, now), now, (event,), complete=False), "by_hand")


def test_a_refresh_redraws_every_chart_in_place(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    dashboard.page.evaluate(
        """() => {
            window.before = [...document.querySelectorAll('.overlay-chart')];
            window.removed = 0;
            const charts = nodes => [...nodes].filter(node => node.matches?.('.overlay-chart') || node.querySelector?.('.overlay-chart'));
            new MutationObserver(changes => changes.forEach(change => { window.removed += charts(change.removedNodes).length; }))
                .observe(document.body, {childList: true, subtree: true});
        }"""
    )
    drawn = {name: dashboard.draw_count(name) for name in CHART_NAMES}
    write_event(running, "Moved the logs")
    dashboard.refresh()
    expect(dashboard.page.locator(".st-key-event_lane")).to_contain_text("Moved the logs")
    dashboard.wait_for(
        """drawn => Object.entries(drawn).every(([name, before]) =>
            Number(document.querySelector(`.st-key-chart_${name} .overlay-chart`).dataset.drawn) > before)""",
        drawn,
    )
    assert dashboard.page.evaluate("window.before.every(node => node.isConnected)")
    assert dashboard.page.evaluate("window.removed") == 0


def test_values_under_the_crosshair_survive_a_refresh(running: RunningDashboard, open_page: OpenPage) -> None:
    """Also a refresh that adds an event to a window."""
    dashboard = open_page(running.server, clock=True)
    box = dashboard.plot_area("latency")
    dashboard.page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    values = dashboard.page.locator("[class*='st-key-chart_'] .chart-values")
    expect(values).to_have_count(4)
    clocks = values.locator("time")
    expect(clocks.first).to_have_text(re.compile(r"^\d\d:\d\d [A-Z]+$"))
    at = clocks.first.inner_text()
    expect(clocks).to_have_text([at] * 4)  # all charts, at one time
    expect(values.nth(1)).to_have_text(re.compile(r"EC2 \d+ ms"))
    drawn = dashboard.draw_count("latency")

    write_event(running, "Rebooted")
    dashboard.refresh()
    dashboard.wait_for(
        f"() => Number(document.querySelector('.st-key-chart_latency .overlay-chart').dataset.drawn) > {drawn}"
    )
    expect(clocks).to_have_text([at] * 4)
    expect(values.nth(1)).to_have_text(re.compile(r"EC2 \d+ ms"))


def test_a_dragged_range_is_not_refreshed(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    dashboard.drag("error_rate", 0.5, 0.95)
    dashboard.wait_window_minutes(80, 83)
    dashboard.page.get_by_role("button", name="Back to live").wait_for()
    dashboard.refresh()  # one that was due may still come
    dashboard.wait_until_idle()
    zoomed, sent = dashboard.x_ranges(), dashboard.messages_sent
    dashboard.page.clock.fast_forward(10 * 60_000)
    assert (dashboard.x_ranges(), dashboard.messages_sent) == (zoomed, sent)


def test_a_paused_page_sends_no_messages(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    sent = dashboard.messages_sent
    dashboard.refresh()
    dashboard.wait_for("sent => window.messagesSent === sent", sent + 1)
    dashboard.wait_until_idle()

    dashboard.choose_refresh("off")
    dashboard.expect_text(".top-line", "paused$")
    dashboard.wait_until_idle()
    sent, drawn = dashboard.messages_sent, [dashboard.draw_count(name) for name in CHART_NAMES]
    write_event(running)
    dashboard.page.clock.fast_forward(10 * 60_000)
    assert dashboard.messages_sent == sent
    assert [dashboard.draw_count(name) for name in CHART_NAMES] == drawn
    dashboard.expect_text(".top-line", r"1\d ?min old · paused$")

    dashboard.choose_refresh("15s")
    dashboard.expect_text(".top-line", r"refreshes in \d+s$")
    dashboard.wait_until_idle()
    for name, before in zip(CHART_NAMES, drawn, strict=True):
        expect(dashboard.chart(name)).not_to_have_attribute("data-drawn", str(before))
