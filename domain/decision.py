"""The decision: may the migration go on? Its vocabulary, and the criteria that it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.config.criteria import Criterion

Decision = Literal["continue", "wait", "hold", "roll_back", "no_data"]
ReasonCode = Literal[
    "unavailable",
    "stale",
    "unread",
    "outage",
    "gate_regression",
    "fleet_gone",
    "regression",
    "route_regression",
    "incident",
    "alarm",
    "alert",
    "sample_ratio",
    "inconclusive",
    "source_down",
    "routes_unreadable",
    "routes_pending",
    "undecided",
]
# Whether the routes of a phase were judged by its access logs, or none are configured; else why not.
RoutesState = Literal["judged", "pending", "unreadable"]
# The decision that each reason leads to, by weight. Without a reason it is "continue".
DECISION_BY_REASON: dict[ReasonCode, Decision] = {
    "unavailable": "no_data",  # there is none
    "stale": "no_data",  # it is too old to say anything about now
    "unread": "no_data",  # the newest counts that a criterion needs are unknown
    "outage": "roll_back",  # the canary fails most of its requests, now
    "gate_regression": "roll_back",  # of a criterion that decides
    "fleet_gone": "hold",  # a fleet had no requests in the newest minutes, though the weights did not change
    "regression": "hold",  # of another criterion
    "route_regression": "hold",
    "incident": "hold",  # of the canary alone and without a note, or one that is open
    "alarm": "hold",
    "alert": "hold",
    "sample_ratio": "hold",  # the traffic does not follow the weights
    "inconclusive": "hold",  # a criterion, when the phase ended
    "source_down": "wait",  # one that the verdict rests on; its data is not too old yet
    "routes_unreadable": "wait",  # the access logs of the phase cannot be read
    "routes_pending": "wait",  # they are not counted yet, or the judgement is not made yet
    "undecided": "wait",  # a criterion
}
_WEIGHTS = {code: weight for weight, code in enumerate(DECISION_BY_REASON)}
EXIT_CODES: dict[Decision, int] = {"continue": 0, "roll_back": 1, "hold": 2, "wait": 2, "no_data": 3}


@dataclass(frozen=True, slots=True)
class DecisionReason:
    """Why not to continue. `subject`: a criterion's metric, an incident's id, a route, a fleet, a source, an alarm ("error_rate:canary") or the title of
    an alert, which is external text; "" if the code says it all. `minutes`: forecast of those until a criterion is decided, None if unknown.
    """

    code: ReasonCode
    subject: str = ""
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class ReasonedDecision:
    """The decision of the weightiest reason. `reasons`: by weight, the weightiest first."""

    reasons: tuple[DecisionReason, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "reasons", tuple(sorted(self.reasons, key=lambda reason: _WEIGHTS[reason.code])))

    @property
    def decision(self) -> Decision:
        return DECISION_BY_REASON[self.reasons[0].code] if self.reasons else "continue"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.decision]


def judged_criteria(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """Those that count: all but the ones that are only watched, unless there are no others."""
    return tuple(criterion for criterion in criteria if not criterion.watch_only) or tuple(criteria)


def gate_criteria(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """Those that decide: the critical ones of `judged_criteria`, or all of them if none is critical."""
    judged = judged_criteria(criteria)
    return tuple(criterion for criterion in judged if criterion.critical) or judged
