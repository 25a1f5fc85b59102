"""The tidy frame: the schema of all metric values, from the sources to the pages."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import union_categoricals

from domain.series import OWNERS, Series

# ts: start of the period, UTC · value: float · period_s: length of the period · the others: the fields of Series
COLUMNS = ("ts", "fleet", "target_group", "metric", "stat", "value", "unit", "period_s", "source")
LABEL_COLUMNS = ("fleet", "target_group", "metric", "stat", "unit", "source")


class FrameError(ValueError):
    """The frame is not tidy: a bug in this program, never bad input."""


def assemble(
    series: Sequence[Series],
    code: npt.NDArray[np.integer],
    epoch_s: npt.NDArray[np.integer],
    value: npt.NDArray[np.floating],
    period_s: npt.NDArray[np.integer] | int,
) -> pd.DataFrame:
    """A tidy frame from arrays of equal length: `code[i]` is the index in `series` of row i. Rows keep their order; labels are categorical."""
    code = np.asarray(code, dtype=np.intp)
    ts = pd.to_datetime(np.asarray(epoch_s, dtype="int64"), unit="s", utc=True).as_unit("s")
    columns: dict[str, object] = {"ts": ts, "value": np.asarray(value, dtype="float64")}
    columns["period_s"] = np.broadcast_to(np.asarray(period_s, dtype="int32"), code.shape).copy()
    for name in LABEL_COLUMNS:
        labels = [getattr(item, name) for item in series]
        categories = list(OWNERS) if name == "fleet" else sorted(set(labels))
        index = {category: position for position, category in enumerate(categories)}
        lookup = np.array([index[label] for label in labels] or [0], dtype="int16")
        columns[name] = pd.Categorical.from_codes(
            lookup[code] if len(code) else np.array([], dtype="int16"), categories=pd.Index(categories, dtype="object")
        )
    return pd.DataFrame(columns)[list(COLUMNS)]


def empty_frame() -> pd.DataFrame:
    """A tidy frame without rows."""
    empty = np.array([], dtype="int64")
    return assemble((), empty, empty, empty.astype("float64"), 60)


def concat_frames(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of tidy frames, in order, with categorical labels. No series may be in two of them."""
    filled = [frame for frame in frames if len(frame)] or list(frames[:1])
    if len(filled) == 1:
        return filled[0]
    columns: dict[str, object] = {
        name: union_categoricals([frame[name] for frame in filled])
        if name in LABEL_COLUMNS
        else pd.concat([frame[name] for frame in filled], ignore_index=True)
        for name in COLUMNS
    }
    return pd.DataFrame(columns)


def check_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame; raises FrameError if it is not tidy.

    Tidy: the columns of `COLUMNS`; `ts` in UTC and a multiple of `period_s`; finite values (a missing minute is an absent row); no series
    twice in the same period.
    """
    if tuple(frame.columns) != COLUMNS:
        raise FrameError(
            f"A tidy frame has the columns {', '.join(COLUMNS)}; this one has {', '.join(map(str, frame.columns))}."
        )
    if str(getattr(frame["ts"].dtype, "tz", None)) != "UTC":
        raise FrameError(f"`ts` is in UTC, but this one is {frame['ts'].dtype}.")
    values = frame["value"].to_numpy()
    if values.dtype != np.float64 or not np.isfinite(values).all():
        raise FrameError("Every `value` is a finite float: a missing minute is an absent row, never NaN.")
    unknown = set(frame["fleet"].unique()) - set(OWNERS)
    if unknown:
        raise FrameError(f"`fleet` is one of {', '.join(OWNERS)}, not {', '.join(sorted(map(str, unknown)))}.")
    ts, period_s = epoch_s(frame), frame["period_s"].to_numpy().astype("int64")
    if (ts % period_s).any():
        raise FrameError("Every `ts` is the start of its period: a multiple of `period_s` since the epoch.")
    key = ts // 60 * 3600 + period_s // 60
    for name in LABEL_COLUMNS:
        codes, names = pd.factorize(frame[name])
        key = key * max(len(names), 1) + codes
    if len(np.unique(key)) != len(frame):
        raise FrameError("The same statistic of the same group and period stands twice.")
    return frame


def epoch_s(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """`ts` of each row in epoch seconds."""
    seconds: npt.NDArray[np.int64] = frame["ts"].dt.as_unit("s").astype("int64").to_numpy()
    return seconds
