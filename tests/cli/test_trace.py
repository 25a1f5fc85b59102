"""`trace`: a request found by its id, in the demo and in S3; exit codes; commands to copy."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from commands.shared import startup
from domain import Migration
from sources.registry import Sources
from tests.cli.conftest import NOW, json_output, sources_at
from tests.cli.conftest import run as run_command
from tests.factories.access_log_lines import access_log_line
from tests.factories.inventory import group_arn
from tests.factories.small_config import small_toml
from tests.fakes.elbv2 import REGION
from tests.fakes.s3 import FakeS3

run = partial(run_command, "trace")
RANDOM = "4bf92f3577b34da6a3ce929d"


def id_at(at: datetime, random: str = RANDOM) -> str:
    return f"1-{int(at.timestamp()):08x}-{random}"


@pytest.mark.usefixtures("demo")
class TestDemo:
    def test_a_request_with_its_fleet_statuses_and_times(self) -> None:
        result = run("--demo", id_at(NOW - timedelta(hours=1)), columns=240)
        assert result.exit_code == 0
        assert "ECS: 200." in result.stdout
        assert "target processing" in result.stdout
        assert "2 log files read" in result.stdout

    def test_json(self) -> None:
        output = json_output(run("--demo", "--json", f"Root={id_at(NOW - timedelta(hours=1))}"))
        assert (output["state"], output["exit_code"], output["objects"]) == ("found", 0, 2)
        (request,) = output["requests"]
        assert (request["fleet"], request["elb_status"], request["target_status"]) == ("canary", 200, 200)
        assert {"request_s", "target_s", "response_s", "route", "target"} <= set(request)

    @pytest.mark.parametrize(
        ("trace_id", "code", "sentence"),
        [
            (id_at(NOW), 2, "Not written yet. Try again at 05:25 JST."),
            (id_at(NOW - timedelta(hours=1), "0" * 24), 1, "Not found in the log files of"),
            (id_at(NOW - timedelta(days=700)), 1, "There are no log files of"),
            (id_at(NOW + timedelta(days=1)), 3, "is in the future: forged"),
        ],
    )
    def test_what_is_not_found(self, trace_id: str, code: int, sentence: str) -> None:
        result = run("--demo", trace_id)
        assert result.exit_code == code
        assert sentence in " ".join(result.stdout.split())

    @pytest.mark.parametrize("text", ["<script>alert(1)</script>", "1-2-3", "\x1b[31m", "-" * 5000])
    def test_no_trace_id(self, text: str) -> None:
        result = run("--demo", "--", text)
        assert result.exit_code == 3
        assert "Not a trace id." in result.stderr

    def test_a_new_id_is_printed_with_commands_that_fit_no_line_length(self) -> None:
        result = run("--demo", "new", columns=40)
        assert result.exit_code == 0
        curl, by_rule = (line for line in result.stdout.splitlines() if line.startswith("curl "))
        assert f"Root=1-{int(NOW.timestamp()):08x}-" in curl
        assert "-H 'X-Canary: ecs'" in by_rule
        assert "# By the header rule: X-Canary: ecs" in result.stdout

    def test_a_new_id_as_json(self) -> None:
        output = json_output(run("--demo", "--json", "new"))
        assert all(output["trace_id"] in item["command"] for item in output["commands"])
        assert [bool(item["rule"]) for item in output["commands"]] == [False, True]


def test_without_access_logs_it_is_unknown(demo: Migration, use_sources: Callable[[Sources], None]) -> None:
    use_sources(replace(sources_at(NOW, demo), logs=None))
    result = run("--demo", id_at(NOW))
    assert result.exit_code == 3
    assert "Access logs are not configured." in result.stderr


class TestS3:
    @pytest.fixture(autouse=True)
    def _configured(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(startup, "now", lambda: datetime(2026, 9, 21, 15, tzinfo=UTC))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAVIEWER")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "an-example-secret")

    def configure(self, s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.url)
        aws = f'[aws]\nregion = "{REGION}"\nload_balancer = "{s3.load_balancer}"\n[access_logs]\n'
        config = small_toml(
            aws, keys='timezone = "Asia/Tokyo"', groups=(group_arn("photo-ec2"), group_arn("photo-ecs"))
        )
        Path("migration.toml").write_text(config, encoding="utf-8")

    def test_a_request_is_found_in_the_objects_of_its_minutes_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        trace_id = id_at(datetime(2026, 9, 21, 14, 18, 3, tzinfo=UTC))
        with FakeS3() as s3:
            self.configure(s3, monkeypatch)
            balancer = "/".join(s3.load_balancer.split("/")[1:])
            line = access_log_line(
                trailing_fields=f'"Root={trace_id}" "-" "-" 0 2026-09-21T14:18:03Z "forward" "-" "-"'
            )
            line = line.replace("app/photo/50dc6c495c0c9188", balancer)
            for minute in range(0, 60, 5):
                end = datetime(2026, 9, 21, 14, minute, tzinfo=UTC)
                s3.put_log(s3.log_key(end), line if minute == 20 else access_log_line())
            output = json_output(run("--json", trace_id))
            assert (output["state"], output["requests"][0]["fleet"]) == ("found", "canary")
            assert [call.split("_")[-3] for call in s3.downloads()] == ["20260921T1420Z", "20260921T1425Z"]

    def test_an_id_of_another_region_has_no_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The bucket may have the logs of several regions: only those of the load balancer's are listed."""
        sent_at = datetime(2026, 9, 21, 14, 18, 3, tzinfo=UTC)
        with FakeS3() as s3:
            self.configure(s3, monkeypatch)
            elsewhere = s3.log_key(datetime(2026, 9, 21, 14, 20, tzinfo=UTC)).replace(REGION, "us-east-1")
            s3.put_log(elsewhere, access_log_line())
            assert json_output(run("--json", id_at(sent_at)))["state"] == "no_files"
            assert s3.downloads() == []

    @pytest.mark.parametrize("denied", ["list-type", ".log.gz"])
    def test_a_denied_bucket_is_unknown(self, denied: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with FakeS3() as s3:
            self.configure(s3, monkeypatch)
            s3.put_log(s3.log_key(datetime(2026, 9, 21, 14, 20, tzinfo=UTC)), access_log_line())
            s3.denied_paths.add(denied)
            result = run(id_at(datetime(2026, 9, 21, 14, 18, 3, tzinfo=UTC)))
            assert result.exit_code == 3
            assert "Unknown: not all log files of" in " ".join(result.stdout.split())
            assert "s3:" in result.stdout
