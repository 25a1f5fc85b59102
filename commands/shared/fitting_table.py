"""A table that fits its terminal without losing a digit."""

import re

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from commands.shared.styles import FAINT

GAP = 2  # blank cells between two columns
FOLDED_CELLS = 16  # a longer word may be folded, unless it has a digit
KEPT_CELLS = 13  # a line that is not longer wraps only if nothing else helps
UNLIMITED_CELLS = 10_000


class FittingTable(Table):
    """If the columns do not fit side by side, their cells wrap between words; if the words do not fit, each row is a list of headings and cells."""

    def __init__(self, *headings: str) -> None:
        super().__init__(
            box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=bool(headings), header_style=FAINT
        )
        for heading in headings:
            self.add_column(Text(heading))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        available = options.max_width - GAP * (len(self.columns) - 1)
        for kept_cells in (KEPT_CELLS, 0):
            measured = [_measure(console, options, column, kept_cells) for column in self.columns]
            if sum(width.minimum for width in measured) <= available:
                for column, width in zip(self.columns, _distribute(measured, available), strict=True):
                    column.width, column.overflow = width, "fold"
                yield from super().__rich_console__(console, options)
                return
        yield from self._rows_as_lists() if self.show_header else self._rows_as_lines()

    def _rows_as_lists(self) -> RenderResult:
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            grid = Table.grid(padding=(0, GAP, 0, 0))
            grid.add_column(style=FAINT, overflow="fold")
            grid.add_column(overflow="fold")
            for column, cell in zip(self.columns, cells, strict=True):
                grid.add_row(column.header, cell)
            yield from (grid, Text())

    def _rows_as_lines(self) -> RenderResult:
        for cells in zip(*(column.cells for column in self.columns), strict=True):
            yield Text((" " * GAP).join(map(str, cells)), overflow="fold")


def _measure(console: Console, options: ConsoleOptions, column: Column, kept_cells: int) -> Measurement:
    """The width of the longest part that does not wrap, or the column's `min_width`; and that without wrapping."""
    cells = [column.header, *column.cells]
    maximum = max(Measurement.get(console, options.update(width=UNLIMITED_CELLS), cell).maximum for cell in cells)
    if column.no_wrap:
        return Measurement(maximum, maximum)
    minimum = max(_narrowest(console, options, cell, kept_cells if cell is not column.header else 0) for cell in cells)
    return Measurement(min(column.min_width or minimum, maximum), maximum)


def _narrowest(console: Console, options: ConsoleOptions, cell: RenderableType, kept_cells: int) -> int:
    if not isinstance(cell, str | Text):
        return Measurement.get(console, options, cell).minimum
    widths = [0]
    for line in str(cell).splitlines():
        parts = [line] if cell_len(line) <= kept_cells else line.split()
        widths += [cell_len(part) if re.search(r"\d", part) else min(cell_len(part), FOLDED_CELLS) for part in parts]
    return max(widths)


def _distribute(measured: list[Measurement], available: int) -> list[int]:
    """The widths: the minima, and what is left over to the columns that lack most."""
    widths = [width.minimum for width in measured]
    for _ in range(min(available, sum(width.maximum for width in measured)) - sum(widths)):
        lacking = max(range(len(widths)), key=lambda index: measured[index].maximum - widths[index])
        widths[lacking] += 1
    return widths
