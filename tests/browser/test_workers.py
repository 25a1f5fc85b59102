"""Browser tests run on one worker of pytest-xdist: a second Chromium on two cores slows both down."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_browser_tests_are_one_group(request: pytest.FixtureRequest) -> None:
    """By their names, by which pytest-xdist groups them: pytest 9.2 ignored what it added."""
    if getattr(request.config.option, "loadgroup", False):  # on a worker
        assert request.node.nodeid.endswith("@browser")
