"""Logging: one line per event on standard error, as text or JSON, with credentials redacted and control characters escaped.

LOG_LEVEL (DEBUG, INFO, WARNING, ERROR) sets the level of this program's loggers, LOG_FORMAT (text, json) the format of all.
Loggers of libraries stay at WARNING: at DEBUG botocore writes session tokens.
"""

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from types import TracebackType

from domain.control_characters import escape_control
from domain.redaction import redact, secrets_of
from domain.trace import current_reference

PACKAGES = (
    "domain",
    "sources",
    "analysis",
    "archive",
    "messages",
    "services",
    "collector",
    "charts",
    "reports",
    "commands",
    "ui",
    "pages",
    "dashboard",
)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """A JSON object a line: ts (UTC), level, logger, message, reference (domain/trace.py), the event's own fields, and exception (a traceback) if any."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return escape_control(json.dumps(self.fields(record), ensure_ascii=False))

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """The fields of the line, redacted."""
        fields: dict[str, object] = {
            "ts": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if reference := current_reference():
            fields["reference"] = reference
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        scalars = (bool, int, float, type(None))
        return {
            name: (round(value, 3) if isinstance(value, float) else value)
            if isinstance(value, scalars)
            else redact(str(value), self._secrets)
            for name, value in fields.items()
        }


class TextFormatter(JsonFormatter):
    """`2026-09-21T14:05:00.000Z INFO collector.collector: poll finished reference=4f2a1c source=cloudwatch duration_s=0.31`, then a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        message = str(fields.pop("message")).replace("\r", "\\r").replace("\n", "\\n")
        head = f"{fields.pop('ts')} {fields.pop('level')} {fields.pop('logger')}: {message}"
        exception = fields.pop("exception", None)
        line = " ".join((head, *(f"{name}={_quoted(value)}" for name, value in fields.items())))
        return escape_control(line if exception is None else f"{line}\n{exception}")


def _quoted(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(r"[^\s\"=]+", text) else json.dumps(text, ensure_ascii=False)


def print_exception(_type: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
    """Prints the traceback of a crash on standard error, redacted and without control characters; a sys.excepthook."""
    sys.stderr.write(escape_control(redact("".join(traceback.format_exception(error)))))


def configure_logging(*, default_level: str = "WARNING", environ: Mapping[str, str] = os.environ) -> None:
    """Sends every logger's lines to standard error in one format. Raises ValueError, with a sentence, for an unknown level or format.

    Handlers that libraries have installed by now (Streamlit's, uvicorn's) keep their place and get the same format; call it again after they start.
    """
    level = environ.get("LOG_LEVEL", "").upper() or default_level
    style = environ.get("LOG_FORMAT", "").lower() or "text"
    if level not in LEVELS:
        raise ValueError(f"LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}.")
    if style not in ("text", "json"):
        raise ValueError(f"LOG_FORMAT is {style!r}; it must be text or json.")
    secrets = tuple(secrets_of(environ))
    formatter = JsonFormatter(secrets) if style == "json" else TextFormatter(secrets)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stderr))
    names = [name for name, logger in root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]
    for logger in (root, *map(logging.getLogger, names)):
        for handler in logger.handlers:
            handler.setFormatter(formatter)
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)
