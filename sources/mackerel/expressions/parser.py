"""Reads an expression. An error has a place, what was expected there, and the function that was probably meant."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NoReturn, cast

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args

from domain.config.errors import closest
from domain.window import DAY_S
from sources.mackerel.expressions.syntax import (
    FUNCTIONS,
    VARIADIC,
    Argument,
    Call,
    Duration,
    Kind,
    Number,
    usage,
)

MAX_CHARS = 20_000
MAX_DEPTH = 50
MAX_DURATION_S = 460 * DAY_S  # for how long Mackerel keeps minutes
SNIPPET_CHARS = 72

ErrorCode = Literal[
    "empty",
    "too_long",  # `limit`: characters
    "too_deep",  # `limit`: functions in functions
    "unexpected",  # `found` ("" at the end), `expected`
    "unclosed_quote",
    "unknown_function",  # `given`, `close`
    "not_a_function",  # `given`, where metrics are expected
    "wrong_count",  # `usage`
    "wrong_argument",  # `given`, `kind`, `usage`
]
Expected = Literal["argument", "comma", "end"]  # comma: or a closing parenthesis

# What a string or number is; everything else about a function is in FUNCTIONS.
_GRAMMAR = r"""
    start: argument
    ?argument: call | TEXT -> text | QUOTED -> quoted
    call: TEXT "(" [argument ("," argument)*] ")"
    QUOTED: /'[^']*'|"[^"]*"/
    TEXT: /[^\s(),'"]([^(),'"]*[^\s(),'"])?/
    %ignore /\s+/
"""
_FLOAT = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NUMBER = re.compile(rf"({_FLOAT})(?:\s*/\s*({_FLOAT}))?")
_DURATION = re.compile(r"(\d{1,9})\s*(mo|[mhdwy])")
_STRINGS: Mapping[Kind, re.Pattern[str]] = {
    "hostId": re.compile(r"[A-Za-z0-9]+"),
    "serviceName": re.compile(r"[A-Za-z0-9_-]+"),
    "roleFullname": re.compile(r"([A-Za-z0-9_-]+):\s*([A-Za-z0-9_-]+)"),
    "metricName": re.compile(r"[A-Za-z0-9._*-]+"),
    "displayName": re.compile(r".*", re.DOTALL),
}


class ExpressionError(ValueError):
    """An expression that cannot be read. `line` and `column` start at 1; `text` is the expression."""

    def __init__(self, code: ErrorCode, text: str, line: int = 1, column: int = 1, **params: object) -> None:
        super().__init__(f"{line}:{column}: {code}")
        self.code, self.text, self.line, self.column = code, text, line, column
        self.params = {name: str(value) for name, value in params.items()}

    @property
    def snippet(self) -> tuple[str, str]:
        """The line with the error, at most SNIPPET_CHARS of it, and the caret that goes below it."""
        line = self.text.split("\n")[self.line - 1].rstrip("\r")
        first = max(0, min(self.column - 1 - SNIPPET_CHARS // 2, len(line) - SNIPPET_CHARS))
        shown = "".join(char if char.isprintable() else " " for char in line[first : first + SNIPPET_CHARS])
        return shown, " " * (self.column - 1 - first) + "^"


def parse(text: str) -> Call:
    """The syntax tree of an expression. Raises ExpressionError.

    Line breaks and spaces may stand between any two tokens; strings are bare or in single or double quotes, without escapes.
    """
    if len(text) > MAX_CHARS:
        raise ExpressionError("too_long", text, limit=MAX_CHARS)
    if not text.strip():
        raise ExpressionError("empty", text)
    try:
        node = cast(_Node, _lark().parse(text))
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None
    return _Reader(text).metrics(node)


@cache
def _lark() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Nodes())


@dataclass(frozen=True, slots=True)
class _Node:
    """A string (`arguments` is None), or a call of `text`, at a place of the expression."""

    text: str
    line: int
    column: int
    arguments: tuple["_Node", ...] | None = None
    depth: int = 0


@v_args(inline=True)
class _Nodes(Transformer[Token, _Node]):
    """Bottom-up, while parsing: no recursion, however deep the text is nested."""

    def start(self, node: _Node) -> _Node:
        return node

    def text(self, token: Token) -> _Node:
        return _Node(str(token), token.line or 1, token.column or 1)

    def quoted(self, token: Token) -> _Node:
        return _Node(token[1:-1], token.line or 1, token.column or 1)

    def call(self, name: Token, *arguments: _Node | None) -> _Node:
        nodes = tuple(node for node in arguments if node)
        depth = 1 + max((node.depth for node in nodes), default=0)
        return _Node(str(name), name.line or 1, name.column or 1, nodes, depth)


def _syntax_error(text: str, error: UnexpectedInput) -> ExpressionError:
    if not isinstance(error, UnexpectedToken):  # only a quote can begin no token
        return ExpressionError("unclosed_quote", text, error.line, error.column)
    accepted = error.interactive_parser.accepts()  # type: ignore[no-untyped-call]
    expected: Expected = "argument" if "TEXT" in accepted else "comma" if "COMMA" in accepted else "end"
    if error.token.type == "$END":
        before = text.rstrip()
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        return ExpressionError("unexpected", text, line, column, found="", expected=expected)
    token = error.token
    return ExpressionError("unexpected", text, token.line or 1, token.column or 1, found=token, expected=expected)


class _Reader:
    """Checks nodes against FUNCTIONS."""

    def __init__(self, text: str) -> None:
        self._text = text

    def metrics(self, node: _Node) -> Call:
        if node.depth > MAX_DEPTH:
            self._fail("too_deep", node, limit=MAX_DEPTH)
        if node.arguments is None:
            self._fail("not_a_function", node, given=node.text)
        kinds = FUNCTIONS.get(node.text)
        if kinds is None:
            self._fail("unknown_function", node, given=node.text, close=_closest_function(node.text))
        if node.text == VARIADIC:
            kinds = kinds * max(1, len(node.arguments))
        if len(kinds) != len(node.arguments):
            self._fail("wrong_count", node, usage=usage(node.text))
        return Call(
            node.text,
            tuple(self._argument(node, kind, part) for kind, part in zip(kinds, node.arguments, strict=True)),
        )

    def _argument(self, call: _Node, kind: Kind, node: _Node) -> Argument:
        if kind == "metrics":
            return self.metrics(node)
        value = None if node.arguments is not None else _READERS.get(kind, _string(kind))(node.text)
        if value is None:
            self._fail("wrong_argument", node, given=node.text, kind=kind, usage=usage(call.text))
        return value

    def _fail(self, code: ErrorCode, node: _Node, **params: object) -> NoReturn:
        raise ExpressionError(code, self._text, node.line, node.column, **params)


def _closest_function(name: str) -> str:
    """The function that begins like `name`, else the most similar one; "" if none is."""
    beginning = (function for function in FUNCTIONS if len(name) > 2 and function.lower().startswith(name.lower()))
    return next(beginning, "") or closest(name, FUNCTIONS)


def _string(kind: Kind) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        match = _STRINGS[kind].fullmatch(text)
        if match is None:
            return None
        return ":".join(match.groups()) if match.groups() else text

    return read


def _number(text: str) -> Number | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    numerator, denominator = float(match[1]), float(match[2] or 1)
    if not (denominator and math.isfinite(numerator) and math.isfinite(denominator)):
        return None
    number = Number(numerator, denominator)
    return number if math.isfinite(number.value) else None


def _percentage(text: str) -> Number | None:
    number = _number(text)
    return number if number and 0 < number.value < 100 else None


def _duration(text: str) -> Duration | None:
    match = _DURATION.fullmatch(text)
    duration = Duration(int(match[1]), match[2]) if match else None
    return duration if duration and 0 < duration.seconds <= MAX_DURATION_S else None


_READERS: Mapping[Kind, Callable[[str], Argument | None]] = {
    "factor": _number,
    "threshold": _number,
    "percentage": _percentage,
    "duration": _duration,
}


def quotient(call: Call) -> tuple[Call, Call] | None:
    """The numerator and the denominator of `divide(a, b)` or `scale(divide(a, b), k)`, with an alias or without; None for anything else."""
    while call.function in ("alias", "scale", "stack"):
        call = call.operands[0]
    return (call.operands[0], call.operands[1]) if call.function == "divide" else None
