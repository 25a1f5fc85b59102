"""Log lines: one a event, in both formats, and never with a credential in it."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from threading import Thread

import pytest

from domain import trace
from domain.logs import PACKAGES, JsonFormatter, TextFormatter, configure_logging
from domain.redaction import redact
from domain.trace import current_reference, start_reference

KEY = "zaq1-Mackerel-Key_9"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN"
PASSWORD = "s3cr3t-of-the-database"
ENVIRON = {"MACKEREL_APIKEY": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}


@pytest.fixture(autouse=True)
def no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ran before in this thread."""
    monkeypatch.setattr(trace, "_current", ContextVar("reference", default=""))


@contextmanager
def captured(formatter: logging.Formatter) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger, stream = logging.getLogger("collector.test_logs"), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    logger.propagate = False
    try:
        yield logger, stream
    finally:
        logger.removeHandler(handler)


def test_a_json_line_holds_the_event_and_its_fields() -> None:
    with captured(JsonFormatter()) as (logger, stream):
        logger.info("poll finished", extra={"source": "cloudwatch", "migration": "Photo service", "duration_s": 0.31})
    line = json.loads(stream.getvalue())
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "collector.test_logs",
        "message": "poll finished",
        "source": "cloudwatch",
        "migration": "Photo service",
        "duration_s": 0.31,
    }


def test_a_text_line_quotes_what_has_spaces() -> None:
    with captured(TextFormatter()) as (logger, stream):
        logger.info("poll finished", extra={"source": "cloudwatch", "migration": "Photo service", "duration_s": 0.31})
    _ts, line = stream.getvalue().split(" ", 1)
    assert (
        line == 'INFO collector.test_logs: poll finished source=cloudwatch migration="Photo service" duration_s=0.31\n'
    )


def test_a_line_break_in_a_value_does_not_start_a_line() -> None:
    with captured(TextFormatter()) as (logger, stream):
        logger.warning("refused\nERROR forged", extra={"detail": "a\nb"})
    assert stream.getvalue().count("\n") == 1


def test_a_traceback_is_kept() -> None:
    with captured(JsonFormatter()) as (logger, stream):
        try:
            raise KeyError("Error")
        except KeyError:
            logger.exception("poll failed", extra={"source": "load_balancer"})
    line = json.loads(stream.getvalue())
    assert line["level"] == "ERROR"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'Error'")


LEAKS = {
    "the key in a header": f"sent {{'X-Api-Key': '{KEY}'}}",
    "the key by itself": f"refused {KEY}",
    "the secret key": f"signing with {SECRET}",
    "the session token": f"x-amz-security-token: {TOKEN}",
    "a URL with a password": f"postgresql+psycopg://dashboard:{PASSWORD}@db.internal:5432/archive",
    "a URL whose password has an at sign": f"https://user:{PASSWORD}@x@mackerel.invalid/api",
    "a connection string": f"host=db.internal user=dashboard password={PASSWORD} dbname=archive",
    "a quoted password": f"connect(password='{PASSWORD} with a space')",
    "an authorization header": f"Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260921, Signature={PASSWORD}",
    "a presigned URL": f"https://s3.invalid/logs?X-Amz-Credential=ASIAIOSFODNN7EXAMPLE%2F20260921&X-Amz-Signature={PASSWORD}&X-Amz-Date=1",
}


@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_no_credential_is_written(text: str, formatter: type[JsonFormatter]) -> None:
    with captured(formatter(ENVIRON.values())) as (logger, stream):
        logger.warning("as an argument: %s", text)
        logger.warning("as a field", extra={"detail": text, "list": [text]})
        try:
            raise RuntimeError(text)
        except RuntimeError:
            logger.exception("as an exception")
    written = stream.getvalue()
    assert written.count("RuntimeError") >= 1
    for secret in (KEY, SECRET, TOKEN, PASSWORD, "IOSFODNN7EXAMPLE"):
        assert secret not in written


def test_ordinary_text_stays() -> None:
    text = "GET /batches?from=1 from arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ec2/73e2d6bc24d8a067 took 3 s"
    assert redact(text) == text


@contextmanager
def levels_kept() -> Iterator[None]:
    loggers = [logging.getLogger(), *map(logging.getLogger, PACKAGES)]
    before = [
        (logger, logger.level, list(logger.handlers), [handler.formatter for handler in logger.handlers])
        for logger in loggers
    ]
    try:
        yield
    finally:
        for logger, level, handlers, formatters in before:
            logger.setLevel(level)
            logger.handlers = handlers
            for handler, formatter in zip(handlers, formatters, strict=True):
                handler.setFormatter(formatter)


def test_the_level_is_ours_alone() -> None:
    with levels_kept():
        configure_logging(environ={"LOG_LEVEL": "debug"})
        assert logging.getLogger("collector").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("botocore").isEnabledFor(logging.INFO), "its DEBUG lines hold session tokens"


def test_the_format_reaches_handlers_that_libraries_installed() -> None:
    handler = logging.StreamHandler(io.StringIO())
    library = logging.getLogger("streamlit.test_logs")
    library.addHandler(handler)
    try:
        with levels_kept():
            configure_logging(environ={"LOG_FORMAT": "json"})
        assert type(handler.formatter) is JsonFormatter
    finally:
        library.removeHandler(handler)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'; it must be one of DEBUG, INFO, WARNING, ERROR."),
        ({"LOG_FORMAT": "xml"}, "LOG_FORMAT is 'xml'; it must be text or json."),
    ],
)
def test_an_unknown_setting_is_a_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace(".", r"\.")):
        configure_logging(environ=environ)


def test_the_lines_of_a_run_have_its_reference_in_both_formats() -> None:
    def run(formatter: logging.Formatter) -> str:
        with captured(formatter) as (logger, stream):
            logger.info("before")
            reference = start_reference()
            assert re.fullmatch("[0-9a-f]{6}", reference) and current_reference() == reference
            logger.info("first", extra={"source": "ecs"})
            logger.info("second", extra={"reference": "its own"})
        return stream.getvalue().replace(reference, "REF")

    before, first, second = Context().run(run, TextFormatter()).splitlines()
    assert "reference" not in before
    assert first.endswith(" INFO collector.test_logs: first reference=REF source=ecs")
    assert second.endswith(' second reference="its own"')
    lines = [json.loads(line) for line in Context().run(run, JsonFormatter()).splitlines()]
    assert [line.get("reference") for line in lines] == [None, "REF", "its own"]


def test_a_thread_has_a_reference_of_its_own() -> None:
    references = list[str]()

    def run() -> None:
        references.append(current_reference())
        references.append(start_reference())

    def start_two() -> None:
        start_reference()
        for _ in range(2):
            thread = Thread(target=run)
            thread.start()
            thread.join()

    Context().run(start_two)
    assert references[::2] == ["", ""] and len({*references}) == 3
