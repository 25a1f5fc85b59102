"""data.csv and data.parquet of an evidence file: the same bytes for the same numbers, and no spreadsheet formulas."""

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import Window
from reports.evidence.data import to_csv, to_parquet
from services.evidence import final_rows
from tests.factories.frames import START, tidy_frame, window

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


def final(frame: pd.DataFrame, *, minutes: int = 3, until: int = START + 3600) -> pd.DataFrame:
    return final_rows(frame, window(minutes), until)


def test_rows_have_a_fixed_order() -> None:
    assert to_csv(final(tidy_frame(TWO))).decode() == AS_CSV


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_archive_changes_nothing(seed: int) -> None:
    frame = tidy_frame(TWO)
    mixed = final(frame.sample(frac=1, random_state=seed))
    assert to_csv(mixed) == to_csv(final(frame))
    assert to_parquet(mixed) == to_parquet(final(frame))


def test_only_final_rows_of_the_window_are_included() -> None:
    assert final(tidy_frame(TWO), until=START + 120)["ts"].max() == pd.Timestamp(START + 60, unit="s", tz="UTC")
    assert final(tidy_frame(TWO), until=START + 119)["ts"].max() == pd.Timestamp(START, unit="s", tz="UTC")
    later = final_rows(tidy_frame(TWO), Window(START + 60, START + 120), START + 3600)
    assert later["value"].tolist() == [0.0]
    assert len(final(tidy_frame(TWO), until=START)) == 0


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_like_a_formula_is_quoted_and_a_number_is_not(first: str) -> None:
    evil = f"{first}HYPERLINK(0)"
    rows = final(tidy_frame({("canary", evil, "latency", "p95"): [-0.5]}))
    (_, cells) = csv.reader(io.StringIO(to_csv(rows).decode(), newline=""))
    assert cells[2] == f"'{evil}"
    assert cells[5] == "-0.5"
    assert pd.read_parquet(io.BytesIO(to_parquet(rows)))["target_group"].tolist() == [evil]


def test_parquet_has_the_types_of_the_frame() -> None:
    read = pd.read_parquet(io.BytesIO(to_parquet(final(tidy_frame(TWO)))))
    assert read["value"].tolist() == [1200.0, 0.1, 0.0, 3.0, 0.25]
    assert str(read["ts"].dt.tz) == "UTC"
    assert read["period_s"].dtype == "int32"


@given(st.text(min_size=1, max_size=8), st.floats(allow_nan=False, allow_infinity=False))
def test_any_name_and_number_round_trip(name: str, value: float) -> None:
    rows = final(tidy_frame({("canary", name.encode("utf-8", "replace").decode(), "latency", "p95"): [value]}))
    (_, cells) = csv.reader(io.StringIO(to_csv(rows).decode(), newline=""))
    assert not cells[2].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cells[2].removeprefix("'") == rows["target_group"][0].removeprefix("'")
    assert float(cells[5]) == value
