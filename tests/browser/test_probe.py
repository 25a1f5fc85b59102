"""The probes on Live in a browser: sent after a confirmation to a site on loopback, with progress, and shown when they are answered or refused."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.dashboard_page import OpenPage
from tests.browser.running_dashboard import server_environment, write_config
from tests.factories.dashboard_server import DashboardServer, StartServer
from tests.fakes.elbv2 import XMLNS, access_denied
from tests.fakes.probed_site import CANARY_HEADER, ProbedSite
from tests.fakes.services import FakeServices

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PROBES = """
[[probe]]
path = "/held"
expect = 200
requests = 2
"""
DNS_REPLY = (
    f'<DescribeLoadBalancersResponse xmlns="{XMLNS}"><DescribeLoadBalancersResult><LoadBalancers><member>'
    "<DNSName>localhost</DNSName></member></LoadBalancers></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>"
)


@pytest.fixture
def site(services: FakeServices) -> Iterator[ProbedSite]:
    """Behind a listener of the load balancer with a header rule to each fleet."""
    elbv2 = services.elbv2
    with ProbedSite() as site:
        listener = elbv2.add_listener(urlsplit(site.url).port or 0, elbv2.redirect())
        for number, (name, group) in enumerate(((CANARY_HEADER, "photo-ecs"), ("X-Fleet", "photo-ec2")), 1):
            header = {"HttpHeaderName": name, "Values": ["on"]}
            elbv2.add_rule(
                [{"Field": "http-header", "HttpHeaderConfig": header}],
                {"Type": "forward", "TargetGroupArn": elbv2.groups[group]},
                priority=number,
                listener=listener,
            )
        elbv2.raw_replies["DescribeLoadBalancers"] = DNS_REPLY.encode()
        yield site
        elbv2.reset()
        elbv2.elbv2.delete_listener(ListenerArn=listener)


@pytest.fixture
def server(services: FakeServices, tmp_path: Path, start_server: StartServer) -> DashboardServer:
    config = write_config(services, tmp_path)
    config.write_text(config.read_text(encoding="utf-8") + PROBES, encoding="utf-8")
    return start_server(server_environment(services, config))


@pytest.fixture
def section(server: DashboardServer, open_page: OpenPage) -> Locator:
    """The probes on Live, not sent yet."""
    dashboard = open_page(server)
    section = dashboard.page.locator("section", has=dashboard.page.get_by_role("heading", name="Probes"))
    expect(section).to_contain_text("not sent yet")
    return section


def send(section: Locator) -> None:
    section.page.get_by_role("button", name="Send the probes").click()
    expect(section.page.get_by_text("Sends 4 requests to photo, at most two a second.")).to_be_visible()
    section.page.get_by_role("button", name="Send them now").click()


def test_a_confirmed_probe_shows_its_progress_and_then_its_result(site: ProbedSite, section: Locator) -> None:
    assert site.requests == []
    send(section)
    expect(section.page.get_by_text("Sending: 0 of 4")).to_be_visible()
    expect(section.page.get_by_role("button", name="Send the probes")).to_have_count(0)
    site.release()
    expect(section).to_contain_text("✓ same answers")
    expect(section).to_contain_text("EC2 200 ×2")
    expect(section).to_contain_text("ECS 200 ×2")
    expect(section.page.get_by_role("button", name="Send the probes")).to_be_visible()
    assert site.requests == [("GET", "/held", urlsplit(site.url).netloc.replace("127.0.0.1", "localhost"))] * 4


def test_a_probe_that_is_refused_says_why(services: FakeServices, site: ProbedSite, section: Locator) -> None:
    services.elbv2.errors["DescribeLoadBalancers"] = access_denied("DescribeLoadBalancers")
    send(section)
    expect(section).to_contain_text("– not sent")
    expect(section).to_contain_text("The load balancer's name is unknown or has no address.")
    problem = section.page.locator(".error", has_text="AWS denied elasticloadbalancing:DescribeLoadBalancers.")
    expect(problem).to_contain_text("→ Allow `elasticloadbalancing:DescribeLoadBalancers` in the IAM policy")
    assert site.requests == []
