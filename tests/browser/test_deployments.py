"""The line on deployments in a real browser: what it says, and that its commands can be opened and copied."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.board import Opens
from tests.browser.world import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_line_tells_of_the_service_and_its_commands_stay_open(photo: Watched, opens: Opens) -> None:
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
    expect(commands.get_by_text("--listener-arn").first).to_contain_text(photo.world.balancer.listener)
    photo.world.balancer.set_weights({"photo-ec2": 50, "photo-ecs": 50})
    board.refresh_until(".canary-end", r"50\.0 % told", within_ms=45_000)
    expect(commands).to_contain_text('"Weight":50')  # a refresh does not close it
    photo.world.balancer.restore()
