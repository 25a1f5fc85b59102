"""Reading and printing expressions: those of Mackerel's documentation and of public dashboards, and places of errors."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.mackerel.expressions.parser import MAX_CHARS, MAX_DEPTH, ExpressionError, parse, quotient
from sources.mackerel.expressions.syntax import FUNCTIONS, SELECTORS, Argument, Call, Duration, Kind, Number
from sources.mackerel.queries import GRAPHS, Graph, comparison_expression
from tests.factories.mackerel import make_migration

DOCUMENTED = {
    "host(22CXRB3pZmu, memory.*)": "host(22CXRB3pZmu, memory.*)",
    "service(Blog, access_count)": "service(Blog, access_count)",
    "role(Blog:db, memory.*)": "role(Blog:db, memory.*)",
    "roleSlots(Blog:db, loadavg5)": "roleSlots(Blog:db, loadavg5)",
    "avg(roleSlots('service:role','loadavg5'))": "avg(roleSlots(service:role, loadavg5))",
    "avg(group(host(22CXRB3pZmu, loadavg5), host(22CXRB3pZmv, loadavg5)))": "avg(group(host(22CXRB3pZmu, loadavg5), host(22CXRB3pZmv, loadavg5)))",
    "max(host(22CXRB3pZmu, custom.foo.jobs.*))": "max(host(22CXRB3pZmu, custom.foo.jobs.*))",
    "min(host('22CXRB3pZmu', \"custom.foo.jobs.*\"))": "min(host(22CXRB3pZmu, custom.foo.jobs.*))",
    "sum(host(22CXRB3pZmu, custom.foo.jobs.*))": "sum(host(22CXRB3pZmu, custom.foo.jobs.*))",
    "product(group(service(Blog, foo.bar), service(Blog, foo.baz)))": "product(group(service(Blog, foo.bar), service(Blog, foo.baz)))",
    "diff(service(Blog, foo.bar), service(Blog, foo.baz))": "diff(service(Blog, foo.bar), service(Blog, foo.baz))",
    "divide(service(Blog, foo.bar), service(Blog, foo.baz))": "divide(service(Blog, foo.bar), service(Blog, foo.baz))",
    "scale(service(Blog, foo.bar), 10.0)": "scale(service(Blog, foo.bar), 10)",
    "offset(service(Blog, foo.bar), -.5)": "offset(service(Blog, foo.bar), -0.5)",
    "percentile(role(Blog:db, loadavg5), 99.9)": "percentile(role(Blog:db, loadavg5), 99.9)",
    "timeShift(service(Blog, foo.bar), 1d)": "timeShift(service(Blog, foo.bar), 1d)",
    "movingAverage(service(Blog, foo.bar), '1mo')": "movingAverage(service(Blog, foo.bar), 1mo)",
    "linearRegression(host(22CXRB3pZmu, loadavg5), 7d)": "linearRegression(host(22CXRB3pZmu, loadavg5), 7d)",
    "scale(timeLeftForecast(host(22CXRB3pZmu, cpu.system.percentage), 7d, 10), 1/86400)": (
        "scale(timeLeftForecast(host(22CXRB3pZmu, cpu.system.percentage), 7d, 10), 1/86400)"
    ),
    "stack(service(Blog, foo.bar))": "stack(service(Blog, foo.bar))",
    "group(alias(avg(role(example:db, loadavg5)), 'loadavg5'),\n  alias(timeShift(avg(role(example:db, loadavg5)), 1w), '1 week ago'))": (
        "group(alias(avg(role(example:db, loadavg5)), 'loadavg5'), alias(timeShift(avg(role(example:db, loadavg5)), 1w), '1 week ago'))"
    ),
}
FOUND = {
    "alias(scale(\nsum(\n  group(\n    host(2u4PP3TJqbx,loadavg.*)\n  )\n),\n1\n), 'test')": (
        "alias(scale(sum(group(host(2u4PP3TJqbx, loadavg.*))), 1), 'test')"
    ),
    "service ( 'Blog'\t, \r\n \"custom.access_count.*\")": "service(Blog, custom.access_count.*)",
    "role (  'Blog:  db' , 'memory.*'  )": "role(Blog:db, memory.*)",
    "scale(scale(service('Blog', 'foo.bar'), 3.140e10), -31.4/6.25)": "scale(scale(service(Blog, foo.bar), 31400000000), -31.4/6.25)",
    "alias( service(Blog, foo.bar), Blog foo  bar )": "alias(service(Blog, foo.bar), 'Blog foo  bar')",
    'alias(service(Blog, foo.bar), "Blog foo (bar)")': "alias(service(Blog, foo.bar), 'Blog foo (bar)')",
    'alias(service(Blog, foo.bar), "Blog\'s")': 'alias(service(Blog, foo.bar), "Blog\'s")',
    "alias(movingAverage(diff(host(h1, custom.thermal), timeShift(host(h1, custom.thermal), 10m)), 1h), temp-trend)": (
        "alias(movingAverage(diff(host(h1, custom.thermal), timeShift(host(h1, custom.thermal), 10m)), 1h), 'temp-trend')"
    ),
    "alias(service(photo, upload), '1分あたりのアップロード')": "alias(service(photo, upload), '1分あたりのアップロード')",
    "alias(service(photo, upload), アップロード)": "alias(service(photo, upload), 'アップロード')",
}


@pytest.mark.parametrize(("text", "printed"), (DOCUMENTED | FOUND).items())
def test_an_expression_is_read_and_printed_on_one_line(text: str, printed: str) -> None:
    expression = parse(text)
    assert str(expression) == printed
    assert parse(printed) == expression


def test_the_examples_have_every_function() -> None:
    used = {call.function for text in DOCUMENTED for call in parse(text).walk()}
    assert used == set(FUNCTIONS) and len(FUNCTIONS) == 21


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_expressions_that_pages_link_to_are_valid(graph: Graph) -> None:
    expression = comparison_expression(make_migration(), "h1", graph)
    assert str(parse(expression)) == expression


@pytest.mark.parametrize(
    ("text", "code", "place", "params"),
    [
        ("", "empty", (1, 1), {}),
        (" \n ", "empty", (1, 1), {}),
        ("summ(host(a, b))", "unknown_function", (1, 1), {"given": "summ", "close": "sum"}),
        ("timeLeft(host(a, b), 1d, 2)", "unknown_function", (1, 1), {"given": "timeLeft", "close": "timeLeftForecast"}),
        ("Sum(host(a, b))", "unknown_function", (1, 1), {"given": "Sum", "close": "sum"}),
        ("平均(host(a, b))", "unknown_function", (1, 1), {"given": "平均", "close": ""}),
        ("sum(host(a, b)", "unexpected", (1, 15), {"found": "", "expected": "comma"}),
        ("sum(host(a, b)\n", "unexpected", (1, 15), {"found": "", "expected": "comma"}),
        ("group(host(a, b),)", "unexpected", (1, 18), {"found": ")", "expected": "argument"}),
        ("host(a, b) x", "unexpected", (1, 12), {"found": "x", "expected": "end"}),
        ("host(a, b))", "unexpected", (1, 11), {"found": ")", "expected": "end"}),
        ("sum(\n\thost(a, 'b)\n)", "unclosed_quote", (2, 10), {}),
        ("loadavg5", "not_a_function", (1, 1), {"given": "loadavg5"}),
        ("sum('loadavg5')", "not_a_function", (1, 5), {"given": "loadavg5"}),
        ("divide(host(a, b))", "wrong_count", (1, 1), {"usage": "divide(metrics, metrics)"}),
        ("group()", "wrong_count", (1, 1), {"usage": "group(metrics, …)"}),
        (
            "scale(\n  host(a, b),\n  ten)",
            "wrong_argument",
            (3, 3),
            {"given": "ten", "kind": "factor", "usage": "scale(metrics, factor)"},
        ),
        (
            "scale(host(a, b), 1/0)",
            "wrong_argument",
            (1, 19),
            {"given": "1/0", "kind": "factor", "usage": "scale(metrics, factor)"},
        ),
        (
            "scale(host(a, b), 1e999)",
            "wrong_argument",
            (1, 19),
            {"given": "1e999", "kind": "factor", "usage": "scale(metrics, factor)"},
        ),
        (
            "percentile(host(a, b), 100)",
            "wrong_argument",
            (1, 24),
            {"given": "100", "kind": "percentage", "usage": "percentile(metrics, percentage)"},
        ),
        (
            "timeShift(host(a, b), 3x)",
            "wrong_argument",
            (1, 23),
            {"given": "3x", "kind": "duration", "usage": "timeShift(metrics, duration)"},
        ),
        (
            "timeShift(host(a, b), 0m)",
            "wrong_argument",
            (1, 23),
            {"given": "0m", "kind": "duration", "usage": "timeShift(metrics, duration)"},
        ),
        (
            "timeShift(host(a, b), 999999999y)",
            "wrong_argument",
            (1, 23),
            {"given": "999999999y", "kind": "duration", "usage": "timeShift(metrics, duration)"},
        ),
        (
            "host(a b, c)",
            "wrong_argument",
            (1, 6),
            {"given": "a b", "kind": "hostId", "usage": "host(hostId, metricName)"},
        ),
        (
            "role(photo, c)",
            "wrong_argument",
            (1, 6),
            {"given": "photo", "kind": "roleFullname", "usage": "role(roleFullname, metricName)"},
        ),
        (
            "alias(host(a, b), host(a, b))",
            "wrong_argument",
            (1, 19),
            {"given": "host", "kind": "displayName", "usage": "alias(metrics, displayName)"},
        ),
    ],
)
def test_an_error_has_its_place(text: str, code: str, place: tuple[int, int], params: dict[str, str]) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert (caught.value.code, (caught.value.line, caught.value.column), caught.value.params) == (code, place, params)


def test_the_caret_is_below_the_error() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("group(\n\tsum(host(a, b)),\n\tsun(host(a, c))\n)")
    assert caught.value.snippet == (" sun(host(a, c))", " ^")


def test_of_a_long_line_only_the_part_with_the_error_is_shown() -> None:
    hosts = ", ".join(f"host(h{number}, loadavg5)" for number in range(100))
    with pytest.raises(ExpressionError) as caught:
        parse(f"sum(group({hosts}, hots(x, y), {hosts}))")
    line, caret = caught.value.snippet
    assert len(line) == 72 and line[caret.index("^") :].startswith("hots(x, y)")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 100_000, "too_long"),
        ("sum(" * 25_000, "too_long"),
        ("sum(" * 1_000 + "host(a, b)" + ")" * 1_000, "too_deep"),
        ("sum(" * 4_000, "unexpected"),
        (")" * MAX_CHARS, "unexpected"),
        ("'" * MAX_CHARS, "unexpected"),
        ("'" + "(" * 1_000, "unclosed_quote"),
        ("a" + " " * (MAX_CHARS - 2) + "(", "unexpected"),
        ("\x00\x1b[2J", "not_a_function"),
    ],
)
def test_hostile_text_is_refused(text: str, code: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.code == code


def test_the_deepest_allowed_nesting_is_read() -> None:
    text = "sum(" * (MAX_DEPTH - 1) + "host(a, b)" + ")" * (MAX_DEPTH - 1)
    assert str(parse(text)) == text
    with pytest.raises(ExpressionError, match="too_deep"):
        parse(f"sum({text})")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("divide(host(a, b), host(a, c))", ("host(a, b)", "host(a, c)")),
        ("alias(scale(divide(sum(host(a, b.*)), host(a, c)), 100), 'EC2 5xx %')", ("sum(host(a, b.*))", "host(a, c)")),
        ("host(a, b)", None),
        ("offset(divide(host(a, b), host(a, c)), 1)", None),
        ("diff(host(a, b), host(a, c))", None),
    ],
)
def test_a_quotient_is_recognised(text: str, parts: tuple[str, str] | None) -> None:
    found = quotient(parse(text))
    assert (found and tuple(map(str, found))) == parts


NAMES = st.text("abcXYZ019-_", min_size=1, max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
QUOTABLE = st.text(st.characters(exclude_characters="'\"", exclude_categories=["Cs"]), max_size=12)
ARGUMENTS: dict[Kind, st.SearchStrategy[Argument]] = {
    "hostId": st.text("abcXYZ019", min_size=1, max_size=11),
    "serviceName": NAMES,
    "roleFullname": st.builds("{}:{}".format, NAMES, NAMES),
    "metricName": st.text("abc019.*-_", min_size=1, max_size=20),
    "displayName": QUOTABLE | QUOTABLE.map(lambda text: f"{text}'{text}") | QUOTABLE.map(lambda text: f'{text}"'),
    "factor": st.builds(Number, NUMBERS, NUMBERS.filter(lambda number: abs(number) > 1e-6)),
    "threshold": st.builds(Number, NUMBERS),
    "percentage": st.floats(0.001, 99.999).map(Number),
    "duration": st.builds(Duration, st.integers(1, 460), st.sampled_from(["m", "h", "d"])),
}


SELECTED = st.one_of(
    *(
        st.tuples(*(ARGUMENTS[kind] for kind in FUNCTIONS[function])).map(partial(Call, function))
        for function in sorted(SELECTORS)
    )
)


def _calls(metrics: st.SearchStrategy[Call]) -> st.SearchStrategy[Call]:
    """Calls of every function that has `metrics`."""

    def call(function: str) -> st.SearchStrategy[Call]:
        if function == "group":
            return st.lists(metrics, min_size=1, max_size=4).map(lambda calls: Call("group", tuple(calls)))
        parts = (metrics if kind == "metrics" else ARGUMENTS[kind] for kind in FUNCTIONS[function])
        return st.tuples(*parts).map(partial(Call, function))

    return st.sampled_from(sorted(set(FUNCTIONS) - SELECTORS)).flatmap(call)


EXPRESSIONS = st.recursive(SELECTED, _calls, max_leaves=8)


@given(EXPRESSIONS)
def test_what_is_printed_is_read_as_the_same(expression: Call) -> None:
    assert parse(str(expression)) == expression


@given(EXPRESSIONS, st.sampled_from(["\n", "\r\n", "\t", "  "]))
def test_spaces_between_tokens_mean_nothing(expression: Call, space: str) -> None:
    spaced = str(expression)
    if not any(call.function == "alias" for call in expression.walk()):
        spaced = spaced.replace("(", f"({space}").replace(", ", f"{space},{space}").replace(")", f"{space})")
    assert parse(f"{space}{spaced}{space}") == expression


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_at_a_place_of_it(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as error:
        line, caret = error.snippet
        assert caret.strip() == "^" and len(caret) <= len(line) + 1
