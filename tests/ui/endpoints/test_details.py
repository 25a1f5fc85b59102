"""The sections of what was answered and of what failed requests have in common: markup is escaped, and nothing is shown without a reason."""

from dataclasses import replace

import pyarrow as pa

from analysis.endpoints.answers import compare_answers
from analysis.endpoints.why import counted_traits, explain
from domain import Window
from domain.log_counts import FAILED, SIZES, TRAITS
from services.log_details import LogDetails
from tests.factories.archives import MIGRATION
from tests.factories.endpoints_view import judged, params
from tests.factories.log_counts import EC2, ECS, FLEET_OF, HOST, START, count_row, count_table, first_minutes
from ui.endpoints.details import answers_section, why_section
from ui.endpoints.table import routes_table

ROUTE, AGENT = "/<script>alert(1)</script>", "<b>client</b>"
WINDOW: Window = first_minutes(60)


def details() -> LogDetails:
    """ECS answers with half the bytes, and most of its failed requests are of one client."""
    row = {
        "host": HOST,
        "method": "GET",
        "route": ROUTE,
        "elb_status": 200,
        "protocol": "h2",
        "size_class": 13,
        "n": 20,
    }
    sizes = [
        {**row, "minute": START + minute * 60, "target_group": group, "bytes": 20 * (mean + minute % 7)}
        for minute in range(60)
        for group, mean in ((EC2, 24_000), (ECS, 12_000))
    ]
    traits = [
        {"minute": START, "target_group": ECS, "trait": "agent", "value": value, "outcome": outcome, "n": n}
        for value, outcome, n in ((AGENT, FAILED, 40), (AGENT, 0, 60), ("okhttp", FAILED, 10), ("okhttp", 0, 890))
    ]
    counts = count_table([count_row(ECS, 950), count_row(ECS, 50, elb=500)])
    why = explain(pa.concat_tables([pa.Table.from_pylist(traits, TRAITS), counted_traits(counts)]), FLEET_OF)
    assert why
    answers = compare_answers(pa.Table.from_pylist(sizes, SIZES), FLEET_OF, WINDOW)
    return LogDetails(answers, (why,))


def test_a_finding_is_in_the_table_and_on_the_page_of_its_route() -> None:
    sentence = "Size of GET 200: 12.0 kB on ECS, 24.0 kB on EC2 (−50.0%)"
    view = judged([count_row(EC2, 5, route=ROUTE), count_row(ECS, 5, route="/b")], 1)  # type: ignore[list-item]
    table = routes_table(MIGRATION, view, params(), {}, answers=details().answers)
    assert table.count(sentence) == 1
    page = answers_section(details(), ROUTE, MIGRATION.labels)
    assert page.count("▲ finding") == 1 and sentence in page
    assert "does not change the verdict" in page
    assert "<script>" not in table + page
    other = answers_section(details(), "/b", MIGRATION.labels)
    assert "▲" not in other


def test_a_route_that_differs_on_purpose_says_so() -> None:
    excluded = replace(details(), answers=replace(details().answers, findings=(), excluded=(ROUTE,)))
    assert "differ on purpose" in answers_section(excluded, ROUTE, MIGRATION.labels)
    assert "differ on purpose" not in answers_section(excluded, "/b", MIGRATION.labels)


def test_what_is_in_common_has_its_counts_and_is_called_a_hint() -> None:
    section = why_section(details(), MIGRATION.labels, is_regression=False)
    assert "50 failed of 1,000 requests on ECS" in section
    assert "&lt;b&gt;client&lt;/b&gt;" in section and AGENT not in section
    assert "80.0% (40)" in section and "10.0%" in section
    assert "A hint where to look, not a cause." in section
    assert "The availability zone is not known" in section


def test_nothing_in_common_is_said_only_beside_a_regression() -> None:
    (why,) = details().why
    plain = replace(details(), why=(replace(why, common=()),))
    assert why_section(plain, MIGRATION.labels, is_regression=False) == ""
    assert "No value stands out." in why_section(plain, MIGRATION.labels, is_regression=True)
    few = replace(plain, why=(replace(why, common=(), events=3),))
    assert "Too few to compare." in why_section(few, MIGRATION.labels, is_regression=True)


def test_hours_that_were_counted_before_are_stated() -> None:
    earlier = LogDetails(undetailed_hours=2, hours=24)
    sentence = "2 of 24 hours were counted before this was recorded"
    assert sentence in why_section(earlier, MIGRATION.labels, is_regression=False)
    assert sentence in answers_section(earlier, "/", MIGRATION.labels)
