"""The tidy frame: the one shape in which every number travels from a source to a page."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from domain.series import OWNERS, Series

# ts: period START, UTC · value: float · period_s: how long the period is · the rest: what is counted, see domain.series
COLUMNS = ("ts", "fleet", "target_group", "metric", "stat", "value", "unit", "period_s", "source")
LABEL_COLUMNS = ("fleet", "target_group", "metric", "stat", "unit", "source")


class FrameError(ValueError):
    """A frame that is not tidy, in a sentence that says why. Always a mistake in this program, never the outside world's."""


def assemble(
    series: Sequence[Series],
    code: npt.NDArray[np.integer],
    epoch_s: npt.NDArray[np.integer],
    value: npt.NDArray[np.floating],
    period_s: npt.NDArray[np.integer] | int,
) -> pd.DataFrame:
    """A tidy frame of rows given as arrays of equal length: `code[i]` is the position in `series` of what `value[i]` measures.

    Names become categories and are never repeated per row, so a day of sixty series is built in milliseconds. Rows keep their order.
    """
    code = np.asarray(code, dtype=np.intp)
    ts = pd.to_datetime(np.asarray(epoch_s, dtype="int64"), unit="s", utc=True).as_unit("s")
    columns: dict[str, object] = {"ts": ts, "value": np.asarray(value, dtype="float64")}
    columns["period_s"] = np.broadcast_to(np.asarray(period_s, dtype="int32"), code.shape).copy()
    for name in LABEL_COLUMNS:
        said = [getattr(one, name) for one in series]
        categories = list(OWNERS) if name == "fleet" else sorted(set(said))
        place = {category: at for at, category in enumerate(categories)}
        lookup = np.array([place[one] for one in said] or [0], dtype="int16")
        columns[name] = pd.Categorical.from_codes(
            lookup[code] if len(code) else np.array([], dtype="int16"), categories=pd.Index(categories, dtype="object")
        )
    return pd.DataFrame(columns)[list(COLUMNS)]


def empty_frame() -> pd.DataFrame:
    """A tidy frame without rows."""
    none = np.array([], dtype="int64")
    return assemble((), none, none, none.astype("float64"), 60)


def check_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame, if it is tidy.

    Columns and dtypes as in `COLUMNS`; no NaN or infinity (a missing minute is an absent row); every `ts` a multiple of its `period_s`;
    no statistic of the same group and period twice. Raises FrameError with the first rule that is broken.
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
    strangers = set(frame["fleet"].unique()) - set(OWNERS)
    if strangers:
        raise FrameError(f"`fleet` is one of {', '.join(OWNERS)}, not {', '.join(sorted(map(str, strangers)))}.")
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
    """Every row's `ts` in epoch seconds."""
    seconds: npt.NDArray[np.int64] = frame["ts"].dt.as_unit("s").astype("int64").to_numpy()
    return seconds
