"""The running estimate: the judge's trace in a window, thinned out."""

import numpy as np
import pandas as pd
import pytest

from analysis.parity import estimates
from analysis.parity.estimates import running_estimate
from tests.factories.frames import START, window


def trace(metric: str, minutes: int) -> pd.DataFrame:
    """The estimate after minute n is n, in a CI of ±1 and a margin of ±9."""
    n = np.arange(minutes, dtype=float)
    ts = pd.to_datetime(START + n.astype(int) * 60, unit="s", utc=True).as_unit("s")
    columns = {"estimate": n, "lower": n - 1, "upper": n + 1, "margin_lower": -9.0, "margin": 9.0}
    return pd.DataFrame({"ts": ts, "metric": metric, **columns})


def test_it_is_cut_to_the_window_and_ends_with_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates, "MAX_POINTS", 3)
    both = pd.concat([trace("error_rate", 30), trace("latency_p95", 30)], ignore_index=True)
    result = running_estimate(both, "latency_p95", window(8, start=START + 60))
    assert result is not None
    assert ((result.ts - START) // 60).tolist() == [2, 5, 8]
    assert (result.step_s, result.estimate.tolist(), result.lower.tolist()) == (180, [2, 5, 8], [1, 4, 7])
    assert result.known


def test_there_is_none_of_a_metric_that_is_not_judged_or_of_another_time() -> None:
    rows = trace("error_rate", 5)
    assert running_estimate(rows, "latency_p95", window(5)) is None
    assert running_estimate(rows, "error_rate", window(5, start=START + 600)) is None


def test_it_is_unknown_without_an_interval() -> None:
    result = running_estimate(trace("error_rate", 5).assign(lower=np.nan), "error_rate", window(5))
    assert result is not None and not result.known
