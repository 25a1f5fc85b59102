"""`notify`: the channels and their problems; `--test` sends; doctor has the same."""

from pathlib import Path

import pytest

from tests.cli.conftest import json_output, lines, run
from tests.factories.small_config import small_toml
from tests.fakes.webhooks import Answer, FakeReceiver

NOTIFY = """
[notify]
dashboard_url = "https://dashboard.example.com"
slack = "SLACK_URL"
allow_private = true
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MACKEREL_APIBASE", "http://127.0.0.1:1")
    path = tmp_path / "migration.toml"
    path.write_text(small_toml(keys=f'archive = "sqlite:///{tmp_path}/archive.db"') + NOTIFY, encoding="utf-8")
    return path


def test_a_channel_without_its_secret_fails(config: Path) -> None:
    result = run("notify", "--config", str(config))
    output = " ".join(lines(result.stdout))
    assert result.exit_code == 1
    assert "✘ Slack nothing sent yet" in output and "SLACK_URL is not set" in output
    doctor = json_output(run("doctor", "--json", "--config", str(config)))
    (check,) = [item for item in doctor["checks"] if item["source"] == "slack"]
    assert (check["ok"], check["problem"]["kind"], check["subject"]) == (False, "no_secret", "nothing sent yet")


def test_without_test_nothing_is_sent(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeReceiver() as slack:
        monkeypatch.setenv("SLACK_URL", slack.url)
        result = run("notify", "--json", "--config", str(config))
        doctor = json_output(run("doctor", "--json", "--config", str(config)))
    assert result.exit_code == 0 and slack.received == []
    assert json_output(result)["channels"] == [
        {"channel": "slack", "last_sent_at": None, "waiting": 0, "attempts": 0, "failed": 0, "problems": []}
    ]
    assert [item["ok"] for item in doctor["checks"] if item["source"] == "slack"] == [True]


@pytest.mark.parametrize(
    ("answer", "exit_code", "line"),
    [(Answer(), 0, "✔ Slack test message sent"), (Answer(503), 1, "✘ Slack test message not sent")],
)
def test_a_test_message(
    answer: Answer, exit_code: int, line: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeReceiver(answer) as slack:
        monkeypatch.setenv("SLACK_URL", slack.url)
        result = run("notify", "--test", "--config", str(config))
    assert (result.exit_code, len(slack.received)) == (exit_code, 1)
    assert line in lines(result.stdout)
    assert "Retrying" not in result.stdout


def test_there_may_be_no_channel(config: Path) -> None:
    config.write_text(config.read_text().replace(NOTIFY, ""), encoding="utf-8")
    result = run("notify", "--config", str(config))
    assert result.exit_code == 1 and "No channel: add [notify]" in result.stdout
    assert not json_output(run("notify", "--json", "--config", str(config)))["ok"]
