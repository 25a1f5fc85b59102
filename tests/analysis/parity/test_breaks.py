"""Breaks of one criterion, from counts."""

import numpy as np
import pytest

from analysis.parity.breaks import break_signs
from analysis.parity.confidence_sequences import running_rates
from analysis.parity.samples import PairedSamples
from analysis.series.grid import FloatArray
from domain import Criterion, Margin
from domain.window import MINUTE_S

REQUESTS = 1e6  # of each fleet in each minute


@pytest.mark.parametrize(("has_burst", "expected"), [("baseline", -1), ("canary", 1)])
def test_a_burst_of_one_minute_is_no_break_and_a_lasting_difference_is_one(has_burst: str, expected: int) -> None:
    """The other fleet has no error at all."""
    burst, lasting = np.zeros(90), np.zeros(90)
    burst[45], lasting[30:] = 300_000, 3_000
    for events, sign in ((burst, 0), (lasting, expected)):
        both = (events, np.zeros(90)) if has_burst == "baseline" else (np.zeros(90), events)
        samples = _samples(*both)
        signs = break_signs(samples, running_rates(*samples.counts), n_comparisons=1)
        assert signs[50:60].tolist() == [sign] * 10


def _samples(baseline: FloatArray, canary: FloatArray) -> PairedSamples:
    index, requests = np.arange(len(baseline)), np.full(len(baseline), REQUESTS)
    criterion = Criterion(metric="error_rate", margin=Margin(value=0.1, unit="pp"))
    return PairedSamples(
        criterion, MINUTE_S, index * MINUTE_S, index, index, baseline, canary, requests, requests, {}, True, len(index)
    )
