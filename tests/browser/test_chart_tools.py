"""Below each chart: its values as a table, and a PNG. Its numbers are formatted as those of the text."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from messages import numbers
from tests.browser.dashboard_page import OpenPage
from tests.factories.dashboard_server import DashboardServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
FORMATTER = Path("ui/components/number_format.js").read_text(encoding="utf-8")


def test_the_table_has_what_the_crosshair_reads(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    chart = dashboard.page.locator(".st-key-chart_requests")
    chart.locator("summary").press("Enter")
    expect(chart.locator("thead th")).to_have_text(["Time", "EC2", "ECS", "configured", "observed"])
    rows = chart.locator("tbody tr")
    expect(rows).to_have_count(180)
    time, *cells = rows.nth(60).locator("th, td").all_inner_texts()

    box = dashboard.plot_area("requests")
    plot = chart.locator(".chart-plot")
    plot.focus()
    dashboard.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    expect(chart.locator(".chart-values time")).not_to_be_empty()
    for _ in range(180):
        if chart.locator(".chart-values time").inner_text() == time:
            break
        plot.press("ArrowRight")
    assert chart.locator(".chart-values strong").all_inner_texts() == cells


def test_a_long_table_begins_with_its_newest_rows(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server, "/?window=24h")
    dashboard.wait_until_idle()
    chart = dashboard.page.locator(".st-key-chart_latency")
    chart.locator("summary").press("Enter")
    rows = chart.locator("tbody tr")
    expect(rows).to_have_count(200)
    newest = rows.first.inner_text()
    chart.get_by_role("button", name="Show all 1,440 rows").press("Enter")
    expect(rows).to_have_count(1440)
    expect(chart.locator("[role=region]")).to_be_focused()
    assert rows.first.inner_text() == newest
    expect(chart.locator(".chart-all")).to_have_count(0)


def test_a_chart_can_be_downloaded(demo_server: DashboardServer, open_page: OpenPage) -> None:
    dashboard = open_page(demo_server)
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("button", name="Latency p95: download as PNG").click()
    assert download.value.suggested_filename == "Latency-p95.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_numbers_are_formatted_as_in_the_text(demo_server: DashboardServer, open_page: OpenPage) -> None:
    page = open_page(demo_server).page
    samples = [
        0,
        0.00042,
        0.004,
        0.0123,
        0.05,
        0.21,
        1.236,
        9.99,
        12.34,
        99.5,
        99.9995,
        100,
        284.2,
        1236,
        12_345,
        2_640_000,
    ]
    formats = {
        "percent": lambda value: numbers.percent(value / 100),
        "share": lambda value: numbers.share(value / 100),
        "points": lambda value: numbers.points(-value / 100),
        "milliseconds": lambda value: numbers.milliseconds(value / 1000),
        "signed_milliseconds": lambda value: numbers.signed_milliseconds(-value / 1000),
        "per_minute": numbers.per_minute,
        "count": numbers.count,
        "plain_value": numbers.plain_value,
        "signed_value": lambda value: numbers.signed_value(-value),
    }
    for unit, format_number in formats.items():
        known = [value for value in samples if value <= 100 or unit not in ("percent", "share", "points")]
        signed = [-value for value in known] if unit in ("points", "signed_milliseconds", "signed_value") else known
        shown = page.evaluate(
            f"([values, unit]) => {{ {FORMATTER}; return values.map(v => formatNumber(v, unit)); }}", [signed, unit]
        )
        assert shown == [format_number(value) for value in known], unit
