"""Tables of all commands: they fit 80 columns, and no number is cut or split."""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from archive import SourceState
from collector.backfill import BackfillStatus
from commands.record import RecorderStatus, recorder_table
from commands.shared import output
from commands.shared.fitting_table import FittingTable
from domain import Migration, Window
from tests.cli.conftest import NOW, run

NUMBER = re.compile(r"[(+−±]*\d[\d.,:–]*(?:[MB%hdms]|/min)?[):;,.]*")
SHORT = ("EC2", "ECS")
LONG = ("photo-service-on-ec2-in-tokyo-before-2026", "写真サービス新系（東京リージョンのECSタスク群）")


def render(renderable: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def assert_fits(renderable: RenderableType) -> None:
    """In 80 columns all numbers are there that are in columns without end."""
    narrow, wide = render(renderable, 80), render(renderable, 10_000)
    assert max(map(cell_len, narrow.splitlines())) <= 80
    numbers = [Counter(word for word in text.split() if NUMBER.fullmatch(word)) for text in (wide, narrow)]
    assert numbers[0] and numbers[0] - numbers[1] == Counter()
    assert "…" not in "".join(set(narrow.split()) - set(wide.split()))


@dataclass
class PrintedConsole:
    """Keeps what a command prints."""

    printed: list[RenderableType] = field(default_factory=list)
    is_terminal: bool = False

    def print(self, renderable: RenderableType) -> None:
        self.printed.append(renderable)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[RenderableType]:
    console = PrintedConsole()
    monkeypatch.setattr(output, "console", lambda: console)
    return console.printed


def large_numbers() -> Iterator[str]:
    """A CSV of four hours with 100B requests a minute and latencies of hours."""
    yield "ts,fleet,metric,stat,value"
    for minute in range(240):
        at = f"{datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
        for fleet, requests, p95 in (("baseline", 123_456_789_012, 11_111.2), ("canary", 98_765_432_109, 12_345.678)):
            yield f"{at},{fleet},requests,sum,{requests}"
            yield f"{at},{fleet},target_5xx,sum,{requests // 97}"
            yield f"{at},{fleet},latency,p95,{p95}"


@pytest.mark.parametrize(
    ("command", "labels"),
    [
        ("doctor", LONG),
        ("weights", LONG),
        ("weights --history", LONG),
        ("deployments", LONG),
        ("watch --once", LONG),
        ("watch --once", SHORT),
        ("judge --window 3h", LONG),
        ("judge --window 3h", SHORT),
        ("judge --csv large.csv", LONG),
        ("batches --window 1d", LONG),
        ("endpoints --window 1h", LONG),
        ("archive status", LONG),
        ("note --list", LONG),
    ],
)
def test_every_table_fits_80_columns(
    command: str,
    labels: tuple[str, str],
    demo: Migration,
    set_demo: Callable[[Migration], None],
    printed: list[RenderableType],
) -> None:
    fleets = {
        name: demo.fleets[name].model_copy(update={"label": label})
        for name, label in zip(("baseline", "canary"), labels, strict=True)
    }
    set_demo(demo.model_copy(update={"fleets": demo.fleets.model_copy(update=fleets)}))
    Path("large.csv").write_text("\n".join(large_numbers()))
    if command == "note --list":
        run("note", "1,234,567,890 requests a minute, and a note that is longer than any line of a terminal")
        run("note", "写真サービスの負荷試験で毎分1234567890件のリクエストを送信したため応答時間が長くなっている")
    result = run(*command.split())
    assert isinstance(result.exception, SystemExit | None), result.output
    (table,) = printed
    assert_fits(table)


def test_the_recorders_table_fits_80_columns(demo: Migration) -> None:
    now = int(NOW.timestamp())
    names = ("cloudwatch", "mackerel_metrics", "demo_functions")
    states = tuple(SourceState(name, "metrics", "up", now, now - 1_234_567, 0.1, ()) for name in names)
    window = Window.last(2, now=NOW)
    backfill = BackfillStatus("waiting", 123_456, 789_012, now - 99_999_999, window)
    assert_fits(recorder_table(demo, RecorderStatus(NOW, states, dict.fromkeys(names, backfill), None, frozenset())))


WORDS = st.text(st.sampled_from("0123456789,.abc系写"), min_size=1, max_size=30)
CELLS = st.lists(WORDS, max_size=4).map(" ".join)


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(st.booleans(), st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4))
    )
)
def test_no_word_with_a_digit_is_split(drawn: tuple[bool, list[list[str]]]) -> None:
    with_headings, rows = drawn
    grid = FittingTable(*(rows[0] if with_headings else ()))
    for row in rows:
        grid.add_row(*row)
    text = render(grid, 80)
    assert all(cell_len(line) <= 80 for line in text.splitlines())
    words = [
        word for row in rows for cell in row for word in cell.split() if re.search(r"\d", word) and cell_len(word) <= 38
    ]
    assert Counter(words) - Counter(text.split()) == Counter()
