"""Messages for errors in expressions of Mackerel: the place, what is wrong, and what was expected."""

from collections.abc import Mapping

from messages.i18n import LazyText, _, lazy
from sources.mackerel.expressions.parser import ErrorCode, Expected
from sources.mackerel.expressions.syntax import Kind

_EXPECTED: dict[Expected, LazyText] = {
    "argument": lazy("an argument"),
    "comma": lazy("a comma or a closing parenthesis"),
    "end": lazy("the end of the expression"),
}
_KINDS: dict[Kind, LazyText] = {
    "metrics": lazy("a function"),
    "hostId": lazy("the ID of a host"),
    "serviceName": lazy("the name of a service"),
    "roleFullname": lazy("a service and a role, as in photo:web"),
    "metricName": lazy("the name of a metric"),
    "displayName": lazy("a name"),
    "factor": lazy("a number or a fraction, as in 1/86400"),
    "threshold": lazy("a number"),
    "percentage": lazy("a number above 0 and below 100"),
    "duration": lazy("a duration of at most 460 days, as in 5m, 1h, 7d or 1mo"),
}
_TEXTS: dict[ErrorCode, LazyText] = {
    "empty": lazy("The expression is empty."),
    "too_long": lazy("The expression is longer than {limit} characters."),
    "too_deep": lazy("More than {limit} functions are nested in each other."),
    "unclosed_quote": lazy("Unclosed quotation mark."),
    "unknown_function": lazy("Unknown function “{given}”."),
    "not_a_function": lazy("“{given}” is not a function: metrics are read with host(), service() or role()."),
    "wrong_count": lazy("Wrong arguments. Usage: {usage}."),
}


def expression_error(params: Mapping[str, str]) -> str:
    """The sentences for an ExpressionError. `params`: its own, and its `code`, `line` and `column`."""
    return _("Line {line}, column {column}: {text}").format(
        line=params["line"], column=params["column"], text=_text(params)
    )


def _text(params: Mapping[str, str]) -> str:
    code = params["code"]
    if code == "unexpected":
        expected = {str(key): text for key, text in _EXPECTED.items()}[params["expected"]]
        if not params["found"]:
            return _("The expression ends here; expected: {expected}.").format(expected=expected)
        return _("Unexpected “{found}”; expected: {expected}.").format(found=params["found"], expected=expected)
    if code == "wrong_argument":
        expected = {str(key): text for key, text in _KINDS.items()}[params["kind"]]
        return _("“{given}” is not {expected}: {usage}.").format(
            given=params["given"], expected=expected, usage=params["usage"]
        )
    text = str({str(key): text for key, text in _TEXTS.items()}[code]).format(**params)
    close = _("Did you mean `{close}`?").format(close=params["close"]) if params.get("close") else ""
    return f"{text} {close}".rstrip()
