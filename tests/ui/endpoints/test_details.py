"""The sections of what was answered and of what failed requests have in common: markup is escaped, and nothing is shown without a reason."""

from dataclasses import replace

from services.log_details import LogDetails
from tests.factories.archives import MIGRATION
from tests.factories.endpoints_view import judged, params
from tests.factories.log_counts import EC2, ECS, count_row
from tests.factories.log_details import AGENT, ROUTE, log_details
from ui.endpoints.details import answers_section, why_section
from ui.endpoints.table import routes_table


def test_a_finding_is_in_the_table_and_on_the_page_of_its_route() -> None:
    sentence = "Size of GET 200: 12.0 kB on ECS, 24.0 kB on EC2 (−50.0%)"
    view = judged([count_row(EC2, 5, route=ROUTE), count_row(ECS, 5, route="/b")], 1)  # type: ignore[list-item]
    table = routes_table(MIGRATION, view, params(), {}, answers=log_details().answers)
    assert table.count(sentence) == 1
    page = answers_section(log_details(), ROUTE, MIGRATION.labels)
    assert page.count("▲ finding") == 1 and sentence in page
    assert "does not change the verdict" in page
    assert "<script>" not in table + page
    other = answers_section(log_details(), "/b", MIGRATION.labels)
    assert "▲" not in other


def test_a_route_that_differs_on_purpose_says_so() -> None:
    excluded = replace(log_details(), answers=replace(log_details().answers, findings=(), excluded=(ROUTE,)))
    assert "differ on purpose" in answers_section(excluded, ROUTE, MIGRATION.labels)
    assert "differ on purpose" not in answers_section(excluded, "/b", MIGRATION.labels)


def test_what_is_in_common_has_its_counts_and_is_called_a_hint() -> None:
    section = why_section(log_details(), MIGRATION.labels, is_regression=False)
    assert "50 failed of 1,000 requests on ECS" in section
    assert "&lt;b&gt;client&lt;/b&gt;" in section and AGENT not in section
    assert "80.0% (40)" in section and "10.0%" in section
    assert "A hint where to look, not a cause." in section
    assert "The availability zone is not known" in section


def test_nothing_in_common_is_said_only_beside_a_regression() -> None:
    (why,) = log_details().why
    plain = replace(log_details(), why=(replace(why, common=()),))
    assert why_section(plain, MIGRATION.labels, is_regression=False) == ""
    assert "No value stands out." in why_section(plain, MIGRATION.labels, is_regression=True)
    few = replace(plain, why=(replace(why, common=(), events=3),))
    assert "Too few to compare." in why_section(few, MIGRATION.labels, is_regression=True)


def test_hours_that_were_counted_before_are_stated() -> None:
    earlier = LogDetails(undetailed_hours=2, hours=24)
    sentence = "2 of 24 hours were counted before this was recorded"
    assert sentence in why_section(earlier, MIGRATION.labels, is_regression=False)
    assert sentence in answers_section(earlier, "/", MIGRATION.labels)
