"""Trace ids: minted, typed, pasted as a header, malformed, forged."""

import pytest

from domain.trace_ids import MAX_HEADER_CHARS, TraceId, new_trace_id, parse_trace_id

ID = "1-6a13f2b0-4bf92f3577b34da6a3ce929d"


def test_a_new_id_has_the_time_and_is_new_each_time() -> None:
    first, second = new_trace_id(0x6A13F2B0), new_trace_id(0x6A13F2B0)
    assert first != second
    assert first.ts == second.ts == 0x6A13F2B0
    assert parse_trace_id(first.text) == first


def test_the_header_as_the_load_balancer_expects_it() -> None:
    assert TraceId(ID).header == f"X-Amzn-Trace-Id: Root={ID}"


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"  {ID.upper()}\n",
        f"Root={ID}",
        f"Self=1-67891234-12456789abcdef012345678a;Root={ID}",
        f"Root={ID};Parent=53995c3f42cd8ad8;Sampled=1",
        f"x-amzn-trace-id: Root={ID};foo=bar",
        f"Self={ID}",
    ],
)
def test_an_id_or_the_header_that_has_it(text: str) -> None:
    assert parse_trace_id(text) == TraceId(ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "new",
        "<script>alert(1)</script>",
        f"<script>{ID}</script>",
        f"{ID}'; DROP TABLE",
        ID[:-1],
        ID + "0",
        "2" + ID[1:],
        ID.replace("6a13f2b0", "6a13f2bg"),
        ID.replace("6", "６"),
        "a" * MAX_HEADER_CHARS + f";Root={ID}",
    ],
)
def test_any_other_text_is_none(text: str) -> None:
    assert parse_trace_id(text) is None


def test_a_value_cannot_be_made_of_another_shape() -> None:
    with pytest.raises(ValueError, match="not a trace id"):
        TraceId(ID.upper())
