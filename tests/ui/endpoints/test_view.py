"""The Endpoints page's address and its parts in HTML."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from analysis.endpoints.endpoints import endpoints
from archive.access_logs.tables import Lines
from domain import Window
from services.endpoints import Chosen, LogsJudged
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, busy, minutes, row, table
from tests.fakes.metric_source import MIGRATION
from ui.endpoints import view as parts
from ui.endpoints.url import Address, link, read

NOW = datetime.fromtimestamp(START + 3600 + 77, UTC)
EVIL = "/search/<script>alert(1)</script>\"'"


def address(**parameters: str) -> Address:
    return read({name.rstrip("_"): value for name, value in parameters.items()}, zone=MIGRATION.zone)


def told(rows: list[dict[str, object]], many: int = 120, **more: object) -> LogsJudged:
    found = endpoints(table(rows), FLEET_OF, minutes(many))
    return replace(LogsJudged(minutes(many), found, Lines(3, 100, 98, (("cut_off", 1),)), many, (), ()), **more)  # type: ignore[arg-type]


def test_left_out_it_is_the_current_phase_up_to_the_newest_whole_file() -> None:
    end = START + 3600
    assert address().window(Window(START, START + 60), now=NOW) == Window(START, end)
    assert address().window(Window(START - 10 * 86_400, end), now=NOW) == Window(end - 86_400, end)
    assert address().window(Window(end + 60, end + 120), now=NOW) == Window(end - 300, end)  # it began just now
    assert address(window="1h").window(Window(START + 60, end), now=NOW) == Window(START, end)
    fixed = address(from_="2026-09-21T10:00Z", to="2026-09-21T11:30Z")
    assert fixed.window(Window(START, end), now=NOW) == Window(START - 7200, START - 1800)


def test_filters_and_what_makes_no_sense() -> None:
    found = address(method="POST", host="api.example.com", status="4xx", map="p95", all="1", route="/a")
    assert found.chosen == Chosen("POST", "api.example.com", 4) and not found.trouble
    assert (found.route, found.map, found.every) == ("/a", "p95", True)
    for name, value in (("window", "7d"), ("status", "9xx"), ("map", "x"), ("from_", "never")):
        assert address(**{name: value}).trouble
    assert address(status="9xx").chosen == Chosen()


def test_a_route_keeps_the_window_and_the_filters() -> None:
    parameters = {"window": "1h", "method": "POST", "route": "/b", "all": "1"}
    assert link(parameters, "/a?x&y") == "?route=%2Fa%3Fx%26y&window=1h&method=POST"


def test_nobodys_words_act() -> None:
    found = told(busy(120, 60, route=EVIL, errors=0.02, worse=8))
    html = parts.table(MIGRATION, found, address(), {"method": EVIL}) + parts.sentence(MIGRATION, found, EVIL)
    html += parts.banner(MIGRATION, found, {})
    assert "<script" not in html and "&lt;script&gt;" in html


def test_the_banner_is_there_where_totals_hide_a_route() -> None:
    rows = [one for place in range(4) for one in busy(240, 500, route=f"/fine/{place}", worse=0.92, seed=place)]
    found = told([*rows, *busy(240, 80, route="/share", errors=0.004, worse=5, seed=9)], 240)
    html = parts.banner(MIGRATION, found, {})
    assert "The totals hide it." in html and "?route=%2Fshare" in html and "ECS" in html
    assert "1 of 5 routes regresses" in parts.sentence(MIGRATION, found, "in the last 4h")
    assert parts.banner(MIGRATION, told(busy(120, 500, errors=0.01, worse=5)), {}) == ""


def test_many_routes_are_shown_when_asked_for() -> None:
    rows = [row(group, 5, route=f"/r/{place}") for place in range(70) for group in (EC2, ECS)]
    found = told(rows, 1)  # type: ignore[arg-type]
    assert parts.table(MIGRATION, found, address(), {}).count("<tr") == 1 + 1 + parts.SHOWN
    assert parts.table(MIGRATION, found, address(all="1"), {}).count("<tr") == 1 + 1 + 70


def test_how_the_reading_went() -> None:
    text = parts.reading(told(busy(20, 60), 20))
    assert "100 lines read, 98 counted, 2 lost, in 3 files of 20 min." in text
    assert "1 file cut off" in text and "1 routes had requests" not in text


@pytest.mark.parametrize(("shown", "difference"), [("errors", 0.5), ("p95", 100.0)])
def test_a_dot_has_its_difference_in_the_unit_of_the_axis(shown: str, difference: float) -> None:
    rows = [row(EC2, 1000, ms=50), row(ECS, 995, ms=100), row(ECS, 5, elb=500, ms=100)]
    (dot,) = parts.dots(told(rows, 1), shown)  # type: ignore[arg-type]
    assert dot.difference == pytest.approx(difference) and dot.traffic == 2000.0
    one_sided = told([row(ECS, 5)], 1)  # type: ignore[list-item]
    assert parts.dots(one_sided, shown) == []
