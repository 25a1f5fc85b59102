"""Messages of the next step: the table of candidate weights, and what to do, in a sentence."""

from collections.abc import Iterator

from analysis.deployments.next_step import NextStep, StepForecast, is_same
from analysis.parity.verdicts import DEFAULT_CRITERIA
from domain import Criterion, Migration, Rule
from messages import numbers, times, verdicts
from messages.command_help import USAGE_ERROR, command_help
from messages.deployments import WAIT_ENDS
from messages.i18n import _, comma_list, lazy
from messages.traffic import rule_name

COMMAND = command_help(
    lazy("Recommend the next weight, with its dwell time and risk"),
    lazy(
        "For each candidate weight: time to decision, extra errors at worst until then, and load per target; one of them is recommended, with the "
        "commands to copy. A forecast, if all goes on as it did. Commands are never executed."
    ),
    exit_codes={
        0: lazy("A step is recommended, or to stay until the decision."),
        1: lazy("No step is recommended, invalid configuration, or archive unavailable."),
        2: USAGE_ERROR,
    },
    examples="""
        cli.py next
        cli.py next --json | jq -r .commands
    """,
)
TITLE = lazy("Next step")
ASSUMPTION = lazy(
    "A forecast, if all goes on as it did in this phase. Time to decision: from the weight change, warm-up included, with a probability of about 90%. "
    "Extra errors at worst: until the decision, at the upper end of the error rate's CI. In brackets: times the highest load sustained for 1h."
)
TERRAFORM = lazy("The same in Terraform: the action's forward block")
ECSPRESSO = lazy("The same with ecspresso")


def head(migration: Migration, criteria: tuple[Criterion, ...]) -> tuple[str, ...]:
    """The table's headings; with a column for the error budget if there is an SLO."""
    return (
        _("{label} share").format(label=migration.fleets.canary.label),
        *(_("Time to decision: {metric}").format(metric=verdicts.metric(criterion)) for criterion in criteria),
        _("Extra errors at worst"),
        *([_("of the error budget")] if migration.slo else []),
        _("req/min per target"),
    )


def cells(step: NextStep, row: StepForecast, migration: Migration) -> tuple[str, ...]:
    """A row of the table, in the order of `head`."""
    return (
        " · ".join(filter(None, (numbers.configured_share(row.share), _mark(step, row)))),
        *(_minutes(row, minutes) for minutes in row.minutes.values()),
        numbers.NONE if row.extra_errors is None else f"≤ {numbers.count(row.extra_errors)}",
        *([numbers.percent(row.budget_burned)] if migration.slo else []),
        _load(step, row),
    )


def _mark(step: NextStep, row: StepForecast) -> str:
    if is_same(row.share, step.recommended):
        return _("stay") if step.reason == "stay" else _("recommended")
    return _("now") if is_same(row.share, step.current) else ""


def _minutes(row: StepForecast, minutes: int | None) -> str:
    if minutes is None:
        return numbers.NONE if row.share == 1 else _("> 4 weeks")
    return verdicts.time_to_decision(minutes)


def _load(step: NextStep, row: StepForecast) -> str:
    """The load, and how many times the highest one it is: "1,500 (2.5×)"."""
    if row.load is None or not step.load.max_load:
        return numbers.count(row.load)
    ratio = row.load / step.load.max_load
    return f"{numbers.count(row.load)} ({ratio:.2g}×)" if ratio < 10 else f"{numbers.count(row.load)} ({ratio:,.0f}×)"


def sentences(step: NextStep, migration: Migration) -> tuple[str, ...]:
    """What to do and why, then what to check first."""
    return _recommendation(step, migration), *_risks(step, migration)


def _recommendation(step: NextStep, migration: Migration) -> str:
    metric = next(
        (verdicts.metric(item) for item in migration.criteria or DEFAULT_CRITERIA if item.metric == step.subject),
        step.subject,
    )
    return {
        "next": _(
            "Set {canary} to {share}: the smallest larger weight that is decided within a day, in about {duration}."
        ),
        "too_slow": _(
            "{current} is not decided within a day at this traffic. Set {canary} to {share}: the smallest larger weight that is, in about {duration}."
        ),
        "last": _(
            "Set {canary} to 100%: no smaller candidate is left. Nothing is compared from then on; keep {baseline} ready for a rollback."
        ),
        "stay": _("Stay at {current}: decision expected in about {duration}."),
        "no_weights": _("Weights unavailable: no step can be recommended."),
        "no_split": _("No rule splits the traffic between the fleets: no step can be recommended."),
        "other_groups": _(
            "No step: {subject}, an unassigned target group, has weight, and its requests are not counted."
        ),
        "at_100": _("{canary} has all traffic: no step is left."),
        "at_0": _(
            "{canary} has no traffic, so there is nothing to forecast from. The smallest first step is 0.1%: weights 999 and 1."
        ),
        "roll_back": _("No step: the decision is ROLL BACK."),
        "hold": _("No step: the decision is HOLD. Resolve its reasons first."),
        "no_data": _("No step without current data. See Data sources."),
        "deploying": _("No step while {subject} is being deployed: one change at a time."),
        "continue_deployment": _(
            "Continue the deployment of {subject}, which waits for approval: the decision is CONTINUE."
        ),
        "keep_waiting": _("Leave the deployment of {subject} waiting until there is a decision."),
        "waiting": _("Stay at {current} until the decision is made: routes or a source are still missing."),
        "worse": _("Stay at {current}: {subject} is not decided, and possibly worse."),
        "too_little": _("Stay at {current}: too few minutes of this phase to forecast from."),
        "none_useful": _("No larger weight is decided within a day at this traffic."),
        "over_budget": _("No step: each weight that is decided within a day may burn more than the error budget."),
    }[step.reason].format(
        canary=migration.fleets.canary.label,
        baseline=migration.fleets.baseline.label,
        share=numbers.configured_share(step.recommended),
        current=numbers.configured_share(step.current),
        duration=times.duration((step.minutes or 0) * 60),
        subject=metric,
    )


def _risks(step: NextStep, migration: Migration) -> Iterator[str]:
    row, max_load = step.row, step.load.max_load
    if row is None or step.reason == "stay":
        return
    if row.extra_errors is not None:
        errors = numbers.count(row.extra_errors)
        if row.budget_burned is None:
            yield _("At worst {errors} extra errors until then.").format(errors=errors)
        else:
            yield _("At worst {errors} extra errors until then, {burned} of the error budget.").format(
                errors=errors, burned=numbers.percent(row.budget_burned)
            )
    if row.load is not None and max_load and row.load > max_load:
        yield _(
            "Capacity unverified: {load} req/min per {canary} target, {times:.1f} times the highest sustained for 1h ({proven})."
        ).format(
            load=numbers.count(row.load),
            canary=migration.fleets.canary.label,
            times=row.load / max_load,
            proven=numbers.count(max_load),
        )
    if step.unchanged_rules:
        yield unchanged(step.unchanged_rules)


def unchanged(rules: tuple[Rule, ...]) -> str:
    return _("The commands leave other rules as they are: {rules}.").format(rules=comma_list(map(rule_name, rules)))


def command_title(step: NextStep, migration: Migration) -> str:
    if step.reason == "continue_deployment":
        return str(WAIT_ENDS["continue"])
    return _("Set {canary} to {share}").format(
        canary=migration.fleets.canary.label, share=numbers.configured_share(step.recommended)
    )
