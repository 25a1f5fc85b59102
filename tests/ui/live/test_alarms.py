"""The band of open alarms at the top of the Live page."""

from collections.abc import Callable

from analysis import Alarm, AlarmRule, AlarmValue
from domain import FleetName
from services.alarms import AlarmStatus
from tests.factories.app_context import NOW
from tests.factories.html import ParsedHtml
from ui.app_context import AppContext
from ui.live.alarms import alarm_band

START = int(NOW.timestamp()) - 600
VALUES: dict[AlarmRule, dict[FleetName, AlarmValue]] = {
    "error_rate": {"baseline": AlarmValue(14 / 6846, 14, 6846), "canary": AlarmValue(19775 / 20538, 19775, 20538)},
    "no_response": {"baseline": AlarmValue(0.0, 0, 6846), "canary": AlarmValue(0.5, 10269, 20538)},
    "no_requests": {"baseline": AlarmValue(None, 6846, 6846), "canary": AlarmValue(None, 0, 20538)},
    "latency_p95": {"baseline": AlarmValue(0.2, None, 2700), "canary": AlarmValue(0.84, None, 8092)},
}


def make_alarm(rule: AlarmRule, fleet: FleetName = "canary") -> Alarm:
    return Alarm(rule, fleet, START, START + 180, None, VALUES[rule])


def band(app: AppContext, rendered: list[str], *alarms: Alarm, not_known: tuple[AlarmRule, ...] = ()) -> ParsedHtml:
    status = AlarmStatus(alarms, START + 600, tuple((rule, "canary") for rule in not_known))
    alarm_band(app, status, NOW)
    return ParsedHtml(" ".join(rendered))


def test_every_rule_in_words(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    text = band(build_app(), rendered, *map(make_alarm, VALUES)).text
    for sentence in (
        "✕ Alarm (not a verdict): error rate ECS 96.28% (19,775 of 20,538), EC2 0.20% (14 of 6,846), since 20:50 JST",
        "✕ Alarm (not a verdict): no response ECS 50.0% (10,269 of 20,538), EC2 0% (0 of 6,846), since 20:50 JST",
        "✕ Alarm (not a verdict): no requests to ECS, where 20,538 were expected; EC2 had 6,846, since 20:50 JST",
        "✕ Alarm (not a verdict): p95 ECS 840 ms (8,092 answers), EC2 200 ms (2,700 answers), since 20:50 JST",
        "Rollback: readiness and command",
    ):
        assert sentence in text


def test_a_broken_baseline_is_not_rolled_back_to(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    text = band(build_app(), rendered, make_alarm("error_rate", "baseline")).text
    assert "error rate EC2 0.20% (14 of 6,846), ECS 96.28% (19,775 of 20,538)" in text and "Rollback" not in text


def test_nothing_without_an_alarm(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    band(build_app(), rendered)
    assert rendered == []


def test_what_is_not_known(build_app: Callable[..., AppContext], rendered: list[str]) -> None:
    text = band(build_app(), rendered, not_known=("no_requests", "latency_p95")).text
    assert text == "Not known for lack of data, so neither an alarm nor none: no requests, p95."
    rendered.clear()
    rules = tuple((rule, fleet) for rule in VALUES for fleet in ("baseline", "canary"))
    alarm_band(build_app(), AlarmStatus((), None, rules), NOW)  # type: ignore[arg-type]
    assert "Alarms are not known: there is no current data." in rendered[0]
