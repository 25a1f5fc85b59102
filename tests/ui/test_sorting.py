"""The order of a table in its URL."""

import pytest

from ui.sorting import Sort, parse_sort, sort_head, sorted_rows

COLUMNS = ("name", "n")


@pytest.mark.parametrize("text", ["", "-", "x", "--n", "N", "n ", "n" * 10**6, "<b>"])
def test_an_order_by_no_column_is_the_tables_own(text: str) -> None:
    assert parse_sort(text, COLUMNS) is None


def test_a_column_is_sorted_one_way_then_the_other_then_not_at_all() -> None:
    def links(sort: str) -> list[tuple[str, str]]:
        query = {"window": "1h", "page": "3", "sort": sort}
        head = sort_head(["Name", "N", "Verdict"], COLUMNS, parse_sort(sort, COLUMNS), query, ascending_first="name")
        return [(url, direction) for _, url, direction in head]

    by_name, by_n = "?window=1h&sort=name", "?window=1h&sort=-n"
    assert links("") == [(by_name, ""), (by_n, ""), ("", "")]
    assert links("-n") == [(by_name, ""), ("?window=1h&sort=n", "descending"), ("", "")]
    assert links("n") == [(by_name, ""), ("?window=1h", "ascending"), ("", "")]
    assert links("name")[0] == ("?window=1h&sort=-name", "ascending")


def test_rows_without_a_value_are_last_in_both_directions() -> None:
    rows = [3, None, 1, 2]
    orders = [sorted_rows(rows, Sort("n", down), {"n": lambda row: row}) for down in (False, True)]
    assert orders == [[1, 2, 3, None], [3, 2, 1, None]] and sorted_rows(rows, None, {}) == rows
