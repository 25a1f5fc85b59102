"""The border to outside systems: an exception that a reply causes in a source becomes a problem, and every returned value is checked."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from math import isfinite
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from domain import Clock, Series
from domain.frame import LABEL_COLUMNS, check_frame, epoch_s
from domain.redaction import redact
from domain.trace import current_reference, start_reference
from sources.access_logs.base import LogListing
from sources.base import Events, Health, Problem, Pull, TrafficSnapshot
from sources.run_logs import RunLogs
from sources.triggers import TriggerSnapshot
from sources.window_latency import WindowLatency

MAX_DETAIL_CHARS = 300
MAX_EPOCH_S = 4_102_444_800  # 2100-01-01; a later time is in another unit, or wrong
_MAX_INT = 2**63 - 1  # of the archive's columns
# Neither PostgreSQL nor UTF-8 can represent these.
_INVALID_CHARACTERS = {0: "\ufffd"} | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")

logger = logging.getLogger(__name__)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_SourceT = TypeVar("_SourceT", bound=_Named)
_ValueT = TypeVar("_ValueT")


@dataclass(frozen=True, slots=True)
class _Request:
    """A method of the sources' protocols. `failed(problem, now, *arguments)`: its result after an exception. `raises`: what the protocol allows."""

    failed: Callable[..., Any]
    raises: tuple[type[Exception], ...] = ()


REQUESTS: Mapping[str, _Request] = {
    "pull": _Request(lambda problem, now, window, *_: Pull(window, now, problems=(problem,))),
    "events": _Request(lambda problem, now, window: Events(window, now, problems=(problem,), complete=False)),
    "window_latency": _Request(lambda problem, now, window: WindowLatency(window, None, now, (), (problem,), False)),
    "check": _Request(lambda problem, _: (Health(problem.source, "check", "failed", 0.0, problem),)),
    "files": _Request(lambda problem, *_: LogListing(problems=(problem,))),
    "read_steps": _Request(lambda problem, now, *_: RunLogs(now, problems=(problem,))),
    "download": _Request(lambda problem, *_: problem, raises=(OSError,)),
    "find_lines": _Request(lambda *_: ()),
    "check_limits": _Request(lambda problem, *_: problem),
    "count": _Request(lambda problem, *_: problem, raises=(OSError,)),
    "count_day": _Request(lambda problem, *_: problem, raises=(OSError,)),
}


def guard(
    source: _SourceT, *, clock: Clock, snapshot: type[TrafficSnapshot] | type[TriggerSnapshot] = TrafficSnapshot
) -> _SourceT:
    """The same source with methods that return checked values, and never raise but where the protocol says so.

    After an exception they return an empty result with a problem "bad_reply", whose detail ends with the `reference` of the log line.
    `snapshot`: the result of the source's method of this name.
    """
    requests = {**REQUESTS, "snapshot": _Request(lambda problem, now: snapshot(now, None, (problem,)))}
    return cast(_SourceT, _GuardedSource(source, requests, clock))


class _GuardedSource:
    """The public members of a source, so that it has the same protocols."""

    def __init__(self, source: _Named, requests: Mapping[str, _Request], clock: Clock) -> None:
        for member in dir(source):
            if not member.startswith("_"):
                value = getattr(source, member)
                guarded = partial(_call, requests[member], value, source.name, clock) if member in requests else value
                setattr(self, member, guarded)


def _call(
    request: _Request, method: Callable[..., Any], source: str, clock: Clock, /, *args: Any, **kwargs: Any
) -> Any:
    callback_errors: list[Exception] = []  # of the caller, not of the source

    def recording(callback: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except Exception as error:
                callback_errors.append(error)
                raise

        return call

    kwargs = {name: recording(value) if callable(value) else value for name, value in kwargs.items()}
    try:
        return checked(method(*args, **kwargs))
    except request.raises:
        raise
    except Exception as error:
        if error in callback_errors:
            raise
        operation, reference = method.__name__, current_reference() or start_reference()
        logger.exception("unreadable reply", extra={"source": source, "operation": operation, "reference": reference})
        detail = checked(redact(f"{type(error).__name__}: {error}"))[:MAX_DETAIL_CHARS]
        problem = Problem("bad_reply", source, operation, "", f"{detail} (log reference {reference})")
        return request.failed(problem, int(clock().timestamp()), *args)


def checked(value: _ValueT) -> _ValueT:
    """The value with U+FFFD for characters that cannot be stored. Raises ValueError if it has numbers that are not finite or exceed 64 bits.

    Dataclasses, tuples and mappings are checked recursively; the frame of a pull may have such values: see `_checked_pull`.
    """
    result: Any = value
    match value:
        case str():
            result = value.translate(_INVALID_CHARACTERS)
        case float() if not isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        case int() if abs(value) > _MAX_INT:
            raise ValueError("a number of more than 64 bits")
        case tuple() if type(value) is tuple:
            result = tuple(checked(item) for item in value)
        case Mapping():
            for item in value.values():
                checked(item)
        case Pull():
            result = _checked_pull(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            result = _checked_fields(value)
    return cast(_ValueT, result)


def _checked_fields(value: Any) -> Any:
    checked_values = {field.name: checked(getattr(value, field.name)) for field in fields(value) if field.init}
    changes = {name: new for name, new in checked_values.items() if new != getattr(value, name)}
    return replace(value, **changes) if changes else value


def _checked_pull(pull: Pull) -> Pull:
    """The pull without values that are not finite and times outside 1970 to 2100: their series count as not answered. Raises FrameError."""
    ts, values = epoch_s(pull.frame), pull.frame["value"].to_numpy()
    valid = np.isfinite(values) & (ts >= 0) & (ts < MAX_EPOCH_S)
    problems, answered = checked(pull.problems), pull.answered_ranges
    if not valid.all():
        labels = pull.frame.loc[~valid, list(LABEL_COLUMNS)].drop_duplicates().to_dict("records")
        invalid = frozenset(Series(**{str(name): label for name, label in row.items()}) for row in labels)
        about = ", ".join(sorted(f"{item.target_group}: {item.metric} {item.stat}" for item in invalid))
        source = next(iter(invalid)).source
        problems += (Problem("bad_reply", source, "pull", about, "a value that is not finite, or an impossible time"),)
        answered = tuple(replace(part, series=part.series - invalid) for part in answered)
    frame = check_frame(pull.frame[valid].reset_index(drop=True) if not valid.all() else pull.frame)
    return replace(pull, frame=frame, problems=problems, answered_ranges=answered)
