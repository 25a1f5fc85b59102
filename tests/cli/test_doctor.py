"""`doctor`: one line per check, and the next step for each failure."""

from pathlib import Path
from typing import Any

import pytest

from commands.shared.output import redact_url
from domain import Migration
from sources.base import Health, Problem
from sources.demo.audit_log import DemoAuditLog
from sources.demo.sources import DemoMetrics, DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, DENIED, json_output, lines, run

pytestmark = pytest.mark.usefixtures("demo")


class TestDoctor:
    def test_the_demo_is_fine(self):
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[0] == "Photo service (demo) DEMO"
        assert lines(result.stdout)[1] == "✔ Configuration built in: the demo"
        assert lines(result.stdout)[-1] == "Everything is fine."

    def test_each_permission_that_is_refused_says_what_to_do(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "cloudwatch:GetMetricData", "denied", 0.24, DENIED),)

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), DemoTraffic(anchor=ANCHOR), ()))
        result = run("doctor")
        assert result.exit_code == 1
        output_lines = lines(result.stdout)
        assert output_lines[3] == "✘ CloudWatch cloudwatch:GetMetricData denied, 0.2 s"
        assert "Allow `cloudwatch:GetMetricData` in the IAM policy" in " ".join(output_lines[4:])
        assert output_lines[-1] == "Not fine yet: 1. Each says what to do."

        data = json_output(run("doctor", "--json"))
        assert not data["ok"]
        check = data["checks"][0]
        assert (check["permission"], check["ok"], check["state"]) == ("cloudwatch:GetMetricData", False, "denied")
        assert check["problem"]["kind"] == "denied"
        assert check["problem"]["docs"] == "docs/problems.md#denied"
        assert data["checks"][1]["ok"] and data["archive"]["ok"]

    def test_one_problem_of_several_permissions_is_printed_once(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return tuple(Health("load_balancer", name, "denied", 0, DENIED) for name in ("a", "b"))

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), None, ()))
        output_lines = lines(run("doctor").stdout)
        assert [line.split(" (")[0] for line in output_lines[3:5]] == [
            "✘ Elastic Load Balancing a denied, 0.0 s",
            "✘ Elastic Load Balancing b denied, 0.0 s",
        ]
        assert "\n".join(output_lines).count("Not allowed.") == 1

    def test_a_warning_is_not_a_failure(self, demo: Migration, use_sources: Any):
        class Remarking(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "x", "up", 0, Problem("clock_skew", "cloudwatch", "x", "+42 s")),)

        use_sources(Sources((Remarking(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[3].startswith("! CloudWatch")

    def test_cloudtrail_without_permission_is_a_warning_with_its_next_step(self, demo: Migration, use_sources: Any):
        class Trail(DemoAuditLog):
            def check(self) -> tuple[Health, ...]:
                problem = Problem("denied", "cloudtrail", "cloudtrail:LookupEvents", "ap-northeast-1")
                return (Health("cloudtrail", "cloudtrail:LookupEvents", "denied", 0.1, problem),)

        use_sources(Sources((DemoMetrics(demo, anchor=ANCHOR),), None, (Trail(anchor=ANCHOR),)))
        result = run("doctor")
        assert result.exit_code == 0
        output_lines = lines(result.stdout)
        assert "! CloudTrail cloudtrail:LookupEvents denied, 0.1 s" in output_lines
        assert "docs/cloudtrail.md has the whole policy" in " ".join(output_lines)

    def test_every_configuration_issue_is_printed(self, tmp_path: Path):
        path = tmp_path / "wrong.toml"
        path.write_text('[migration]\nname = "Photo"\ntimezone = "Asia/Tokio"\n', encoding="utf-8")
        for command in ("doctor", "weights", "watch"):
            result = run(command, "--config", str(path))
            assert result.exit_code == 1
            assert lines(result.stdout)[0] == f"✘ Configuration {path}"
            assert "There is no time zone “Asia/Tokio”." in result.stdout
        data = json_output(run("doctor", "--config", str(path), "--json"))
        assert (data["ok"], data["migration"], data["archive"], data["checks"]) == (False, None, None, [])
        assert "unknown_timezone" in {mistake["code"] for mistake in data["issues"]}

    def test_a_missing_file_does_not_open_the_demo(self):
        result = run("doctor", "--config", "nowhere.toml")
        assert result.exit_code == 1
        assert "It cannot be read: No such file or directory." in result.stdout

    def test_an_unusable_archive_is_reported(self, demo: Migration, tmp_path: Path):
        (tmp_path / "archive.db").write_bytes(b"This is no database. " * 100)
        for args in (("doctor",), ("watch", "--once")):
            result = run(*args)
            assert result.exit_code == 1
            assert any(line.startswith("✘ Archive sqlite:///") for line in lines(result.stdout))
        assert json_output(run("doctor", "--json"))["archive"]["problem"]["kind"] == "not_a_database"

    def test_an_archive_url_is_shown_without_credentials(self):
        assert redact_url("postgresql+psycopg://me:pa@ss@db/archive?password=x") == "postgresql+psycopg://db/archive"
        assert redact_url("sqlite:///archive.db") == "sqlite:///archive.db"
