"""An outage on the Live page: red while it lasts, an event afterwards."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage
from tests.browser.running_dashboard import dashboard_on_fakes
from tests.factories.outages import services_with_outage

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_an_outage_is_red_within_three_minutes_of_data(open_page: OpenPage, tmp_path: Path) -> None:
    with services_with_outage(-3) as services, dashboard_on_fakes(services, tmp_path) as running:
        dashboard = open_page(running.server)
        band = dashboard.page.get_by_role("alert").filter(has_text="Alarm (not a verdict)")
        expect(band).to_contain_text("error rate ECS 100%")
        band.get_by_role("link", name="Rollback: readiness and command").click()
        expect(dashboard.page.locator("#rollback")).to_be_in_viewport()
        dashboard.page.close()


def test_an_outage_that_is_over_is_an_event(open_page: OpenPage, tmp_path: Path) -> None:
    with services_with_outage(-9, -4) as services, dashboard_on_fakes(services, tmp_path) as running:
        dashboard = open_page(running.server)
        expect(dashboard.page.get_by_text("✕ Alarms")).to_be_visible()
        expect(
            dashboard.page.get_by_text("Alarm (not a verdict)").and_(dashboard.page.get_by_role("alert"))
        ).to_have_count(0)
        dashboard.page.close()
