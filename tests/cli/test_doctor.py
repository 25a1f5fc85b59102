"""`doctor`: one line per check, and the next step for each failure."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from archive import Archive
from commands.shared.output import redact_url
from domain import Migration
from domain.config.sign_in import SignIn
from sources.base import Health, Problem
from sources.demo.audit_log import DemoAuditLog
from sources.demo.sources import DemoMetrics, DemoTraffic
from sources.registry import Sources
from tests.cli.conftest import ANCHOR, DENIED, json_output, lines, run
from tests.factories.archives import overwrite_page
from tests.factories.sign_offs import make_sign_off
from tests.fakes.openid_provider import CLIENT_ID, FakeOpenIdProvider

pytestmark = pytest.mark.usefixtures("demo")


class TestDoctor:
    def test_the_demo_is_fine(self):
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[0] == "Photo service (demo) DEMO"
        assert lines(result.stdout)[1] == "✔ Configuration built-in demo"
        assert lines(result.stdout)[-1] == "All checks passed."

    def test_each_permission_that_is_refused_says_what_to_do(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "cloudwatch:GetMetricData", "denied", 0.24, DENIED),)

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), DemoTraffic(anchor=ANCHOR), ()))
        result = run("doctor")
        assert result.exit_code == 1
        output_lines = lines(result.stdout)
        assert output_lines[3:5] == ["CloudWatch", "✘ cloudwatch:GetMetricData access denied, 0.2s"]
        assert "Allow `cloudwatch:GetMetricData` in the IAM policy" in " ".join(output_lines[5:])
        assert output_lines[-1] == "1 check failed. See the fix of each."

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
        assert output_lines[3:6] == ["Elastic Load Balancing", "✘ a access denied, 0.0s", "✘ b access denied, 0.0s"]
        assert "\n".join(output_lines).count("Access denied.") == 1

    def test_a_warning_is_not_a_failure(self, demo: Migration, use_sources: Any):
        class Remarking(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                return (Health("cloudwatch", "x", "up", 0, Problem("clock_skew", "cloudwatch", "x", "+42 s")),)

        use_sources(Sources((Remarking(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[3:5] == ["CloudWatch", "! x ok, 0.0s"]

    def test_cloudtrail_without_permission_is_a_warning_with_its_next_step(self, demo: Migration, use_sources: Any):
        class Trail(DemoAuditLog):
            def check(self) -> tuple[Health, ...]:
                problem = Problem("denied", "cloudtrail", "cloudtrail:LookupEvents", "ap-northeast-1")
                return (Health("cloudtrail", "cloudtrail:LookupEvents", "denied", 0.1, problem),)

        use_sources(Sources((DemoMetrics(demo, anchor=ANCHOR),), None, (Trail(anchor=ANCHOR),)))
        result = run("doctor")
        assert result.exit_code == 0
        output_lines = lines(result.stdout)
        assert output_lines[5:7] == ["CloudTrail", "! cloudtrail:LookupEvents access denied, 0.1s"]
        assert "full policy: docs/cloudtrail.md" in " ".join(output_lines)

    def test_what_was_not_asked_is_neither_fine_nor_a_failure(self, demo: Migration, use_sources: Any):
        class Refused(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                others = (
                    Health("cloudwatch", "b", "not_checked", 0, DENIED, name) for name in ("photo-ec2", "photo-ecs")
                )
                return (
                    Health("cloudwatch", "a", "denied", 0.1, DENIED),
                    *others,
                    Health("cloudwatch", "c", "not_checked", 0),
                )

        use_sources(Sources((Refused(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor")
        assert result.exit_code == 1
        output_lines = lines(result.stdout)
        assert output_lines[4] == "✘ a access denied, 0.1s"
        assert output_lines[-6:] == [
            "– photo-ec2 not checked",
            "– photo-ecs not checked",
            "Not checked: cloudwatch:GetMetricData failed.",
            "– c not checked",
            "Not checked: nothing to read.",
            "1 check failed. See the fix of each.",
        ]
        data = json_output(run("doctor", "--json"))
        assert [check["ok"] for check in data["checks"]] == [False, None, None, None]

    def test_the_age_of_the_newest_datapoint(self, demo: Migration, use_sources: Any):
        class Groups(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                never = Problem("no_such_metric", "cloudwatch", "cloudwatch:GetMetricData", "photo-ecs-green")
                return (
                    Health("cloudwatch", "cloudwatch:GetMetricData", "up", 0.3),
                    Health("cloudwatch", "cloudwatch:GetMetricData", "up", 0, None, "photo-ec2", 125),
                    Health("cloudwatch", "cloudwatch:GetMetricData", "stale", 0, None, "photo-ecs-blue", 90_000),
                    Health("cloudwatch", "cloudwatch:GetMetricData", "never_reported", 0, never, "photo-ecs-green"),
                )

        use_sources(Sources((Groups(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor")
        assert result.exit_code == 0
        assert [line.rstrip() for line in result.stdout.splitlines()[3:]] == [
            "CloudWatch",
            "✔  cloudwatch:GetMetricData  ok, 0.3s",
            "✔  photo-ec2                 ok, newest 2 min ago",
            "!  photo-ecs-blue            stale, newest 1d 1h ago",
            "!  photo-ecs-green           never reported",
            "    Never reported. CloudWatch has datapoints of another target group of the fleet, but none of photo-ecs-green.",
            "    → No action needed if it is the idle group of a blue/green deployment. Otherwise check its name in "
            "`target_groups`.  docs/problems.md#no_such_metric",
            "All checks passed.",
        ]
        checks = json_output(run("doctor", "--json"))["checks"]
        assert [(check["subject"], check["state"], check["newest_age_s"], check["ok"]) for check in checks] == [
            ("", "up", None, True),
            ("photo-ec2", "up", 125, True),
            ("photo-ecs-blue", "stale", 90_000, True),
            ("photo-ecs-green", "idle", None, True),
        ]

    def test_a_fleet_that_has_never_reported_fails(self, demo: Migration, use_sources: Any):
        """Another fleet's group, or another source, does not make its groups idle ones."""

        class Groups(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                groups = ("photo-ecs-blue", "photo-ecs-green")
                never = (Problem("no_such_metric", "cloudwatch", "cloudwatch:GetMetricData", group) for group in groups)
                return (
                    Health("cloudwatch", "cloudwatch:GetMetricData", "up", 0, None, "photo-ec2", 125),
                    Health("mackerel", "GET /api/v0/org", "up", 0, None, "photo-ecs-blue", 125),
                    *(Health("cloudwatch", "a", "never_reported", 0, problem, problem.about) for problem in never),
                    Health("lambda", "a", "never_reported", 0, None, "cleanup"),
                    Health("lambda", "a", "up", 0, None, "resize", 125),
                )

        use_sources(Sources((Groups(demo, anchor=ANCHOR),), None, ()))
        result = run("doctor", "--json")
        assert result.exit_code == 1
        assert [(check["subject"], check["state"]) for check in json_output(result)["checks"]] == [
            ("photo-ec2", "up"),
            ("photo-ecs-blue", "up"),
            ("photo-ecs-blue", "never_reported"),
            ("photo-ecs-green", "never_reported"),
            ("cleanup", "never_reported"),
            ("resize", "up"),
        ]

    def test_80_columns_are_wide_enough(self, demo: Migration, use_sources: Any):
        names = (
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
            "GET /api/v0/services/<serviceName>/metric-names",
        )

        class Long(DemoMetrics):
            def check(self) -> tuple[Health, ...]:
                permissions = (Health("mackerel", name, "up", 12.3) for name in names)
                return *permissions, Health("mackerel", "x", "stale", 0, None, "g" * 32, 10 * 86_400 + 23 * 3600)

        use_sources(Sources((Long(demo, anchor=ANCHOR),), None, ()))
        output_lines = run("doctor", columns=80).stdout.splitlines()
        assert max(map(len, output_lines)) <= 80
        assert output_lines[-4:-1] == [
            "✔  elasticloadbalancing:DescribeLoadBalancerAttributes  ok, 12s",
            "✔  GET /api/v0/services/<serviceName>/metric-names  ok, 12s",
            f"!  {'g' * 32}                 stale, newest 10d 23h ago",
        ]

    def test_every_configuration_issue_is_printed(self, tmp_path: Path):
        path = tmp_path / "wrong.toml"
        path.write_text('[migration]\nname = "Photo"\ntimezone = "Asia/Tokio"\n', encoding="utf-8")
        for command, exit_code in (("doctor", 1), ("weights", 1), ("watch", 3)):
            result = run(command, "--config", str(path))
            assert result.exit_code == exit_code
            assert lines(result.stdout)[0] == f"✘ Configuration {path}"
            assert "Unknown time zone “Asia/Tokio”." in result.stdout
        data = json_output(run("doctor", "--config", str(path), "--json"))
        assert (data["ok"], data["migration"], data["archive"], data["checks"]) == (False, None, None, [])
        assert "unknown_timezone" in {mistake["code"] for mistake in data["issues"]}

    def test_a_missing_file_does_not_open_the_demo(self):
        result = run("doctor", "--config", "nowhere.toml")
        assert result.exit_code == 1
        assert "Cannot be read: No such file or directory." in result.stdout

    def test_an_unusable_archive_is_reported(self, demo: Migration, tmp_path: Path):
        (tmp_path / "archive.db").write_bytes(b"This is no database. " * 100)
        for args, exit_code in ((("doctor",), 1), (("watch", "--once"), 3)):
            result = run(*args)
            assert result.exit_code == exit_code
            assert any(line.startswith("✘ Archive sqlite:///") for line in lines(result.stdout))
        assert json_output(run("doctor", "--json"))["archive"]["problem"]["kind"] == "not_a_database"

    @pytest.mark.parametrize(
        ("owner", "exposure", "sentence", "logged"),
        [
            (0, "readable", "Run `chmod 600` on it", "is open to other users of this machine: chmod 600 "),
            (
                1,
                "other_owner",
                "change the owner with `chown`.",
                "belongs to another user, who can read and replace it",
            ),
        ],
    )
    def test_an_archive_that_others_have_access_to_is_a_warning(
        self,
        owner: int,
        exposure: str,
        sentence: str,
        logged: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ):
        (tmp_path / "archive.db").touch(mode=0o644)
        (tmp_path / "archive.db").chmod(0o644)
        user = os.geteuid() + owner
        monkeypatch.setattr(os, "geteuid", lambda: user)
        result = run("doctor")
        assert result.exit_code == 0
        assert lines(result.stdout)[2].startswith("! Archive sqlite:///")
        assert sentence in " ".join(lines(result.stdout)[3:5])
        data = json_output(run("doctor", "--json"))
        assert (data["ok"], data["archive"]["ok"], data["archive"]["exposure"]) == (True, True, exposure)
        assert len([message for message in caplog.messages if logged in message]) == 1

    def test_a_damaged_archive_is_reported(self, demo: Migration):
        with Archive.open(demo.archive, demo) as archive:
            overwrite_page(archive)
        result = run("doctor", "--json")
        assert result.exit_code == 1
        assert json_output(result)["archive"]["problem"]["kind"] == "damaged"

    def test_a_changed_sign_off_is_reported(self, demo: Migration):
        with Archive.open(demo.archive, demo) as archive:
            archive.sign_offs.add(make_sign_off())
            assert run("doctor").exit_code == 0
            with archive.engine.begin() as connection:
                connection.execute(text("DROP TRIGGER sign_off_no_update"))
                connection.execute(text("UPDATE sign_off SET body = replace(body, 'Mika', 'Eve!')"))
        result = run("doctor")
        assert result.exit_code == 1
        assert any(line.startswith("✘ Archive sqlite:///") for line in lines(result.stdout))
        assert "Sign-off 1 was changed after it was signed." in result.stdout
        archive_json = json_output(run("doctor", "--json"))["archive"]
        assert (archive_json["ok"], archive_json["ledger"]["problems"][0]["code"]) == (False, "changed")

    def test_the_sign_in(self, demo: Migration, set_demo: Callable[[Migration], None], monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("SIGN_IN_CLIENT_SECRET", "secret-of-the-client")
        monkeypatch.setenv("SIGN_IN_COOKIE_SECRET", "hunter22")
        with FakeOpenIdProvider(algorithm="ES256") as provider:
            table = {"issuer": provider.url, "client_id": CLIENT_ID, "dashboard_url": "https://dashboard.example.com"}
            sign_in = SignIn.model_validate(table | {"method": "oidc", "viewers": ["*"]})
            set_demo(demo.model_copy(update={"sign_in": sign_in}))
            provider.metadata["token_endpoint"] = None
            result, data = run("doctor"), json_output(run("doctor", "--json"))
        assert result.exit_code == 1
        output_lines = lines(re.sub(r"\d+\.\ds", "0.0s", result.stdout))
        assert output_lines[output_lines.index("Sign-in") :] == [
            "Sign-in",
            "✔ requirements-auth.txt ok",
            "✔ SIGN_IN_CLIENT_SECRET ok",
            "✘ SIGN_IN_COOKIE_SECRET failed",
            "Secret too short. The environment variable SIGN_IN_COOKIE_SECRET has fewer than 32 characters: the dashboard does not start.",
            "→ Set it to a long random value: `openssl rand -hex 32` prints one. docs/problems.md#no_secret",
            "✔ GET /.well-known/openid-configuration ok, 0.0s",
            "✔ issuer ok",
            "✔ authorization_endpoint ok",
            "✘ token_endpoint failed",
            "Metadata incomplete. The provider's metadata has no valid `token_endpoint`, which must be an `https://` address.",
            "→ Check that `issuer` under [sign_in] is the one of an OpenID provider, not of an OAuth server without OpenID Connect. "
            "docs/problems.md#incomplete",
            "✔ jwks_uri ok",
            "✔ GET jwks_uri ok, 0.0s",
            "! approvers ok",
            "No approver. No user can sign off a phase: [sign_in] has no `approvers`.",
            "→ No action needed without sign-offs. Otherwise add e-mail addresses or groups to `approvers` under [sign_in]. "
            "docs/problems.md#no_approver",
            "2 checks failed. See the fix of each.",
        ]
        checks = [check for check in data["checks"] if check["source"] == "sign_in"]
        assert [check["subject"] for check in checks if not check["ok"]] == ["SIGN_IN_COOKIE_SECRET", "token_endpoint"]
        assert checks[-1]["problem"]["kind"] == "no_approver"
        assert "hunter22" not in result.stdout + repr(data)

    def test_an_archive_url_is_shown_without_credentials(self):
        assert redact_url("postgresql+psycopg://me:pa@ss@db/archive?password=x") == "postgresql+psycopg://db/archive"
        assert redact_url("sqlite:///archive.db") == "sqlite:///archive.db"
