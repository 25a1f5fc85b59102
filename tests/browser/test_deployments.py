"""The line on deployments in a real browser: what it says, and that its commands can be opened and copied."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.dashboard_page import OpenPage
from tests.factories.dashboard_server import StartServer
from tests.fakes.deployments import start_linear_shift
from tests.fakes.services import FakeServices, RunningDashboard

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_line_tells_of_the_service_and_its_commands_stay_open(photo: RunningDashboard, opens: OpenPage) -> None:
    board = opens(photo.server, clock=True)
    line = board.page.locator(".deployments")
    for text in (
        "photo/web",
        "desired 4 · running 4 · pending 0",
        "task definition web:42",
        "last deployment: web:42 succeeded",
        "A blue/green deployment by CodeDeploy would fail now: photo-ec2 and photo-ecs carry weight in the production rule at once.",
    ):
        expect(line).to_contain_text(text)
    expect(line).to_contain_text(re.compile(r"each would go from \d+ /min to \d+ /min"))
    board.page.get_by_role("button", name="Commands").click()
    commands = board.page.locator("[data-testid=stPopoverBody]")
    expect(commands).to_contain_text("1. Weighted routing off")
    expect(commands.locator("code").nth(1)).to_have_text("ecspresso deploy")
    expect(commands.get_by_text("--listener-arn").first).to_contain_text(photo.services.elbv2.listener)
    photo.services.elbv2.set_weights({"photo-ec2": 50, "photo-ecs": 50})
    board.refresh_until(".canary-end", r"50\.0 % told", within_ms=45_000)
    expect(commands).to_contain_text('"Weight":50')  # a refresh does not close it
    photo.services.elbv2.reset()


def test_a_shift_that_runs_is_a_bar_with_both_task_sets(
    world: FakeServices, room: Path, starts: StartServer, opens: OpenPage
) -> None:
    deployments = world.deployments
    before, targets = deployments.deployments, dict(deployments.targets)
    start_linear_shift(deployments, int(time.time()))
    try:
        board = opens(starts(world.environment(world.write_config(room))), clock=True)
        board.refresh_until(".deployments .shift", r"photo-ecs .*70.* → photo-ecs-green .*30", within_ms=45_000)
        line = board.page.locator(".deployments")
        expect(line).to_contain_text("web:42 is being deployed: AllowTraffic")
        expect(line).to_contain_text("another deployment is running")
        widths = line.locator(".shift .bar i").evaluate_all("parts => parts.map(one => one.style.width)")
        assert widths == ["70%", "30%"]
    finally:
        deployments.deployments, deployments.targets = before, targets
