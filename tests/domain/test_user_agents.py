"""The family of a user agent, without version and system."""

import pytest

from domain.user_agents import MAX_FAMILY_CHARS, agent_family

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("-", ""),
        ("", ""),
        ("curl/8.5.0", "curl"),
        ("okhttp/4.12.0", "okhttp"),
        ("ELB-HealthChecker/2.0", "ELB-HealthChecker"),
        ("MyApp", "MyApp"),
        (f"Mozilla/5.0 (X11) {WEBKIT} Chrome/126.0.0.0 Safari/537.36", "Chrome"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0", "Edge"),
        (f"Mozilla/5.0 (X11) {WEBKIT} Chrome/126.0.0.0 Safari/537.36 OPR/111.0", "Opera"),
        ("Mozilla/5.0 (X11; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox"),
        (f"Mozilla/5.0 (iPhone) {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1", "Safari"),
        (f"Mozilla/5.0 (iPhone) {WEBKIT} CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
        ("<script>alert(1)</script>", "<script>alert(1)<"),
        ("x" * 5000, "x" * MAX_FAMILY_CHARS),
    ],
)
def test_family(agent: str, family: str) -> None:
    assert agent_family(agent) == family
