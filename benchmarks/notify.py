"""How soon a change of a weight is at Slack, and what kills of the process that sends do to the messages.

`python -m benchmarks.notify [--changes 10] [--kills 100]`; about twelve minutes. Exits with 1 if a goal is missed.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from archive import Archive
from benchmarks.environment import traffic_model
from domain import Migration
from domain.config.loader import load
from messages.notifications import MAY_BE_REPEATED
from services import notifications
from services.notices import NotifyTarget
from services.notifications import Notifier, announce_changes
from tests.factories.dashboard_server import ROOT
from tests.factories.notify import notified_migration, record_weights, target_of
from tests.fakes.elbv2 import FakeElbv2
from tests.fakes.services import fake_services
from tests.fakes.webhooks import Answer, FakeReceiver, Received

POLL_S = 15.0  # of the weights
MAX_POLLS = 2.0
CLAIM_S = 2  # instead of a minute, so that each kill costs seconds
MAX_REPLY_S = 0.02
SECRETS = {"S": "a secret of thirty-two characters"}
NOTIFY = """
[notify]
dashboard_url = "https://dashboard.example.com"
slack = "SLACK_URL"
allow_private = true
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=10)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return send_for_ever(options.child)
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    polls = [seconds / POLL_S for seconds in measure_delays(options.changes)] if options.changes else [0.0]
    print(
        f"from a change of a weight to Slack: {median(polls):.2f} polls (at most {max(polls):.2f}, goal ≤ {MAX_POLLS:g})"
    )
    bad = max(polls) > MAX_POLLS
    for signal_name in ("SIGKILL", "SIGTERM"):
        bad |= kill_often(options.kills, signal_name)
    return int(bad)


def measure_delays(n: int) -> list[float]:
    """Seconds from `modify-listener` to the message, with `cli.py record` in the loopback world."""
    arrived = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        fake_services(traffic_model()) as services,
        FakeReceiver(on_request=lambda _request: arrived.set()) as slack,
    ):
        config = Path(folder) / "migration.toml"
        text = services.config(str(Path(folder) / "archive.db"), backfill=False) + NOTIFY
        config.write_text(text, encoding="utf-8")
        environment = os.environ | services.environment | {"SLACK_URL": f"{slack.url}/services/T00000000/B00000000"}
        services.elbv2.set_weights({"photo-ec2": 90, "photo-ecs": 10})
        command = [sys.executable, "cli.py", "record", "--json", "--config", str(config)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until_started(config)
            return [measure_delay(services.elbv2, arrived, 20 + i, slack) for i in range(n)]
        finally:
            process.terminate()
            process.wait(60)


def wait_until_started(config: Path) -> None:
    """Until the recorder has noted the first weights."""
    migration = load(config)
    while True:
        with Archive.open(migration.archive, migration) as archive:
            if "weights" in archive.notifications.announced():
                return
        time.sleep(0.5)


def measure_delay(elbv2: FakeElbv2, arrived: threading.Event, weight: int, slack: FakeReceiver) -> float:
    time.sleep(random.uniform(0, POLL_S))  # at any time within a poll
    expected = f"→ {weight}%"
    started = time.monotonic()
    elbv2.set_weights({"photo-ec2": 100 - weight, "photo-ecs": weight})
    while not any(expected in request.json["text"] for request in slack.received):
        arrived.clear()
        if not arrived.wait(120):
            raise RuntimeError("no message in two minutes")
    return time.monotonic() - started


def kill_often(n: int, signal_name: str) -> bool:
    """Kills a process that sends `n` times, while more messages arrive. Returns whether a message was lost, or one was repeated that must not be."""

    def delay(_request: Received) -> None:
        time.sleep(random.uniform(0, MAX_REPLY_S))

    with (
        tempfile.TemporaryDirectory() as folder,
        FakeReceiver(Answer(), on_request=delay) as slack,
        FakeReceiver(Answer(), on_request=delay) as webhook,
    ):
        migration = notified_migration(webhook="W", webhook_secret="S")
        migration = migration.model_copy(update={"archive": f"sqlite:///{folder}/archive.db"})
        environment = os.environ | SECRETS | {"SLACK_URL": slack.url, "W": webhook.url}
        with Archive.open(migration.archive, migration) as archive:
            target, n_messages = target_of(archive, migration), 0
            now = datetime.now(UTC) - timedelta(hours=2)
            add_changes(target, 1, now)
            for _kill in range(n):
                now += timedelta(seconds=5)
                n_messages += add_changes(target, 4, now)
                run_and_stop(migration, environment, signal_name, [slack, webhook])
            drain(archive, migration, environment)
        return report(signal_name, n, n_messages, slack.received, webhook.received)


def add_changes(target: NotifyTarget, n: int, now: datetime) -> int:
    """Announces `n` changes of the weights; returns how many were."""
    announced = 0
    for _change in range(n):
        weight = next(_weights)
        record_weights(target.archive, weight, now)
        announced += announce_changes(target, now)
    return announced


_weights = (weight for _turn in iter(int, 1) for weight in range(1, 100))


def run_and_stop(
    migration: Migration, environment: Mapping[str, str], signal_name: str, receivers: Sequence[FakeReceiver]
) -> None:
    """Starts a process that sends, and stops it within a few messages of its first one."""
    before = [len(receiver.received) for receiver in receivers]
    process = start(migration, environment)
    deadline = time.monotonic() + 30
    while [len(receiver.received) for receiver in receivers] == before and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 4 * MAX_REPLY_S))
    process.kill() if signal_name == "SIGKILL" else process.terminate()
    process.wait(60)


def start(migration: Migration, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.notify", "--child", migration.archive]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def drain(archive: Archive, migration: Migration, environment: Mapping[str, str]) -> None:
    """Runs a last process until nothing waits."""
    process = start(migration, environment)
    while any(state.waiting for state in archive.notifications.channel_states(int(time.time()))):
        time.sleep(0.2)
    process.terminate()
    process.wait(60)


def report(signal_name: str, n: int, n_messages: int, slack: Sequence[Received], webhook: Sequence[Received]) -> bool:
    ids = Counter(request.headers["webhook-id"] for request in webhook)
    plain, marked = Counter[str](), Counter[str]()  # by text and link, which no two changes share
    for request in slack:
        text, mark, _ = request.json["blocks"][0]["text"]["text"].partition(f"\n{MAY_BE_REPEATED}")
        (marked if mark else plain)[text + request.json["blocks"][1]["elements"][0]["text"]] += 1
    lost, repeated = n_messages - len(plain | marked), len(slack) - len(plain | marked)
    unmarked = plain.total() - len(plain)
    print(
        f"{n} × {signal_name} while {n_messages} messages were sent: webhook {n_messages - len(ids)} lost, "
        f"{len(webhook) - len(ids)} sent again with the same webhook-id, 0 for a receiver that drops those; "
        f"Slack {lost} lost, {repeated} shown twice, {unmarked} of them without a mark, {len(marked.keys() - plain)} marked that were shown once"
    )
    return bool(n_messages - len(ids) or lost or unmarked or (signal_name == "SIGTERM" and repeated))


def send_for_ever(url: str) -> int:
    """The sender of a recorder, without its pauses."""
    import signal

    notifications.PACE_S = 0.0
    migration = notified_migration(webhook="W", webhook_secret="S").model_copy(update={"archive": url})
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with Archive.open(url, migration) as archive:
        notifier = Notifier(lambda: [target_of(archive, migration)], tick_s=0.2, claim_s=CLAIM_S)
        notifier.start([migration])
        stopping.wait()
        notifier.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
