"""The numbers of an evidence file: the same bytes for the same numbers, and nothing in them that a spreadsheet would run."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from reports.evidence.data import settled_rows, to_csv, to_parquet
from tests.factories.frames import START, tidy, window

TWO = {
    ("canary", "ecs", "latency", "p95"): [0.1, None, 0.25],
    ("baseline", "ec2", "requests", "sum"): [1200.0, 0.0, 3.0],
}
AS_CSV = """\
"ts","fleet","target_group","metric","stat","value","unit","period_s","source"
"2026-09-21T14:10:00Z","baseline","ec2","requests","sum",1200.0,"",60,"test"
"2026-09-21T14:10:00Z","canary","ecs","latency","p95",0.1,"",60,"test"
"2026-09-21T14:11:00Z","baseline","ec2","requests","sum",0.0,"",60,"test"
"2026-09-21T14:12:00Z","baseline","ec2","requests","sum",3.0,"",60,"test"
"2026-09-21T14:12:00Z","canary","ecs","latency","p95",0.25,"",60,"test"
"""


def settled(frame: pd.DataFrame, *, minutes: int = 3, until: int = START + 3600) -> pd.DataFrame:
    return settled_rows(frame, window(minutes), until)


def test_a_row_a_number_in_one_order() -> None:
    assert to_csv(settled(tidy(TWO))).decode() == AS_CSV


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_archive_changes_nothing(seed: int) -> None:
    frame = tidy(TWO)
    mixed = settled(frame.sample(frac=1, random_state=seed))
    assert to_csv(mixed) == to_csv(settled(frame))
    assert to_parquet(mixed) == to_parquet(settled(frame))


def test_only_what_was_settled_in_the_window_is_evidence() -> None:
    assert settled(tidy(TWO), until=START + 120)["ts"].max() == pd.Timestamp(START + 60, unit="s", tz="UTC")
    assert settled(tidy(TWO), until=START + 119)["ts"].max() == pd.Timestamp(START, unit="s", tz="UTC")
    later = settled_rows(tidy(TWO), Window(START + 60, START + 120), START + 3600)
    assert later["value"].tolist() == [0.0]
    assert len(settled(tidy(TWO), until=START)) == 0


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_would_be_a_formula_gets_a_quote_and_a_number_stays_a_number(first: str) -> None:
    evil = f"{first}HYPERLINK(0)"
    rows = settled(tidy({("canary", evil, "latency", "p95"): [-0.5]}))
    (_, cells) = csv.reader(io.StringIO(to_csv(rows).decode(), newline=""))
    assert cells[2] == f"'{evil}"
    assert cells[5] == "-0.5"
    assert pd.read_parquet(io.BytesIO(to_parquet(rows)))["target_group"].tolist() == [evil]


def test_parquet_has_the_types_of_the_frame() -> None:
    read = pd.read_parquet(io.BytesIO(to_parquet(settled(tidy(TWO)))))
    assert read["value"].tolist() == [1200.0, 0.1, 0.0, 3.0, 0.25]
    assert str(read["ts"].dt.tz) == "UTC"
    assert read["period_s"].dtype == "int32"


@given(st.text(min_size=1, max_size=8), st.floats(allow_nan=False, allow_infinity=False))
def test_any_name_and_any_number_come_back(name: str, value: float) -> None:
    rows = settled(tidy({("canary", name.encode("utf-8", "replace").decode(), "latency", "p95"): [value]}))
    (_, cells) = csv.reader(io.StringIO(to_csv(rows).decode(), newline=""))
    assert not cells[2].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cells[2].removeprefix("'") == rows["target_group"][0].removeprefix("'")
    assert float(cells[5]) == value
