"""`endpoints`: log files judged by route, files that cannot be read, exit codes."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import Result

from commands import endpoints
from commands.shared import startup
from domain import Window
from tests.cli.conftest import json_output
from tests.cli.conftest import run as run_command
from tests.factories.access_log_lines import access_log_line
from tests.factories.small_config import small_toml

run = partial(run_command, "endpoints")

ARN = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/{}/73e2d6bc24d8a067"
BEGIN = datetime(2026, 9, 21, 14, tzinfo=UTC)
CONFIGURATION = small_toml(name="Photo <b>service</b>", keys='timezone = "Asia/Tokyo"')


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("migration.toml").write_text(CONFIGURATION, encoding="utf-8")
    Path("logs").mkdir()
    return tmp_path


def collapsed(result: Result) -> str:
    return " ".join(result.stdout.split())


def traffic(minutes: int, *, broken: int = 0) -> str:
    """Twenty requests a minute, route and side; on /share `broken` of those of ECS fail."""
    parts = []
    for minute in range(minutes):
        at = f"{BEGIN + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S}.000000Z"
        for route in ("photos/8812", "share"):
            for group in ("photo-ec2", "photo-ecs"):
                for number in range(20):
                    failed = route == "share" and group == "photo-ecs" and number < broken
                    status = "500" if failed else "200"
                    parts.append(
                        access_log_line(
                            f"GET https://photo.example.com:443/{route}?key=secret HTTP/2.0",
                            elb=status,
                            target=status,
                            latency=f"0.{100 + number:03}",
                            time=at,
                            group=ARN.format(group),
                        )
                    )
    return "".join(parts)


def write(content: str, name: str = "one.log.gz") -> None:
    Path("logs", name).write_bytes(gzip.compress(content.encode()))


def test_the_worst_route_comes_first_with_both_fleets() -> None:
    write(traffic(60, broken=10))
    result = run("--logs", "logs", "--json")
    data = json_output(result)
    assert result.exit_code == data["exit_code"] == 1 and data["ok"] is False
    assert data["lines"] == {"read": 4800, "parsed": 4800, "unparsed": 0, "skipped": 0}
    worst, other = data["routes"]
    assert (worst["route"], worst["verdict"]) == ("/share", "regression")
    assert other["route"] == "/photos/:id"
    sides = [
        {name: worst[fleet][name] for name in ("requests", "errors", "p50", "p95", "p99")}
        for fleet in ("baseline", "canary")
    ]
    assert sides[0] == {"requests": 1200, "errors": 0, "p50": 0.1095, "p95": 0.11805, "p99": 0.119}
    assert sides[1] == {"requests": 1200, "errors": 600, "p50": 0.1095, "p95": 0.11805, "p99": 0.119}
    assert data["window"] == {"from": "2026-09-21T14:00:00Z", "to": "2026-09-21T15:00:00Z"}
    assert data["total"]["baseline"]["requests"] == 2400
    assert "secret" not in result.stdout
    assert not Path("archive.db").exists(), "nothing of a folder is kept"


def test_output_as_a_table() -> None:
    write(traffic(60, broken=10))
    output = collapsed(run("--logs", "logs"))
    assert output.startswith(
        "Photo <b>service</b> · 21 Sep 23:00 – 22 Sep 00:00 JST regression: 1 · insufficient data: 1"
    )
    assert "/share ▲ regression 2,400 0% 50.0% 118 ms 118 ms" in output
    assert output.endswith("4,800 lines read from 1 files; all parsed.")


def test_parts_of_the_time() -> None:
    write(traffic(60))
    ten = json_output(run("--logs", "logs", "--json", "--window", "10m"))
    assert ten["window"] == {"from": "2026-09-21T14:50:00Z", "to": "2026-09-21T15:00:00Z"}
    assert ten["total"]["canary"]["requests"] == 400
    some = json_output(run("--logs", "logs", "--json", "--from", "2026-09-21 23:10", "--to", "2026-09-21 23:15"))
    assert some["window"] == {"from": "2026-09-21T14:10:00Z", "to": "2026-09-21T14:15:00Z"}
    assert some["total"]["canary"]["requests"] == 200


def test_an_empty_window_says_so() -> None:
    write(traffic(5))
    result = run("--logs", "logs", "--from", "2026-09-22 23:10", "--to", "2026-09-22 23:15")
    assert result.exit_code == 3
    assert "No access logs for that time." in collapsed(result)
    nothing = run("--logs", "logs", "--json", "--from", "2026-09-22 23:10", "--to", "2026-09-22 23:15")
    assert json_output(nothing)["routes"] == [] and json_output(nothing)["total"] is None


def test_a_range_of_centuries_is_judged_in_the_time_that_has_logs() -> None:
    write(traffic(5))
    result = run("--logs", "logs", "--json", "--from", "2010-01-02", "--to", "2099-12-30")
    assert json_output(result)["total"]["canary"]["requests"] > 0


def test_a_range_of_configured_logs_is_cut_to_14_days_and_to_the_past(capsys: pytest.CaptureFixture[str]) -> None:
    end = -(-startup.now_s() // 60) * 60
    assert endpoints._clip(Window(end - 86_400, end)) == Window(end - 86_400, end)
    assert capsys.readouterr().err == ""
    assert endpoints._clip(Window(0, end + 86_400)).minutes == 14 * 1440
    assert capsys.readouterr().err == ("Range clipped to its last 14 days, without future times.\n")
    with pytest.raises(typer.BadParameter, match="The range has no time between 1970 and now"):
        endpoints._clip(Window(end + 86_400, end + 90_000))


def test_an_empty_folder_says_so() -> None:
    result = run("--logs", "logs")
    assert result.exit_code == 3 and "No access logs for that time." in collapsed(result)


def test_a_missing_folder() -> None:
    result = run("--logs", "nowhere")
    assert result.exit_code == 3
    assert "No such folder. No file or folder nowhere. → Correct `path` under [access_logs]" in collapsed(result)


def test_logs_of_another_service_list_their_target_groups() -> None:
    write(access_log_line(group=ARN.format("other-web")) * 3)
    result = run("--logs", "logs")
    assert result.exit_code == 3
    assert "None of 3 requests matched a target group" in collapsed(result) and "other-web" in collapsed(result)


def test_a_damaged_file_is_reported_by_name() -> None:
    write(traffic(60))
    packed = gzip.compress(traffic(5).encode())
    Path("logs", "cut.log.gz").write_bytes(packed[: len(packed) // 2])
    Path("logs", "readme.txt").write_text("These are\nno logs.\n", encoding="utf-8")
    result = run("--logs", "logs", "--json")
    data = json_output(result)
    assert {item["name"]: item["problem"] for item in data["files"]["wrong"]} == {
        "cut.log.gz": "cut_off",
        "readme.txt": "not_a_log",
    }
    assert data["lines"]["unparsed"] == 2
    assert "readme.txt: Not an access log" in collapsed(run("--logs", "logs"))


@pytest.mark.parametrize("args", [("--logs", "logs"), ()], ids=["--logs", "configured"])
def test_files_that_are_no_logs_are_named_and_the_others_counted(args: tuple[str, ...]) -> None:
    at = f"{datetime.now(UTC) - timedelta(minutes=5):%Y-%m-%dT%H:%M}:00.000000Z"
    log = "".join(access_log_line(time=at, group=ARN.format(group)) for group in ("photo-ec2", "photo-ecs"))
    Path("migration.toml").write_text(CONFIGURATION + '[access_logs]\npath = "logs"\n', encoding="utf-8")
    with open(b"logs/caf\xe9.log", "w", encoding="utf-8") as not_utf8:
        not_utf8.write(log)
    Path("logs", "zeros.log.gz").write_bytes(gzip.compress(bytes(20_000_000), 1))
    Path("logs", "line.log").write_bytes(b"x" * 5_000_000 + b"\n" + log.encode())
    os.mkfifo("logs/pipe.log")
    Path("logs", "device.log").symlink_to("/dev/zero")
    Path("logs", "dangling.log").symlink_to("nowhere")
    for number in range(100):
        Path("logs", f"{number}.log").touch()
    data = json_output(run(*args, "--json"))
    assert data["total"]["canary"]["requests"] == 2
    assert (data["files"]["counted_now"], data["files"]["skipped"]) == (103, 3)
    assert [(item["name"], item["problem"], item["lines"], item["parsed"]) for item in data["files"]["wrong"]] == [
        ("line.log", None, 3, 2),
        ("zeros.log.gz", "not_a_log", 1, 0),
    ]
    assert [(Path(problem["about"]).name, problem["kind"]) for problem in data["problems"]] == [
        (f"{name}.log", "bad_reply") for name in ("dangling", "device", "pipe")
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--logs", "logs", "--window", "soon"), "soon"),
        (("--logs", "logs", "--from", "soon"), "Invalid time “soon”."),
        (("--logs", "logs", "--from", "2026-09-22", "--to", "2026-09-21"), "--to must be after --from."),
        (("--logs", "logs", "--from", "2026-09-22", "--window", "3h"), "Use --window, or --from and --to"),
    ],
)
def test_invalid_options_are_not_a_verdict(args: tuple[str, ...], message: str) -> None:
    result = run(*args)
    assert result.exit_code == 3 and message in " ".join(result.stderr.replace("│", " ").split())


def test_without_logs_it_says_where_to_configure_them() -> None:
    result = run()
    assert result.exit_code == 3 and "add [access_logs] to migration.toml" in result.stderr


def test_configured_logs_are_counted_once_into_the_archive(workspace: Path) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    at = f"{now - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}.000000Z"
    write("".join(access_log_line(time=at, group=ARN.format(group)) for group in ("photo-ec2", "photo-ecs")))
    Path("migration.toml").write_text(CONFIGURATION + '[access_logs]\npath = "logs"\n', encoding="utf-8")
    first, again = json_output(run("--json")), json_output(run("--json"))
    assert (first["files"]["counted_now"], again["files"]["counted_now"]) == (1, 0)
    assert first["routes"] == again["routes"] and first["total"]["canary"]["requests"] == 1
    assert again["exit_code"] == 2 and Path("archive.db").exists()
    with Path("logs", "one.log.gz").open("ab") as grown:
        grown.write(gzip.compress(access_log_line(time=at, group=ARN.format("photo-ecs")).encode()))
    changed = json_output(run("--json"))
    assert changed["files"]["changed"] == 1 and changed["total"]["canary"]["requests"] == 1
    assert "1 files changed size after they were processed." in collapsed(run())


def test_the_demo_hides_a_broken_route() -> None:
    data = json_output(run("--demo", "--json", "--window", "2h"))
    assert data["exit_code"] == 1 and data["hidden_regressions"] == ["/v1/albums/:id/share"]
    assert data["routes"][0]["route"] == "/v1/albums/:id/share"
    assert any("<script>" in item["route"] for item in data["routes"])


def test_crash_does_not_exit_with_the_code_of_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("commands.endpoints._report_of_folder", fail)
    result = run("--logs", "logs", "--json")
    assert result.exit_code == 3 and "RuntimeError: no such thing" in result.stderr


@pytest.mark.parametrize("year", ["2027", "2099", "0001"])
def test_lines_a_year_away_are_skipped_and_said(year: str) -> None:
    write(traffic(20))
    write(access_log_line(time=f"{year}-12-01T00:00:00.000000Z", group=ARN.format("photo-ecs")), "two.log.gz")
    data = json_output(run("--logs", "logs", "--json"))
    assert data["lines"] == {"read": 1601, "parsed": 1600, "unparsed": 0, "skipped": 1}
    assert data["total"]["canary"]["requests"] == 800
    assert "1 line excluded: of another load balancer, or years away" in collapsed(run("--logs", "logs"))


def test_skipped_files_are_said() -> None:
    write(traffic(20))
    write("", "ELBAccessLogTestFile")
    assert "1 file excluded: not an access log of this load balancer" in collapsed(run("--logs", "logs"))
