"""What is requested from Mackerel for an expression."""

from collections.abc import Iterator

import pytest

from domain import Window
from sources.mackerel.client import MackerelApi
from sources.mackerel.expressions.evaluation import Steps, evaluate
from sources.mackerel.expressions.parser import parse
from sources.mackerel.expressions.reading import MAX_REQUESTS, ExpressionReader
from sources.mackerel.protocol import MackerelError
from tests.factories.mackerel import NOON
from tests.fakes.mackerel import FakeMackerel

WINDOW = Window(NOON - 180, NOON)


@pytest.fixture
def reader(fake_mackerel: FakeMackerel, api: MackerelApi) -> Iterator[ExpressionReader]:
    fake_mackerel.hosts += [
        {"id": f"web{number}", "name": f"web-{9 - number}", "status": "working", "roles": {"photo": ["web"]}}
        for number in (1, 2)
    ]
    fake_mackerel.points |= {
        "web1": {
            "custom.jobs.a": {NOON - 120: 1.0},
            "custom.jobs.b": {NOON - 120: 2.0},
            "custom.jobs.b.c": {NOON - 60: 9},
        },
        "web2": {"custom.jobs.a": {NOON - 60: 3.0}},
        "photo": {"upload": {NOON - 180: 5.0, NOON - 60: 7.0}},
    }
    yield ExpressionReader(api, clock_s=lambda: float(NOON))


def values(reader: ExpressionReader, text: str) -> tuple[tuple[str, ...], list[list[float | None]], list[str]]:
    expression = parse(text)
    data = reader.read([expression], WINDOW)
    lines = evaluate(expression, data.points, Steps.over(WINDOW))
    rows = [[None if value != value else value for value in row] for row in lines.values.tolist()]
    return lines.names, rows, [f"{error.kind} {error.about}" for error in data.errors]


def test_a_service_metric(reader: ExpressionReader, fake_mackerel: FakeMackerel) -> None:
    assert values(reader, "service(photo, upload)") == (("upload",), [[5, None, 7]], [])
    assert fake_mackerel.paths == ["/api/v0/services/photo/metrics"]


def test_a_wildcard_stands_for_one_part_of_a_name(reader: ExpressionReader) -> None:
    names, rows, _ = values(reader, "host(web1, custom.jobs.*)")
    assert names == ("custom.jobs.a", "custom.jobs.b")
    assert rows == [[None, 1, None], [None, 2, None]]


def test_a_role_has_the_hosts_that_are_in_it_by_name(reader: ExpressionReader) -> None:
    assert values(reader, "role(photo:web, custom.jobs.a)")[:2] == (
        ("web-7 custom.jobs.a", "web-8 custom.jobs.a"),
        [[None, None, 3], [None, 1, None]],
    )


def test_a_metric_is_requested_once_and_lists_are_reused(reader: ExpressionReader, fake_mackerel: FakeMackerel) -> None:
    for _ in range(2):
        values(
            reader, "sum(group(host(web1, custom.jobs.a), host(web1, custom.jobs.*), role(photo:web, custom.jobs.a)))"
        )
    assert fake_mackerel.paths.count("/api/v0/hosts/web1/metric-names") == 1
    assert fake_mackerel.paths.count("/api/v0/hosts") == 1
    assert fake_mackerel.paths.count("/api/v0/hosts/web1/metrics") == 4  # two metrics, twice
    assert fake_mackerel.paths.count("/api/v0/hosts/web2/metrics") == 2


def test_a_shifted_week_is_its_own_range(reader: ExpressionReader, fake_mackerel: FakeMackerel) -> None:
    values(reader, "diff(service(photo, upload), timeShift(service(photo, upload), 1w))")
    ranges = [(int(query["from"][0]) - NOON, int(query["to"][0]) - NOON) for _, query in fake_mackerel.requests]
    assert sorted(ranges) == [(-604_980, -604_800), (-180, 0)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("host(gone, loadavg5)", "not_found gone"),
        ("host(web1, no.such)", "no_such_metric no.such"),
        ("host(web1, no.*)", "no_such_metric host(web1, no.*)"),
    ],
)
def test_what_is_gone_is_a_gap_and_an_error(reader: ExpressionReader, text: str, error: str) -> None:
    _names, rows, errors = values(reader, text)
    assert all(value is None for row in rows for value in row)
    assert errors == [error]


@pytest.mark.parametrize(
    ("text", "kind", "about"),
    [
        ("role(photo:gone, loadavg5)", "not_found", "photo:gone"),
        ("roleSlots(photo:web, loadavg5)", "not_supported", "roleSlots(photo:web, loadavg5)"),
        ("host(gone, *)", "not_found", "gone"),
        ("movingAverage(service(photo, upload), 400d)", "too_costly", ""),
    ],
)
def test_what_cannot_be_resolved_is_refused(reader: ExpressionReader, text: str, kind: str, about: str) -> None:
    with pytest.raises(MackerelError) as caught:
        values(reader, text)
    assert (caught.value.kind, caught.value.about) == (kind, about)


def test_a_wildcard_of_too_many_metrics_is_not_requested(reader: ExpressionReader, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.points["web1"] |= {f"many.{number}": {} for number in range(MAX_REQUESTS + 1)}
    with pytest.raises(MackerelError) as caught:
        values(reader, "sum(host(web1, many.*))")
    assert (caught.value.kind, caught.value.detail) == ("too_costly", f"{MAX_REQUESTS + 1} > {MAX_REQUESTS}")
    assert fake_mackerel.paths == ["/api/v0/hosts/web1/metric-names"]


def test_a_key_without_the_right_to_read_is_an_error(reader: ExpressionReader, fake_mackerel: FakeMackerel) -> None:
    fake_mackerel.has_read_permission = False
    assert values(reader, "service(photo, upload)")[2] == ["denied upload"]
    with pytest.raises(MackerelError, match="denied"):
        values(reader, "role(photo:web, loadavg5)")
