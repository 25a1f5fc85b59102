"""Details of a window from the archive."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis.endpoints.endpoints import judge_endpoints
from archive.access_logs.tables import CountedFile
from domain import Migration, Window
from domain.config.access_logs import AccessLogs
from domain.log_counts import EXAMPLES, FAILED, SIZES, TRAITS
from services.endpoints import RequestFilter
from services.log_details import log_details, regressed_kinds, why_of
from sources.access_logs.counter import FileStats, LogCounts
from tests.factories.archives import MIGRATION, open_archive
from tests.factories.log_counts import EC2, ECS, FLEET_OF, START, busy_route, count_row, count_table, first_minutes
from tests.factories.log_details import ROUTE, failed_requests, half_the_bytes


def test_counts_and_traits_are_of_the_same_blocks(tmp_path: Path) -> None:
    """A window that begins inside a block has all of it, so that both tables agree on the events."""
    row = {"minute": START, "target_group": ECS, "trait": "tls", "value": "TLSv1.3"}
    traits = pa.Table.from_pylist([{**row, "outcome": FAILED, "n": 30}, {**row, "outcome": 50, "n": 70}], TRAITS)
    counts = count_table([count_row(ECS, 30, elb=500), count_row(ECS, 70, minute=4)])
    file = CountedFile("a", 1, FileStats("a", 100, 100), Window(START, START + 300))
    with open_archive(tmp_path) as archive:
        logs = LogCounts(counts, EXAMPLES.empty_table(), (), SIZES.empty_table(), traits)
        archive.access_logs.save_counts([file], logs)
        (why,) = why_of(archive, MIGRATION, Window(START + 120, START + 300), worse="canary")
    assert (why.events, why.requests) == (30, 100)


def with_logs(**options: Any) -> Migration:
    return MIGRATION.model_copy(update={"access_logs": AccessLogs(path="logs", **options)})


def test_the_filter_and_the_exclusions_are_those_of_the_answers_alone(tmp_path: Path) -> None:
    hour = first_minutes(60)
    file = CountedFile("a", 1, FileStats("a", 100, 100), hour)
    with open_archive(tmp_path) as archive:
        archive.access_logs.save_counts([file], replace(failed_requests(START), sizes=half_the_bytes()))
        whole = log_details(archive, MIGRATION, hour, worse="canary")
        assert [finding.route for finding in whole.answers.findings] == [ROUTE]
        for request_filter in (RequestFilter(method="POST"), RequestFilter(host="other"), RequestFilter(status=4)):
            filtered = log_details(archive, MIGRATION, hour, request_filter, worse="canary")
            assert filtered.answers.sizes == () and filtered.why == whole.why
        intended = log_details(archive, with_logs(answers_differ=(ROUTE,)), hour).answers
        assert (intended.findings, intended.excluded) == ((), (ROUTE,))
        assert log_details(archive, MIGRATION, hour, worse="baseline").why == ()  # without a request


def test_zones_are_the_configured_ones_and_hours_without_details_are_counted(tmp_path: Path) -> None:
    row = {"minute": START, "target_group": ECS, "trait": "target", "value": "10.0.11.7:80"}
    traits = pa.Table.from_pylist([{**row, "outcome": FAILED, "n": 30}, {**row, "outcome": 50, "n": 70}], TRAITS)
    logs = replace(failed_requests(START), sizes=half_the_bytes())
    with open_archive(tmp_path) as archive:
        logs = replace(logs, traits=pa.concat_tables([logs.traits, traits]))
        archive.access_logs.save_counts([], logs)
        later = LogCounts(count_table([count_row(ECS, 900, elb=500, minute=60)]), EXAMPLES.empty_table(), ())
        archive.access_logs.save_counts([], later)
        details = log_details(archive, with_logs(zones={"10.0.11.0/24": "a"}), first_minutes(120))
        (unknown,) = log_details(archive, MIGRATION, first_minutes(120)).why
    assert (details.undetailed_hours, details.hours) == (1, 2)
    assert details.why[0].events == 50  # of the hour that has traits
    assert (details.why[0].missing, unknown.missing) == ((), ("zone",))


def test_failed_and_slow_requests_are_explained_if_their_criteria_regressed() -> None:
    failing = judge_endpoints(
        count_table(busy_route(60, 200, errors=0.01, canary_error_factor=20)), FLEET_OF, first_minutes(60)
    )
    assert regressed_kinds(failing) == ("failed",)
    slow = [
        count_row(group, 300, minute=minute, ms=ms)
        for minute in range(60)
        for group, ms in ((EC2, 50 + minute % 3), (ECS, 200 + minute % 3))
    ]
    assert regressed_kinds(judge_endpoints(count_table(slow), FLEET_OF, first_minutes(60))) == ("slow",)
    assert regressed_kinds(judge_endpoints(count_table(busy_route(60, 200)), FLEET_OF, first_minutes(60))) == ()
