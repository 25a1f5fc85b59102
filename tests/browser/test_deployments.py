"""The line on deployments in a browser: its text, and its commands."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage
from tests.browser.running_dashboard import RunningDashboard, server_environment, write_config
from tests.factories.dashboard_server import StartServer
from tests.fakes.deployments import start_linear_shift
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_line_shows_the_service_and_its_commands_stay_open(running: RunningDashboard, open_page: OpenPage) -> None:
    dashboard = open_page(running.server, clock=True)
    line = dashboard.page.locator(".deployments")
    for text in (
        "photo/web",
        "desired 4 · running 4 · pending 0",
        "task definition web:42",
        "last deployment: web:42 succeeded",
        "CodeDeploy blue/green is blocked: photo-ec2 and photo-ecs are both weighted in the production rule.",
    ):
        expect(line).to_contain_text(text)
    expect(line).to_contain_text(re.compile(r"EC2 2/2 healthy, .*\d+ req/min per target"))
    dashboard.page.get_by_role("button", name="Deployment steps").click()
    commands = dashboard.page.locator("[data-testid=stPopoverBody]")
    expect(commands).to_contain_text("1. Route 100% to the other fleet")
    expect(commands.locator("code").nth(1)).to_have_text("ecspresso deploy")
    expect(commands.get_by_text("--listener-arn").first).to_contain_text(running.services.elbv2.listener)
    running.services.elbv2.set_weights({"photo-ec2": 50, "photo-ecs": 50})
    dashboard.refresh_until(".canary-end", r"50\.0% configured", within_ms=45_000)
    expect(commands).to_contain_text('"Weight":50')  # a refresh does not close it
    running.services.elbv2.reset()


def test_a_running_shift_is_a_bar_with_both_task_sets(
    services: FakeServices, tmp_path: Path, start_server: StartServer, open_page: OpenPage
) -> None:
    deployments = services.deployments
    before, targets = deployments.deployments, dict(deployments.targets)
    start_linear_shift(deployments, int(time.time()))
    try:
        dashboard = open_page(start_server(server_environment(services, write_config(services, tmp_path))), clock=True)
        dashboard.refresh_until(".deployments .shift", r"photo-ecs .*70.* → photo-ecs-green .*30", within_ms=45_000)
        line = dashboard.page.locator(".deployments")
        expect(line).to_contain_text("Deploying web:42: AllowTraffic")
        expect(line).to_contain_text("another deployment is in progress")
        widths = line.locator(".shift .bar i").evaluate_all("bars => bars.map(bar => bar.style.width)")
        assert widths == ["70%", "30%"]
    finally:
        deployments.deployments, deployments.targets = before, targets
