"""The next step: what each candidate weight would take and risk, which one to choose, and its commands. docs/MATH.md, "Next step"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Literal

from analysis.deployments.aws_commands import set_weights_command, terraform_forward
from analysis.deployments.waits import WaitingDeployment
from analysis.parity.next_phase import PhasePattern, minutes_at_share, phase_pattern, worst_extra_errors
from analysis.parity.samples import PreparedGrid, paired_samples
from analysis.parity.verdicts import DEFAULT_CRITERIA, CriterionVerdict, Judgement
from analysis.retrospective.error_budget import ErrorBudget
from domain import Criterion, Rule, Share, Traffic
from domain.decision import ReasonedDecision, gate_criteria, judged_criteria
from domain.window import DAY_S, MINUTE_S

CANDIDATE_SHARES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
MAX_WEIGHT = 999  # of a target group
USEFUL_MINUTES = DAY_S // MINUTE_S  # a weight is useful if its decision comes within a day
SAME_SHARE = 5e-5

StepReason = Literal[
    "next",  # the smallest larger weight that is useful
    "too_slow",  # the same, because the current weight is not decided within a day
    "last",  # 100 %: no candidate below it is left
    "stay",  # the current weight is decided within a day
    "continue_deployment",  # a running deployment waits for a command, and the decision is to go on
    # Without a step:
    "no_weights",
    "no_split",
    "other_groups",  # some weight is on a target group of neither fleet
    "at_100",
    "at_0",  # the canary has no weight: there is nothing to forecast from
    "roll_back",
    "hold",
    "no_data",
    "deploying",  # a deployment is running
    "keep_waiting",  # it waits for a command, and nothing is decided yet
    "waiting",  # the decision waits for something else than requests
    "worse",  # undecided, with something against the canary
    "too_little",  # too few minutes to forecast from
    "none_useful",  # no larger weight is decided within a day
    "over_budget",  # each useful weight may use up more than the error budget
]


@dataclass(frozen=True, slots=True)
class StepForecast:
    """A candidate. `minutes` from the weight change to the decision, by metric of the criteria that decide; None if not within four weeks, or if there
    is nothing to compare. `extra_errors` at worst until the last of them; `budget_burned`: as a share of the error budget, None without an SLO.
    `load`: requests per minute of one healthy target of the canary.
    """

    share: float
    minutes: Mapping[str, int | None]
    extra_errors: float | None = None
    budget_burned: float | None = None
    load: float | None = None

    @property
    def dwell_minutes(self) -> int | None:
        """Minutes until all criteria are decided."""
        known = [minutes for minutes in self.minutes.values() if minutes is not None]
        return max(known) if known and len(known) == len(self.minutes) else None

    @property
    def is_useful(self) -> bool:
        return self.dwell_minutes is not None and self.dwell_minutes <= USEFUL_MINUTES


@dataclass(frozen=True, slots=True)
class CanaryLoad:
    """Requests per minute of both fleets, the healthy targets of the canary, and the most that one of them has carried for an hour; None: unknown."""

    total: float | None = None
    healthy: int | None = None
    max_load: float | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """The candidates and the choice. `current`: the canary's configured share, None if unknown. `recommended`: the share of a row; of "stay" the
    current one. `minutes`: until the decision at it. `subject`: of a reason, a metric, a deployment or a target group. `commands` set the
    recommended weights, a blank line between those of several rules, or continue the deployment; "" if unknown or not needed. `terraform`: the
    same as a forward block. `ecspresso`: the same with ecspresso, which continues deployments and sets no weights of a rule.
    `unchanged_rules`: other rules that send requests to a fleet in other shares, which the commands leave as they are.
    """

    reason: StepReason
    rows: tuple[StepForecast, ...] = ()
    current: float | None = None
    recommended: float | None = None
    minutes: int | None = None
    subject: str = ""
    load: CanaryLoad = CanaryLoad()
    commands: str = ""
    terraform: str = ""
    ecspresso: str = ""
    unchanged_rules: tuple[Rule, ...] = ()

    @property
    def is_change(self) -> bool:
        """Whether there is something to do now, with `commands`."""
        return self.reason == "continue_deployment" or (self.recommended is not None and self.reason != "stay")

    @property
    def is_advised(self) -> bool:
        """Whether there is a step, or to stay until the decision."""
        return self.is_change or self.reason == "stay"

    @property
    def row(self) -> StepForecast | None:
        """That of the recommended share."""
        return next((row for row in self.rows if is_same(row.share, self.recommended)), None)


def is_same(share: float, other: float | None) -> bool:
    return other is not None and abs(share - other) < SAME_SHARE


def step_forecasts(
    prepared: PreparedGrid,
    judgement: Judgement,
    shares: Sequence[float],
    load: CanaryLoad,
    *,
    lead_minutes: int,
    budget: ErrorBudget | None = None,
) -> tuple[StepForecast, ...]:
    """One forecast for each of `shares` by the phase so far; none if it says too little of a criterion that decides.

    `lead_minutes`: from a weight change to the first judged minute, and from the newest one to its data.
    """
    n_comparisons = len(judged_criteria(prepared.criteria))
    patterns: dict[Criterion, PhasePattern] = {}
    for criterion in gate_criteria(prepared.criteria):
        pattern = phase_pattern(paired_samples(prepared, criterion))
        if pattern is None:
            return ()
        patterns[criterion] = pattern
    errors = _error_rate(prepared, judgement)

    def forecast(share: float) -> StepForecast:
        minutes = {
            criterion.metric: None if judged is None else judged + lead_minutes
            for criterion, pattern in patterns.items()
            for judged in [minutes_at_share(pattern, share, n_comparisons)]
        }
        row = StepForecast(share, minutes)
        extra = worst_extra_errors(*errors, share, row.dwell_minutes) if errors and row.dwell_minutes else None
        burned = extra / budget.errors if extra is not None and budget and budget.errors else None
        per_target = load.total * share / load.healthy if load.total is not None and load.healthy else None
        return StepForecast(share, minutes, extra, burned, per_target)

    return tuple(forecast(share) for share in shares)


def _error_rate(prepared: PreparedGrid, judgement: Judgement) -> tuple[PhasePattern, CriterionVerdict] | None:
    """The pattern and the result of the error rate; with the default margin if it is not judged. None if unknown."""
    result = next((item for item in judgement.criteria if item.metric == "error_rate"), None)
    criterion = result.criterion if result else DEFAULT_CRITERIA[0]
    pattern = phase_pattern(paired_samples(prepared, criterion))
    margin = criterion.margin.amount if not criterion.margin.is_relative else None
    fallback = CriterionVerdict(criterion, "not enough data", "few_minutes", margin=margin)
    return (pattern, result or fallback) if pattern else None


def candidate_shares(current: float) -> tuple[float, ...]:
    """CANDIDATE_SHARES and the current one, in order."""
    own = () if any(is_same(share, current) for share in CANDIDATE_SHARES) else (current,)
    return tuple(sorted((*CANDIDATE_SHARES, *own)))


FORECAST_ANYWAY: tuple[StepReason, ...] = (
    "hold",
    "deploying",
    "keep_waiting",
)  # candidates are of use when their time has come


def obstacle(
    traffic: Traffic | None, decided: ReasonedDecision, deploying: str = "", paused: WaitingDeployment | None = None
) -> NextStep | None:
    """Why no weight can be recommended: the weights, the decision, or a running deployment (`deploying`: its name; `paused`: if it waits for
    approval). None if nothing forbids one.
    """
    if traffic is None:
        return NextStep("no_weights")
    if traffic.split is None or not traffic.configured_shares:
        return NextStep("no_split")
    current = float(traffic.configured_shares["canary"])
    others = [share.target_group for share in traffic.split.weighted_shares if share.fleet is None]
    if others:
        return NextStep("other_groups", current=current, subject=others[0])
    refused: dict[str, StepReason] = {"roll_back": "roll_back", "hold": "hold", "no_data": "no_data"}
    if current and (reason := refused.get(decided.decision)):
        return NextStep(reason, current=current)
    if deploying:
        return _while_deploying(deploying, paused, current, is_decided=decided.decision == "continue")
    if current in (0.0, 1.0):
        return NextStep("at_0" if current == 0 else "at_100", current=current)
    return None


def _while_deploying(name: str, paused: WaitingDeployment | None, current: float, *, is_decided: bool) -> NextStep:
    if paused is None or not paused.commands:
        return NextStep("deploying", current=current, subject=name)
    if not is_decided:
        return NextStep("keep_waiting", current=current, subject=name)
    command = next(item.command for item in paused.commands if item.end == "continue")
    ecspresso = "ecspresso continue" if paused.deployment.system == "ecs" else ""
    return NextStep("continue_deployment", current=current, subject=name, commands=command, ecspresso=ecspresso)


def choose_step(
    rows: tuple[StepForecast, ...], current: float, decided: ReasonedDecision, judgement: Judgement, *, elapsed: int
) -> NextStep:
    """The choice among `rows`, without commands. `elapsed`: minutes since the current weights were set."""
    if decided.decision == "wait":
        if any(reason.code != "undecided" for reason in decided.reasons):
            return NextStep("waiting", rows, current)
        gate = gate_criteria([result.criterion for result in judgement.criteria])
        undecided = [item for item in judgement.criteria if item.criterion in gate and item.verdict == "undecided"]
        doubtful = [item for item in undecided if item.is_significantly_worse or item.reason in ("incident", "ratio")]
        if doubtful:
            return NextStep("worse", rows, current, subject=doubtful[0].metric)
    if not rows:
        return NextStep("too_little", rows, current)
    if decided.decision == "wait":
        remaining = _remaining(rows, current, decided, elapsed)
        if remaining is not None and remaining <= USEFUL_MINUTES:
            return NextStep("stay", rows, current, current, remaining)
    larger = [row for row in rows if row.share > current + SAME_SHARE]
    if decided.decision == "continue" and all(row.share == 1 for row in larger):
        return NextStep("last", rows, current, 1.0)
    useful = [row for row in larger if row.is_useful]
    affordable = [row for row in useful if (row.budget_burned or 0.0) <= 1]
    if not affordable:
        return NextStep("over_budget" if useful else "none_useful", rows, current)
    chosen = affordable[0]
    reason: StepReason = "next" if decided.decision == "continue" else "too_slow"
    return NextStep(reason, rows, current, chosen.share, chosen.dwell_minutes)


def _remaining(rows: Sequence[StepForecast], current: float, decided: ReasonedDecision, elapsed: int) -> int | None:
    """Minutes until the current weights are decided: the judge's forecast, or that of the current row while it has none."""
    known = [reason.minutes for reason in decided.reasons]
    if all(minutes is not None for minutes in known):
        return max(minutes for minutes in known if minutes is not None)
    dwell = next(row.dwell_minutes for row in rows if is_same(row.share, current))
    return dwell - elapsed if dwell is not None and dwell > elapsed else None


def step_rules(traffic: Traffic) -> tuple[Rule, ...]:
    """The split, and the reachable rules that split all visitors' requests in the same shares."""
    same = (
        rule
        for rule in traffic.other_splits
        if not rule.is_conditional and rule.configured_shares == traffic.configured_shares
    )
    return tuple(rule for rule in (traffic.split, *same) if rule)


def step_weights(rule: Rule, share: float, healthy: frozenset[str]) -> dict[str, int]:
    """The weights (0–999, by target group ARN) of a rule that give the canary `share` (0–1); each fleet's part is divided as it is now.

    A fleet without weight gives it to its groups in `healthy` (ARNs), else to all of them. Exact if integers allow it: 0.1 % is 999 : 1.
    """
    of_canary = Fraction(share).limit_denominator(1000)
    parts: dict[str, Fraction] = {item.arn: Fraction(0) for item in rule.shares}
    for fleet, total in (("baseline", 1 - of_canary), ("canary", of_canary)):
        members = [item for item in rule.shares if item.fleet == fleet]
        relative = _relative_weights(members, healthy)
        for arn, weight in relative.items():
            parts[arn] = total * Fraction(weight, sum(relative.values()))
    scale = lcm(*(part.denominator for part in parts.values()))
    largest = max(parts.values())
    if largest * scale <= MAX_WEIGHT:
        return {arn: int(part * scale) for arn, part in parts.items()}
    return {arn: max(round(part / largest * MAX_WEIGHT), int(part > 0)) for arn, part in parts.items()}


def _relative_weights(members: Sequence[Share], healthy: frozenset[str]) -> dict[str, int]:
    weights = {item.arn: item.weight for item in members}
    if any(weights.values()):
        return weights
    usable = [arn for arn in weights if arn in healthy] or list(weights)
    return {arn: int(arn in usable) for arn in weights}


def step_commands(traffic: Traffic, share: float) -> tuple[str, str]:
    """The AWS CLI commands that set `share`, and the split's forward block in Terraform; "" if the split cannot be set by one command."""
    healthy = frozenset(group.arn for group in traffic.groups if group.healthy)
    rules = step_rules(traffic)
    commands = [set_weights_command(rule, step_weights(rule, share, healthy)) for rule in rules]
    if not rules or not commands[0]:
        return "", ""
    return "\n\n".join(filter(None, commands)), terraform_forward(rules[0], step_weights(rules[0], share, healthy))
