"""An hour in which ECS answers with half the bytes, and most of its failed requests are of one client."""

import pyarrow as pa

from analysis.endpoints.answers import compare_answers
from analysis.endpoints.why import counted_traits, explain
from domain.log_counts import EXAMPLES, FAILED, SIZES, TRAITS
from services.log_details import LogDetails
from sources.access_logs.counter import LogCounts
from tests.factories.log_counts import EC2, ECS, FLEET_OF, HOST, START, count_row, count_table, first_minutes

ROUTE, AGENT = "/<script>alert(1)</script>", "<b>client</b>"
_SIZE = {"host": HOST, "method": "GET", "route": ROUTE, "elb_status": 200, "protocol": "h2", "n": 20}


def failed_requests(start: int, group: str = ECS) -> LogCounts:
    """A thousand requests in the minute that starts at `start`: 50 failed, 40 of them of AGENT, which has 100."""
    traits = [
        {"minute": start // 300 * 300, "target_group": group, "trait": "agent", "value": value, "outcome": outcome, "n": n}
        for value, outcome, n in ((AGENT, FAILED, 40), (AGENT, 0, 60), ("okhttp", FAILED, 10), ("okhttp", 0, 890))
    ]  # fmt: skip
    counts = [count_row(group, 950) | {"minute": start}, count_row(group, 50, elb=500) | {"minute": start}]
    empty = EXAMPLES.empty_table(), ()
    return LogCounts(count_table(counts), *empty, SIZES.empty_table(), pa.Table.from_pylist(traits, TRAITS))


def half_the_bytes() -> pa.Table:
    """SIZES of an hour."""
    sizes = [
        {**_SIZE, "minute": START + minute * 60, "target_group": group, "bytes": 20 * (mean + minute % 7)}
        for minute in range(60)
        for group, mean in ((EC2, 24_000), (ECS, 12_000))
    ]
    return pa.Table.from_pylist(sizes, SIZES)


def log_details() -> LogDetails:
    logs = failed_requests(START)
    why = explain(pa.concat_tables([logs.traits, counted_traits(logs.counts)]), FLEET_OF)
    assert why
    return LogDetails(compare_answers(half_the_bytes(), FLEET_OF, first_minutes(60)), (why,))
