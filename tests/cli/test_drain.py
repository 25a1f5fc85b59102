"""`drain`: the demo's old fleet, and one that was emptied, of a load balancer and CloudWatch on loopback."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from commands.shared import startup
from domain import Arn, Migration
from domain.window import DAY_S, HOUR_S
from sources.access_logs.filenames import file_name_prefix
from sources.base import TrafficSnapshot
from sources.demo.sources import DemoTraffic
from tests.cli.conftest import ANCHOR, DENIED, NOW, json_output, lines, sources_at
from tests.cli.conftest import run as run_command
from tests.factories.access_log_lines import access_log_line
from tests.factories.loopback_config import config_toml
from tests.fakes.services import fake_services
from tests.fakes.traffic_model import TargetGroupMinute

run = partial(run_command, "drain")
HOUR = int(datetime.now(UTC).timestamp()) // HOUR_S * HOUR_S


def kinds(output: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["kind"] for item in output["obstacles"]]


@pytest.mark.usefixtures("demo")
class TestDemo:
    def test_the_old_fleet_still_has_half_of_the_requests(self) -> None:
        result = run("--demo", columns=200)
        shown = lines(result.stdout)
        assert result.exit_code == 1
        assert shown[1] == "Not safe to remove EC2."
        assert shown[2] == "✘ photo-ec2: rule HTTPS:443 default forwards 50.0% of its requests to it."
        assert any("still receives requests" in line for line in shown)
        assert any(line.startswith("✘ Batch export still runs by cron") for line in shown)
        assert "aws elbv2" not in result.stdout

    def test_json(self) -> None:
        output = json_output(run("--demo", "--json"))
        assert (output["verdict"], output["exit_code"], output["commands"]) == ("not_safe", 1, [])
        assert {"forwards", "requests"} <= set(kinds(output))
        assert output["groups"][0]["after_changes"]
        assert [rule["weight"] for rule in output["rules"]] == [500]

    def test_rules_that_cannot_be_read_are_an_obstacle(self, demo: Migration, use_sources: object) -> None:
        class Refused(DemoTraffic):
            def snapshot(self) -> TrafficSnapshot:
                return TrafficSnapshot(int(NOW.timestamp()), None, (replace(DENIED, source="demo_traffic"),))

        sources = replace(sources_at(NOW, demo), traffic=Refused(anchor=ANCHOR))
        use_sources(sources)  # type: ignore[operator]
        output = json_output(run("--demo", "--json"))
        assert "rules_unread" in kinds(output)
        assert output["problems"]

    def test_wrong_options_are_not_a_verdict(self) -> None:
        assert run("--demo", "--source", "nothing").exit_code == 3


class EmptiedFleet:
    """photo-ec2 had requests until `stopped_at`; photo-ecs has them always, most in the hour from `peak` on."""

    def __init__(self, stopped_at: int, peak: int) -> None:
        self._stopped_at, self._peak = stopped_at, peak

    def target_groups(self) -> Collection[str]:
        return ("photo-ec2", "photo-ecs")

    def minute(self, target_group: str, ts: int) -> TargetGroupMinute | None:
        if target_group == "photo-ec2" and ts >= self._stopped_at:
            return None
        requests = 50 if self._peak <= ts < self._peak + HOUR_S else 10
        return TargetGroupMinute(requests, responses_2xx=requests)

    def load_balancer_errors(self, ts: int) -> Mapping[str, int]:
        return {}


def _write_log(load_balancer: str, end_s: int) -> str:
    """Writes a file of five minutes with one request to photo-ec2. Returns its table of the configuration."""
    arn, end = Arn.parse(load_balancer), datetime.fromtimestamp(end_s, UTC)
    assert arn
    line = access_log_line(time=f"{end - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}.000000Z", agent="okhttp/4.12")
    line = line.replace("targetgroup/photo-ecs/", "targetgroup/photo-ec2/").replace(
        "app/photo/50dc6c495c0c9188", arn.dimension
    )
    Path("logs").mkdir()
    name = f"{file_name_prefix(arn)}{end:%Y%m%dT%H%MZ}_10.0.1.10_3c8d6a1b.log"
    Path("logs", name).write_text(line, encoding="utf-8")
    return '[access_logs]\npath = "logs"\n'


class TestEmptied:
    @pytest.fixture(autouse=True)
    def _workspace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(startup, "now", lambda: datetime.fromtimestamp(HOUR + 1800, UTC))

    def drained(
        self,
        monkeypatch: pytest.MonkeyPatch,
        model: EmptiedFleet,
        *,
        ec2: int = 0,
        header_rule: bool = False,
        log_end: int = 0,
    ) -> dict[str, list[dict[str, str]]]:
        with fake_services(model) as services:
            for name, value in services.environment.items():
                monkeypatch.setenv(name, value)
            balancer = services.elbv2
            balancer.set_weights({"photo-ec2": ec2, "photo-ecs": 100})
            if header_rule:
                balancer.add_header_rule("X-Old", "1", "photo-ec2")
            logs = _write_log(balancer.load_balancer, log_end) if log_end else ""
            text = config_toml(
                balancer.load_balancer, balancer.groups, archive="archive.db", backfill=False, extra_tables=logs
            )
            Path("migration.toml").write_text(text, encoding="utf-8")
            output: dict[str, list[dict[str, str]]] = json_output(run("--json"))
            return output

    def test_a_day_without_requests_and_with_the_busiest_hour_is_safe(self, monkeypatch: pytest.MonkeyPatch) -> None:
        output = self.drained(monkeypatch, EmptiedFleet(HOUR - 2 * DAY_S, HOUR - DAY_S))
        assert (output["verdict"], output["exit_code"], kinds(output)) == ("safe", 0, [])
        assert output["batches_checked"] is False
        assert [item["purpose"] for item in output["commands"]] == ["remove_from_rule", "deregister", "delete_group"]

    def test_weight_a_header_rule_and_a_request_an_hour_ago_are_obstacles(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        output = self.drained(monkeypatch, EmptiedFleet(HOUR - HOUR_S, HOUR - DAY_S), ec2=1, header_rule=True)
        assert output["callers"] is None
        assert (output["verdict"], kinds(output)) == ("not_safe", ["forwards", "forwards", "requests"])
        last_request = f"{datetime.fromtimestamp(HOUR - HOUR_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
        assert output["obstacles"][2]["ts"] == output["groups"][0]["last_request"] == last_request

    def test_who_still_calls_is_in_the_log_files_before_the_last_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        output = self.drained(monkeypatch, EmptiedFleet(HOUR - HOUR_S, HOUR - DAY_S), log_end=HOUR - HOUR_S)
        assert kinds(output) == ["requests"]
        assert [(item["agent"], item["requests"]) for item in output["callers"]] == [("okhttp", 1)]
