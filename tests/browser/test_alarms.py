"""An outage on the Live page: red while it lasts, with the command that ends it; an event afterwards."""

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
        hero = dashboard.page.locator(".hero")
        expect(hero).to_contain_text("Alarm (not a verdict): error rate ECS 100%")
        expect(hero.locator(".chip.firing")).to_contain_text("firing")
        dashboard.page.get_by_role("button", name="Rollback").click()
        expect(dashboard.page.locator("[data-testid=stPopoverBody] code")).to_contain_text("aws elbv2 modify-")
        dashboard.page.close()


def test_an_outage_that_is_over_is_an_event(open_page: OpenPage, tmp_path: Path) -> None:
    with services_with_outage(-9, -4) as services, dashboard_on_fakes(services, tmp_path) as running:
        dashboard = open_page(running.server)
        expect(dashboard.page.get_by_text("✕ Alarms")).to_be_visible()
        expect(dashboard.page.locator(".hero")).not_to_contain_text("Alarm (not a verdict)")
        dashboard.page.close()
