"""Messages for events: when the weights were changed."""

from dataclasses import replace

import pytest

from analysis import Alarm, AlarmValue, LabelledAlarm
from domain import Event, WeightChange
from domain.serialization import to_json
from messages.events import change_time, detail, details, kind_and_title, title
from messages.i18n import in_language

LABELS = {"baseline": "EC2", "canary": "ECS"}
ALARM = Alarm(
    "error_rate", "canary", 60, 240, None, {"baseline": AlarmValue(0, 0, 50), "canary": AlarmValue(0.9, 45, 50)}
)
EVENT = Event(60, None, "alarm", "ECS error_rate", to_json(LabelledAlarm(ALARM, LABELS)), "canary", "", "alarms", "key")


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


def test_an_alarm_is_said_in_the_language_of_the_reader() -> None:
    sentence = "Alarm (not a verdict): error rate ECS 90.0% (45 of 50), EC2 0% (0 of 50)."
    assert details(EVENT, LABELS, _minute) == ("alarm: ECS error rate 90.0%", "00:01", sentence)
    with in_language("ja"):
        assert title(EVENT) == "ECS エラー率 90.0%"
        assert (
            detail(EVENT) == "アラーム（判定ではありません）: エラー率 ECS 90.0%（50件中45件）、EC2 0%（50件中0件）。"
        )


def test_an_alarm_of_an_older_version_is_its_sentence() -> None:
    old = replace(EVENT, title="ECS error rate 90.0%", detail="Alarm (not a verdict): error rate ECS 90.0%.\nMore.")
    assert details(old, LABELS, _minute) == ("alarm: ECS error rate 90.0%", "00:01", *old.detail.splitlines())
    assert (title(old), detail(replace(old, detail='{"alarm": 1}'))) == ("ECS error rate 90.0%", '{"alarm": 1}')


@pytest.mark.parametrize(
    ("kind", "fleet", "text"),
    [
        ("deployment", "canary", "ECS deployment: web:142"),
        ("rollback", "baseline", "EC2 rollback: web:142"),
        ("deployment", "", "deployment: web:142"),
        ("alert", "canary", "alert: web:142"),
        ("note", "canary", "note: web:142"),
    ],
)
def test_a_deployment_names_its_fleet(kind, fleet, text) -> None:
    event = replace(EVENT, kind=kind, fleet=fleet, title="web:142", detail="")
    assert kind_and_title(event, LABELS) == text
