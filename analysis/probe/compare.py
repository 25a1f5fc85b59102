"""Compares the answers of both fleets; what varies within one fleet is proposed to be ignored. Pure."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from analysis.probe.features import feature_table
from domain.probe import Answer, Difference, ProbeState, SideResult
from domain.series import FleetName

MAX_DIFFERENCES = 50
# These are never ignored: that a status varies is a finding.
_ALWAYS = ("status", "error", "kind")
ABSENT = "–"


def compare(
    baseline: Sequence[Answer], canary: Sequence[Answer], host: str
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """The differences, and the features that vary within a fleet and are therefore ignored.

    A feature differs if each fleet answers the same every time and not what the other one does. Status, error and kind also differ if the sets of values do.
    """
    values = {"baseline": feature_table(list(baseline), host), "canary": feature_table(list(canary), host)}
    names = dict.fromkeys((*values["baseline"], *values["canary"]))
    differences, ignored = list[Difference](), list[str]()
    absent: list[str | None] = [None]
    for name in names:
        old, new = (dict.fromkeys(values[side].get(name, absent)) for side in ("baseline", "canary"))
        if set(old) == set(new) and (len(old) == 1 or name in _ALWAYS):
            continue
        if (len(old) > 1 or len(new) > 1) and name not in _ALWAYS:
            ignored.append(name)
        else:
            differences.append(Difference(name, _shown(old), _shown(new)))
    return tuple(differences[:MAX_DIFFERENCES]), tuple(ignored)


def side_result(fleet: FleetName, header: str, answers: Sequence[Answer]) -> SideResult:
    read = [answer for answer in answers if not answer.error]
    return SideResult(
        fleet,
        header,
        tuple(sorted(Counter(answer.status for answer in read).items())),
        tuple(sorted(Counter(answer.error for answer in answers if answer.error).items())),
        tuple(sorted(round(answer.seconds, 4) for answer in read)),
        round(median(len(answer.body) for answer in read)) if read else None,
    )


def state_of(sides: Sequence[SideResult], differences: Sequence[Difference], expect: int) -> ProbeState:
    if any(side.errors for side in sides):
        return "failed"
    if expect and any(status != expect for side in sides for status, _ in side.statuses):
        return "unexpected"
    return "different" if differences else "same"


def _shown(values: dict[str | None, None]) -> str:
    return ", ".join(ABSENT if value is None else value for value in values)
