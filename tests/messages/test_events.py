"""Messages for events: when the weights were changed."""

import pytest

from domain import WeightChange
from messages.events import change_time


def _minute(ts: int) -> str:
    return f"{ts // 3600:02}:{ts // 60 % 60:02}"


@pytest.mark.parametrize(
    ("since", "ts", "text"),
    [
        (85_680, 85_680, "23:48"),  # logged
        (85_685, 85_700, "23:48"),  # two snapshots in one minute
        (85_730, 85_745, "between 23:48 and 23:49"),
    ],
)
def test_the_time_of_a_change_has_two_ends_only_if_they_read_differently(since: int, ts: int, text: str) -> None:
    assert change_time(WeightChange(ts, since, 0.1, 0.5), _minute) == text
