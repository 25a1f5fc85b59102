"""Messages for issues in [[criteria]], and example lines."""

from collections.abc import Callable

from domain import ConfigIssue
from domain.config.criteria import CRITERION_METRICS
from messages.errors.expressions import expression_error
from messages.i18n import LazyText, _, lazy

EXAMPLES = {
    "criteria.metric": 'metric = "error_rate"',
    "criteria.margin": 'margin = "0.05pp"',
    "criteria.better": 'better = "lower"',
    "criteria.critical": "critical = true",
    "criteria.name": 'name = "uploads per minute"',
    "criteria.source": 'source = "mackerel"',
    "criteria.baseline": 'baseline = "service(photo, upload.ec2)"',
    "criteria.canary": 'canary = "service(photo, upload.ecs)"',
    "criteria.kind": 'kind = "rate"',
}
# ConfigIssueCode -> the issue, the fix
TEXTS: dict[str, tuple[LazyText, LazyText]] = {
    "metric_twice": (
        lazy("Duplicate margin for `{given}`."),
        lazy("Keep one [[criteria]] per metric."),
    ),
    "threshold_not_asked": (
        lazy("`{given}` needs a threshold of {threshold} s, which is not queried."),
        lazy("Add {threshold} to `slow_thresholds_s` under [migration]."),
    ),
    "margin_without_unit": (
        lazy("“{given}” is not a margin: use a number above 0 with a unit."),
        lazy('Use "0.05pp" (percentage points), "20ms" (milliseconds) or "10%" (relative to the baseline).'),
    ),
    "margin_of_nothing": (
        lazy("Parity can never be shown with a margin of “{given}”: no CI is that narrow."),
        lazy('Use the largest acceptable difference, for example "0.05pp" or "10%".'),
    ),
    "margin_of_another_unit": (
        lazy("A margin of {given} does not fit `{metric}`."),
        lazy("Its margin is in {fits}: pp are percentage points, ms are milliseconds, and % is relative to the baseline."),
    ),
    "ratio_without_points": (
        lazy("`max_ratio` requires a margin in pp, not {given}."),
        lazy("Remove it: a relative margin limits the ratio itself, and a latency has no rate."),
    ),
    "margin_of_a_value": (
        lazy("A margin of {given} does not fit “{metric}”."),
        lazy("Use a number in the metric's unit, for example `margin = 5`, or \"10%\" (relative to the baseline)."),
    ),
    "name_or_metric": (
        lazy("A criterion has either a `metric` or a `name`."),
        lazy("Use `metric` for a built-in one, or `name` with `source`, `baseline` and `canary` for your own."),
    ),
    "not_a_name": (
        lazy("“{given}” is not the name of a criterion."),
        lazy("Start with a letter or digit; at most 60 characters, no commas or quotation marks."),
    ),
    "name_of_a_metric": (
        lazy("“{given}” is a built-in metric."),
        lazy("Use another name, or `metric` instead of `name`, without `source`, `baseline` and `canary`."),
    ),
    "query_of_a_metric": (
        lazy("`{metric}` is read from the load balancer, so it takes no `source`, `baseline`, `canary` or `kind`."),
        lazy("Remove them, or use `name` instead of `metric` for a criterion of your own."),
    ),
    "criterion_without_query": (
        lazy("“{given}” has nothing to compare."),
        lazy("Set `source`, `baseline` and `canary`: where to read, and the query of each fleet."),
    ),
    "query_of_another_source": (
        lazy("This is not a query for {given}."),
        lazy("For Mackerel use an expression, for CloudWatch a table with `namespace`, `name`, `dimensions` and `statistic`."),
    ),
    "not_a_query": (
        lazy("Neither a metric nor metric math."),
        lazy("Set `namespace` and `name`, or `math` with a table in `metrics` for each of its letters."),
    ),
    "not_a_math_id": (
        lazy("Metric math cannot use these names."),
        lazy("Metric names start with a lower-case letter and have only letters, digits and `_`; at most {limit} metrics."),
    ),
    "not_a_statistic": (
        lazy("“{given}” is not a statistic of CloudWatch."),
        lazy("Use Average, Sum, Minimum, Maximum, SampleCount, or a percentile like p95."),
    ),
    "not_a_quotient": (
        lazy("“{given}” is a rate, and its query is not a quotient of two counts."),
        lazy('Use `divide(a, b)` or `scale(divide(a, b), 100)` for Mackerel, `math = "a / b"` for CloudWatch, or `kind = '
'"value"`.'),
    ),
    "not_counts": (
        lazy("A rate needs two counts, and a `statistic` is {given}."),
        lazy('Set `statistic = "Sum"` (or "SampleCount") for both metrics of the quotient, or use `kind = "value"`.'),
    ),
    "too_many_criteria": (
        lazy("There are {given} criteria of your own, and at most {limit} are read."),
        lazy("Keep those that matter: with more criteria, each takes longer to decide."),
    ),
    "cloudwatch_without_aws": (
        lazy("CloudWatch needs the region under [aws], which is missing."),
        lazy("Add [aws] with `region` and `load_balancer`."),
    ),
}  # fmt: skip


def suggestion(params: dict[str, str]) -> str:
    return _("Did you mean `{close}`?").format(close=params["close"]) + " " if params["close"] else ""


def _unknown_metric(_key: str, params: dict[str, str]) -> tuple[str, str]:
    metrics = ", ".join(f"`{metric}`" for metric in CRITERION_METRICS)
    text = _("No metric “{given}” that can have a margin.").format(given=params["given"])
    known = _("Use {metrics}, or `slow_0.3s` for the share of responses slower than 0.3 s.")
    own = _("For a metric of your own, use `name` with `source`, `baseline` and `canary`.")
    return text, f"{suggestion(params)}{known.format(metrics=metrics)} {own}"


def _bad_expression(_key: str, params: dict[str, str]) -> tuple[str, str]:
    return expression_error(params), _("docs/mackerel.md has all functions of expressions.")


FORMATTERS: dict[str, Callable[[str, dict[str, str]], tuple[str, str]]] = {
    "unknown_metric": _unknown_metric,
    "bad_expression": _bad_expression,
}


def snippet(issue: ConfigIssue) -> tuple[str, ...]:
    """The line of an expression with an error, and a caret below its place."""
    return (issue.params["shown"], issue.params["caret"]) if issue.code == "bad_expression" else ()
