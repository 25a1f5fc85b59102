"""The templates of ecspresso's files: Go's text/template, with calls of a few functions, as in {{ must_env `NAME` }}.

Syntax: https://pkg.go.dev/text/template and ecspresso's README ("Template syntax"). Calls are not evaluated as a file is read: each is replaced by a
placeholder, and only those in values that are used are evaluated, later. Blocks ({{ if }} … {{ end }}) are left out.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from sources.infrastructure.base import InfrastructureIssueCode

Functions = Mapping[str, Callable[[Sequence[str]], str]]

_TOKEN = re.compile(r"""\s+|`[^`]*`|"(?:\\.|[^"\\\n])*"|[()|]|:=|=|[\w.$-]+|/\*.*?\*/""", re.DOTALL)
_OPENING = frozenset({"if", "range", "with", "block", "define"})
_SILENT = frozenset({"template", "break", "continue"})
_MAX_EXPRESSIONS = 10_000  # placeholders have four digits
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Expression:
    """What is between {{ and }}, and the line where it begins, counted from 1. `tokens`: without spaces and comments."""

    text: str
    line: int
    tokens: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Template:
    """`text` with a placeholder of digits for each expression, so that it is valid YAML or JSON also where a call is not in quotes.

    `blocks`: those that were left out, by their first action. `unclosed`: the first {{ without }}, up to the end of its line.
    """

    text: str
    placeholders: re.Pattern[str]
    expressions: tuple[Expression, ...]
    blocks: tuple[Expression, ...] = ()
    unclosed: Expression | None = None

    def expressions_in(self, text: str) -> list[Expression]:
        return [self.expressions[int(number)] for number in self.placeholders.findall(text)]

    def render(self, text: str, functions: Functions) -> str:
        """A value of the parsed `text` with its calls evaluated. Raises TemplateError."""
        return self.placeholders.sub(lambda match: evaluate(self.expressions[int(match[1])], functions), text)

    def source(self, text: str) -> str:
        """A value as it is in the file."""
        return self.placeholders.sub(lambda match: f"{{{{ {self.expressions[int(match[1])].text} }}}}", text)


class TemplateError(Exception):
    """An expression that cannot be evaluated."""

    def __init__(self, code: InfrastructureIssueCode, expression: Expression, **params: str) -> None:
        super().__init__(code)
        self.code, self.expression, self.params = code, expression, params


def parse_template(text: str) -> Template:
    prefix = _unused_digits(text)
    parts, expressions, blocks = list[str](), list[Expression](), list[Expression]()
    at, depth, line = 0, 0, 1
    unclosed: Expression | None = None
    while (start := text.find("{{", at)) >= 0:
        line += text.count("\n", at, start)
        end, tokens = _read_action(text, start + 2)
        if end < 0 or len(expressions) == _MAX_EXPRESSIONS:
            unclosed = Expression(text[start + 2 :].partition("\n")[0].strip(), line)
            break
        if not depth:
            parts.append(text[at:start])
        action = Expression(text[start + 2 : end - 2].strip("- \t\r\n"), line, tokens)
        word = tokens[0] if tokens else ""
        if word in _OPENING:
            blocks += [] if depth else [action]
            depth += 1
        elif word == "end":
            depth = max(0, depth - 1)
        elif not depth and word and word not in _SILENT and not {":=", "="} & set(tokens):
            parts.append(f"{prefix}{len(expressions):04d}")
            expressions.append(action)
        line += text.count("\n", start, end)
        at = end
    if not depth:
        parts.append(text[at:])
    placeholders = re.compile(rf"{prefix}(\d{{4}})")
    return Template("".join(parts), placeholders, tuple(expressions), tuple(blocks), unclosed)


def _unused_digits(text: str) -> str:
    """Digits that are nowhere in the text. They begin with the only 8, so that they overlap with no copy of themselves."""
    return next(digits for number in count() if (digits := f"8{number:07o}") not in text)


def _read_action(text: str, at: int) -> tuple[int, tuple[str, ...]]:
    """The position after }}, -1 if there is none, and the tokens up to it. An invalid character is a token."""
    tokens = list[str]()
    if text.startswith("- ", at):  # a trim marker
        at += 1
    while at < len(text):
        if text.startswith("}}", at):
            if tokens and tokens[-1] == "-":
                tokens.pop()
            return at + 2, tuple(tokens)
        match = _TOKEN.match(text, at)
        token = match[0] if match else text[at]
        at += len(token)
        if not token.isspace() and not token.startswith("/*"):
            tokens.append(token)
    return -1, ()


def evaluate(expression: Expression, functions: Functions) -> str:
    """The value of a pipeline of calls with texts as arguments. Raises TemplateError."""
    return _Evaluation(expression, functions).value()


class _Evaluation:
    def __init__(self, expression: Expression, functions: Functions) -> None:
        self._expression, self._functions = expression, functions
        self._tokens, self._at = expression.tokens, 0

    def value(self) -> str:
        value = self._pipeline(0)
        if self._peek():
            raise self._invalid()
        return value

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _pipeline(self, depth: int) -> str:
        value = self._command((), depth)
        while self._peek() == "|":
            self._at += 1
            value = self._command((value,), depth)
        return value

    def _command(self, last: tuple[str, ...], depth: int) -> str:
        """A call with its arguments, of which the value of the command before it is the last; or a single text."""
        token = self._peek()
        if not token or depth > _MAX_DEPTH:
            raise self._invalid()
        if token[0] in '`"(':
            value = self._argument(depth)
            if last or self._peek() not in ("", "|", ")"):
                raise self._invalid()
            return value
        self._at += 1
        arguments = list[str]()
        while self._peek() not in ("", "|", ")"):
            arguments.append(self._argument(depth))
        function = self._functions.get(token)
        if function is None:
            code: InfrastructureIssueCode = "unknown_function" if re.match(r"[\w.$]", token) else "not_an_expression"
            raise TemplateError(code, self._expression, function=token)
        try:
            return function((*arguments, *last))
        except CallError as error:
            raise TemplateError(error.code, self._expression, **error.params) from None

    def _argument(self, depth: int) -> str:
        token = self._peek()
        self._at += 1
        if token == "(":
            value = self._pipeline(depth + 1)
            if self._peek() != ")":
                raise self._invalid()
            self._at += 1
            return value
        if token.startswith("`") and len(token) > 1:
            return token[1:-1]
        if token.startswith('"') and len(token) > 1:
            return self._unquote(token)
        if re.fullmatch(r"-?\d+", token):
            return token
        raise self._invalid()

    def _unquote(self, token: str) -> str:
        try:
            return str(json.loads(token))
        except ValueError:  # an escape that only Go has
            raise self._invalid() from None

    def _invalid(self) -> TemplateError:
        return TemplateError("not_an_expression", self._expression)


class CallError(Exception):
    """A template function that cannot answer."""

    def __init__(self, code: InfrastructureIssueCode, **params: str) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def environment_functions(environment: Mapping[str, str]) -> Functions:
    """The functions that ecspresso always has, as kayac/go-config defines them."""

    def env(names: Sequence[str]) -> str:
        """The first variable that is set and not empty; the last argument itself if none is."""
        return next((environment[name] for name in names if environment.get(name)), names[-1] if names else "")

    def must_env(names: Sequence[str]) -> str:
        (name,) = _exactly(1, names)
        if name not in environment:
            raise CallError("variable_not_set", variable=name)
        return environment[name]

    def json_escape(values: Sequence[str]) -> str:
        return json.dumps(_exactly(1, values)[0], ensure_ascii=False)[1:-1]

    return {"env": env, "must_env": must_env, "json_escape": json_escape}


def state_functions(prefix: str, lookup: Callable[[str], str | None]) -> Functions:
    """`tfstate` and `tfstatef` with the prefix of a plugin. `lookup(address)`: the value in its state, None if there is none."""

    def tfstate(addresses: Sequence[str]) -> str:
        (address,) = _exactly(1, addresses)
        value = lookup(address)
        if value is None:
            raise CallError("not_in_state", address=address)
        return value

    def tfstatef(values: Sequence[str]) -> str:
        if not values:
            raise CallError("not_an_expression")
        verbs = re.findall(r"%[sdv]", values[0])
        if len(verbs) != len(values) - 1:
            raise CallError("not_an_expression")
        arguments = iter(values[1:])
        return tfstate([re.sub(r"%[sdv]", lambda _: next(arguments), values[0])])

    return {f"{prefix}tfstate": tfstate, f"{prefix}tfstatef": tfstatef}


def _exactly(n: int, values: Sequence[str]) -> Sequence[str]:
    if len(values) != n:
        raise CallError("not_an_expression")
    return values
