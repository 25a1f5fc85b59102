"""What each channel sends, byte for byte where it is signed, and which reply means that it has the notice."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from channels.base import Channel
from channels.http import WebhookAddress
from channels.mackerel import MackerelWriter
from channels.registry import create_channels
from channels.slack import SlackChannel
from channels.slack import build_message as slack_message
from channels.sns import SnsChannel
from channels.sns import build_message as sns_message
from channels.webhook import WebhookChannel, secret_bytes, signed_headers
from domain import Aws
from domain.config.notify import Notify
from domain.redaction import redact
from tests.factories.notify import NOTICE, notified_migration
from tests.factories.traffic import ELB_ARN_PREFIX
from tests.fakes.webhooks import Answer, FakeMackerelWrites, FakeReceiver, FakeSns

SECRET = "a secret of thirty-two characters"
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:migration"


def slack(url: str) -> SlackChannel:
    return SlackChannel(WebhookAddress("slack", "A", allow_private=True, environment={"A": url}))


def webhook(url: str, secret: str = SECRET) -> WebhookChannel:
    environment = {"A": url, "B": secret}
    address = WebhookAddress("webhook", "A", allow_private=True, environment=environment)
    return WebhookChannel(address, "B", environment=environment, clock=lambda: 1_790_000_123.9)


def test_slack_gets_plain_text_and_one_link() -> None:
    assert slack_message(NOTICE) == {
        "text": "Photo service: ■ HOLD · 1 route regressed",
        "blocks": [
            {
                "type": "section",
                "text": {
                    "type": "plain_text",
                    "text": "■ HOLD · 1 route regressed\nRoute /a <b> regressed. See Endpoints.",
                    "emoji": False,
                },
            },
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<https://dashboard.example.com/?migration=photo-service&amp;from=a|Photo service>",
                    }
                ],
            },
        ],
        "unfurl_links": False,
    }


def test_slack_finds_no_mention_in_a_name_and_no_text_is_too_long() -> None:
    notice = replace(NOTICE, name="<!channel>|x & y", title="t" * 9000)
    message = slack_message(notice)
    assert message["text"].startswith("&lt;!channel&gt;|x &amp; y: t")
    assert message["blocks"][1]["elements"][0]["text"].endswith("|&lt;!channel&gt;/x &amp; y>")
    assert [len(message["text"]), len(message["blocks"][0]["text"]["text"])] == [3000, 3000]


@pytest.mark.parametrize(
    ("body", "problem"),
    [(b"ok", None), (b"ok\n", None), (b"no_team", "bad_reply"), (b"", "bad_reply"), (b"<html>", "bad_reply")],
)
def test_slack_has_a_message_only_if_it_says_ok(body: bytes, problem: str | None) -> None:
    with FakeReceiver(Answer(200, body)) as receiver:
        delivery = slack(receiver.url).send(NOTICE, is_repeat=False)
    assert (delivery.problem.kind if delivery.problem else None, delivery.is_final) == (problem, False)
    assert not delivery.may_have_arrived
    assert receiver.received[0].json == slack_message(NOTICE)
    assert receiver.received[0].headers["Content-Type"] == "application/json"


def test_slack_may_refuse_a_message() -> None:
    with FakeReceiver(Answer(400, b"invalid_blocks")) as receiver:
        assert slack(receiver.url).send(NOTICE, is_repeat=False).is_final


def test_a_webhook_is_signed_and_has_the_same_id_at_each_attempt() -> None:
    with FakeReceiver(Answer(500), Answer(204, b"")) as receiver:
        channel = webhook(receiver.url)
        first, second = channel.send(NOTICE, is_repeat=False), channel.send(NOTICE, is_repeat=True)
    assert (first.problem and first.problem.kind, second.problem) == ("server_error", None)
    for request in receiver.received:
        assert (request.headers["webhook-id"], request.headers["Idempotency-Key"]) == ("key-1", "key-1")
        assert request.headers["webhook-timestamp"] == "1790000123"
        assert request.headers["Content-Type"] == "application/json"
        content = b"key-1.1790000123." + request.body
        expected = base64.b64encode(hmac.new(SECRET.encode(), content, hashlib.sha256).digest()).decode()
        assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert receiver.received[0].json == {
        "type": "migration.decision",
        "timestamp": "2026-09-21T14:13:20Z",
        "data": {
            "migration": "photo-service",
            "name": "Photo service",
            "title": "■ HOLD · 1 route regressed",
            "details": ["Route /a <b> regressed. See Endpoints."],
            "link": "https://dashboard.example.com/?migration=photo-service&from=a",
            "thread": "photo-service 4",
            "value": "hold",
        },
    }


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks (libraries/javascript)."""
    secret = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', secret, now=1_614_265_330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_needs_an_address_too() -> None:
    problem = webhook("").check()
    assert problem and (problem.kind, problem.about) == ("no_secret", "A")
    assert webhook("https://a.example.com/").check() is None


def test_a_secret_has_at_least_sixteen_bytes() -> None:
    assert [secret_bytes("x" * n) for n in (15, 16)] == [b"", b"x" * 16]


def test_secrets_are_in_no_text() -> None:
    webhook("https://a.example.com/", "a secret that only this test has")
    mackerel("http://127.0.0.1:9", "a key that only this test has")
    text = "a secret that only this test has, a key that only this test has"
    assert "only this test" in text and "only this test" not in redact(text)


@pytest.mark.parametrize("secret", ["", "too short", "whsec_***", "whsec_c2hvcnQ="])
def test_nothing_is_sent_without_a_secret(secret: str) -> None:
    with FakeReceiver() as receiver:
        delivery = webhook(receiver.url, secret).send(NOTICE, is_repeat=False)
    assert delivery.problem and (delivery.problem.kind, delivery.problem.about) == ("no_secret", "B")
    assert receiver.received == []


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}.items():
        monkeypatch.setenv(name, value)
    yield Aws(region="ap-northeast-1", load_balancer=f"{ELB_ARN_PREFIX}loadbalancer/app/photo/50dc6c495c0c9188")


def test_sns_gets_the_schema_of_amazon_q_developer(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSns() as sns:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", sns.url)
        assert SnsChannel(TOPIC, aws).send(NOTICE, is_repeat=False).problem is None
    assert sns.messages == [
        {
            "version": "1.0",
            "source": "custom",
            "id": "key-1",
            "content": {
                "textType": "client-markdown",
                "title": "■ HOLD · 1 route regressed",
                "description": "Route /a ‹b› regressed. See Endpoints.\n"
                "[Photo service](https://dashboard.example.com/?migration=photo-service&from=a)",
            },
            "metadata": {
                "threadId": "photo-service 4",
                "summary": "Photo service: ■ HOLD · 1 route regressed",
                "eventType": "decision",
                "additionalContext": {"migration": "photo-service", "value": "hold"},
            },
        }
    ]
    assert sns.received[0].form["TopicArn"] == TOPIC
    assert "MessageDeduplicationId" not in sns.received[0].form


def test_a_fifo_topic_drops_repeats(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSns() as sns:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", sns.url)
        SnsChannel(f"{TOPIC}.fifo", aws).send(NOTICE, is_repeat=True)
    form = sns.received[0].form
    assert (form["MessageGroupId"], form["MessageDeduplicationId"]) == ("photo-service", "key-1")


def _sns_error(status: int, code: str) -> Answer:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
    return Answer(status, body.encode())


@pytest.mark.parametrize(
    ("answer", "kind", "is_final"),
    [
        (_sns_error(403, "AuthorizationError"), "denied", False),
        (_sns_error(404, "NotFound"), "not_found", False),
        (_sns_error(400, "InvalidParameter"), "bad_request", True),
        (_sns_error(400, "Throttled"), "throttled", False),
        (_sns_error(500, "InternalError"), "server_error", False),
    ],
)
def test_what_sns_refuses(answer: Answer, kind: str, is_final: bool, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSns(answer) as sns:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", sns.url)
        delivery = SnsChannel(TOPIC, aws).send(NOTICE, is_repeat=False)
    assert delivery.problem
    assert (delivery.problem.kind, delivery.problem.operation, delivery.is_final) == (kind, "sns:Publish", is_final)
    assert delivery.may_have_arrived == (kind == "server_error")
    assert len(sns.received) == 1  # the outbox repeats, not boto3


def test_sns_that_does_not_answer_may_have_the_message(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9")
    delivery = SnsChannel(TOPIC, aws).send(NOTICE, is_repeat=False)
    assert delivery.problem and (delivery.problem.kind, delivery.may_have_arrived) == ("unreachable", True)


def test_an_sns_message_is_of_text_alone() -> None:
    message = sns_message(replace(NOTICE, title="[a](b) <@U1> `c`" + "t" * 300))
    assert message["content"]["title"].startswith("(a)(b) ‹@U1› 'c't")
    assert (len(message["content"]["title"]), len(message["metadata"]["summary"])) == (250, 250)


def mackerel(url: str, key: str = "write-key-of-mackerel") -> MackerelWriter:
    return MackerelWriter("K", "photo", environment={"K": key, "MACKEREL_APIBASE": url})


def test_mackerel_gets_an_annotation_once() -> None:
    with FakeMackerelWrites() as server:
        writer = mackerel(server.url)
        for is_repeat in (False, True, True):
            assert writer.send(NOTICE, is_repeat=is_repeat).problem is None
        writer.send(replace(NOTICE, key="key-2"), is_repeat=True)
    first, second = server.annotations
    assert first == {
        "title": "■ HOLD · 1 route regressed",
        "description": "Route /a <b> regressed. See Endpoints.\n"
        "https://dashboard.example.com/?migration=photo-service&from=a\n#key-1",
        "from": 1_790_000_000,
        "to": 1_790_000_000,
        "service": "photo",
    }
    assert second["description"].endswith("#key-2")


def test_long_texts_fit_into_an_annotation() -> None:
    with FakeMackerelWrites() as server:
        mackerel(server.url).send(replace(NOTICE, title="t" * 300, details=("d" * 2000,)), is_repeat=False)
    annotation = server.annotations[0]
    assert (len(annotation["title"]), len(annotation["description"])) == (250, 1024)
    assert annotation["description"].endswith("#key-1")


def test_metrics_are_posted_to_the_service() -> None:
    with FakeMackerelWrites() as server:
        writer = mackerel(server.url)
        for _ in range(2):
            assert writer.post_metrics([("migration.share.photo", 60, 10.0)]).problem is None
    assert server.metrics == {("migration.share.photo", 60): 10.0}
    assert server.received[0].path == "/api/v0/services/photo/tsdb"


@pytest.mark.parametrize(
    ("answer", "kind", "is_final"),
    [
        (Answer(403, b'{"error": "Forbidden"}'), "denied", False),
        (Answer(401, b"{}"), "wrong_key", False),
        (Answer(500, b"{}"), "server_error", False),
        (Answer(400, b"{}"), "bad_request", True),
        (Answer(404, b"{}"), "not_found", False),
        (Answer(302, b"{}", {"Location": "http://127.0.0.1:1/"}), "bad_reply", False),
        (Answer(200, b"<html>sign in</html>"), "bad_reply", False),
        (Answer(200, b"x" * 3_000_000), "bad_reply", False),
    ],
)
def test_what_mackerel_refuses(answer: Answer, kind: str, is_final: bool) -> None:
    with FakeMackerelWrites(answer) as server:
        delivery = mackerel(server.url).send(NOTICE, is_repeat=False)
        repeat = mackerel(server.url).send(NOTICE, is_repeat=True)
    assert delivery.problem and (delivery.problem.kind, delivery.is_final) == (kind, is_final)
    assert delivery.problem.about == {"denied": "K", "wrong_key": "K"}.get(
        kind, "photo" if len(answer.body) < 99 else ""
    )
    assert delivery.may_have_arrived == (answer.status >= 500 or len(answer.body) > 99)
    assert repeat.problem and repeat.problem.kind == kind
    assert [request.method for request in server.received] == ["POST", "GET"]


def test_mackerel_says_when_to_try_again() -> None:
    with FakeMackerelWrites(Answer(429, b"{}", {"Retry-After": "30"})) as server:
        delivery = mackerel(server.url).send(NOTICE, is_repeat=False)
    assert delivery.problem and (delivery.problem.kind, delivery.retry_after_s) == ("throttled", 30)


def test_mackerel_is_not_asked_without_a_key() -> None:
    with FakeMackerelWrites() as server:
        delivery = mackerel(server.url, " ").send(NOTICE, is_repeat=False)
    assert delivery.problem and (delivery.problem.kind, delivery.problem.about) == ("no_secret", "K")
    assert server.received == []


def test_mackerel_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.mackerel.TIMEOUT_S", (0.2, 0.2))
    with FakeMackerelWrites(Answer(hang=True)) as server:
        delivery = mackerel(server.url).send(NOTICE, is_repeat=False)
        assert delivery.problem and (delivery.problem.kind, delivery.may_have_arrived) == ("timeout", True)
    delivery = mackerel(server.url).send(NOTICE, is_repeat=False)
    assert delivery.problem and (delivery.problem.kind, delivery.may_have_arrived) == ("unreachable", True)


def test_which_channels_show_a_repeat_once(aws: Aws) -> None:
    channels: tuple[Channel, ...] = (
        slack("https://a.example.com/"),
        webhook("https://a.example.com/"),
        SnsChannel(TOPIC, aws),
        SnsChannel(f"{TOPIC}.fifo", aws),
        mackerel("https://a.example.com/"),
    )
    assert [(channel.name, channel.drops_repeats) for channel in channels] == [
        ("slack", False),
        ("webhook", True),
        ("sns", False),
        ("sns", False),
        ("mackerel_annotations", True),
    ]


def test_the_configured_service_is_annotated() -> None:
    migration = notified_migration(slack="", mackerel_key="K", mackerel_service="other")
    with FakeMackerelWrites() as server:
        environment = {"K": "write-key-of-mackerel", "MACKEREL_APIBASE": server.url}
        (channel,) = create_channels(migration, environment)
        channel.send(NOTICE, is_repeat=False)
    assert [annotation["service"] for annotation in server.annotations] == ["other"]


def test_private_networks_are_refused_unless_they_are_configured() -> None:
    for allow_private, expected in ((False, "private_address"), (True, None)):
        migration = notified_migration(allow_private=allow_private)
        (channel,) = create_channels(migration, {"SLACK_URL": "https://127.0.0.1/x"})
        problem = channel.check()
        assert (problem.kind if problem else None) == expected


def test_the_client_of_sns_has_the_region_of_the_topic(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[tuple[str, Aws]] = []
    monkeypatch.setattr("channels.registry.SnsChannel", lambda topic, aws: created.append((topic, aws)))
    topic = TOPIC.replace("ap-northeast-1", "us-east-1")
    notify = Notify(dashboard_url="https://dashboard.example.com", sns_topic=topic)
    create_channels(notified_migration().model_copy(update={"aws": aws, "notify": notify}), {})
    ((given, of_topic),) = created
    assert (given, of_topic.region, of_topic.load_balancer) == (topic, "us-east-1", aws.load_balancer)


def test_the_channels_are_those_of_the_configuration() -> None:
    def names(environment: Mapping[str, str], **notify: object) -> list[str]:
        channels: tuple[Channel, ...] = create_channels(notified_migration(**notify), environment)
        return [channel.name for channel in channels]

    everything = {"webhook": "W", "webhook_secret": "S", "mackerel_key": "K"}
    assert names({}) == ["slack"]
    assert names({}, **everything) == ["slack", "webhook", "mackerel_annotations"]
    assert names({}, slack="", **everything) == ["webhook", "mackerel_annotations"]
    assert create_channels(notified_migration().model_copy(update={"notify": None}), {}) == ()
    assert json.dumps(names({"SLACK_URL": "https://x"})) == '["slack"]'
