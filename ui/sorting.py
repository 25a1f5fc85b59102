"""Tables that are sorted by their columns: the order is the query parameter `sort`, downwards with a "-" in front."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

_Row = TypeVar("_Row")
HeadCell = tuple[str, str, str]  # label, URL of the order by this column, aria-sort


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a table by a column."""

    column: str
    descending: bool


def parse_sort(text: str, columns: Sequence[str]) -> Sort | None:
    """None for the table's own order, and for a column that it does not have."""
    column = text.removeprefix("-")
    return Sort(column, text.startswith("-")) if column in columns else None


def sorted_rows(rows: Sequence[_Row], sort: Sort | None, values: Mapping[str, Callable[[_Row], Any]]) -> list[_Row]:
    """`values`: of each column, of one type. Rows without a value are last in both directions."""
    if sort is None:
        return list(rows)
    value = values[sort.column]
    known = [row for row in rows if value(row) is not None]
    return [*sorted(known, key=value, reverse=sort.descending), *(row for row in rows if value(row) is None)]


def sort_head(
    labels: Sequence[str],
    columns: Sequence[str],
    sort: Sort | None,
    query_params: Mapping[str, str],
    *,
    ascending_first: str,
) -> list[HeadCell]:
    """The head of a table whose first columns are sortable: downwards first, but for the column `ascending_first`, then upwards, then not at all.

    `query_params`: the others that the links keep.
    """
    others = {name: value for name, value in query_params.items() if name not in ("sort", "page")}
    cells = list[HeadCell]()
    for label, column in zip(labels, (*columns, *[""] * (len(labels) - len(columns))), strict=True):
        orders = [column, f"-{column}"] if column == ascending_first else [f"-{column}", column]
        current = f"{'-' if sort.descending else ''}{sort.column}" if sort and sort.column == column else ""
        value = (orders[1] if current == orders[0] else "") if current else orders[0]
        url = "?" + urlencode(others | ({"sort": value} if value else {})) if column else ""
        direction = ("descending" if current.startswith("-") else "ascending") if current else ""
        cells.append((str(label), url, direction))
    return cells
