"""Changes of the traffic split's weights, as observed by snapshots and by audit logs, and their merge into one history."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isclose
from typing import Literal

CHANGE_CLOCK_SKEW_S = 60  # the clocks of two sources that report the same change may differ by this

# console, cli, program: manual or scripted; terraform, cloudformation: infrastructure as code; deployment: CodeDeploy or ECS.
# read: from snapshots or an audit log; entered: by a user.
ChangeOrigin = Literal["read", "entered"]
ChangeTool = Literal["console", "cli", "program", "terraform", "cloudformation", "deployment", "unknown"]


@dataclass(frozen=True, slots=True)
class WeightChange:
    """A change of a listener rule at `ts` (epoch seconds). From snapshots only an interval is known: after `since`, not later than `ts`.

    `before` and `after`: the canary's configured share (0–1), None if unknown or if the rule was deleted. `affects_weights`: False if only
    conditions or priorities changed. `rule`: the rule's ARN, or the listener's for its default action. `about`: the rule's new content.
    `author`: "" if unknown. `raw`: the source's record. `origin`: how it is known.
    """

    ts: int
    since: int
    before: float | None
    after: float | None
    rule: str = ""
    operation: str = ""  # "ModifyRule", …; "" if observed by snapshots
    author: str = ""
    tool: ChangeTool = "unknown"
    sources: tuple[str, ...] = ()
    key: str = ""
    affects_weights: bool = True
    about: str = ""
    raw: str = field(default="", compare=False, repr=False)
    origin: ChangeOrigin = "read"

    @property
    def logged(self) -> bool:
        """Whether it is from an audit log, with exact time and author."""
        return bool(self.operation)

    @property
    def title(self) -> str:
        """ "10.0% → 25.0%"; "?" for an unknown share."""
        return " → ".join("?" if share is None else f"{share:.1%}" for share in (self.before, self.after))


@dataclass(frozen=True, slots=True)
class InitialShare:
    """The canary's configured share (0–1) before the first known change.

    Known since `since` (epoch seconds), which is when the first snapshot was taken, or from where on an audit log is complete. `seen_at`: the
    time of the first snapshot, None if it is from after the first change.
    """

    share: float
    since: int
    seen_at: int | None


ObservedShare = tuple[int, float | None]  # time in epoch seconds, the canary's configured share


def merge_weight_changes(
    observed: Iterable[WeightChange], rules: Collection[str] = (), initial: ObservedShare | None = None
) -> tuple[WeightChange, ...]:
    """The history of the split: one change for all observations of it, in order, without those that changed nothing.

    Snapshots have the interval of a change and both shares; audit logs have its time, author and new share. `rules`: the ARNs of the split; if
    empty, the rules that were configured with a share for both fleets. `initial`: the share in the first snapshot.
    """
    observed = [change for change in observed if change.affects_weights]
    rules = rules or {change.rule for change in observed if change.after is not None and 0 < change.after < 1}
    of_split = sorted(
        (change for change in observed if change.rule in rules), key=lambda change: (change.ts, change.key)
    )
    changes = [change for change in of_split if change.logged]
    shares: list[ObservedShare] = [initial] if initial else []
    for change in of_split:
        if change.logged:
            continue
        logged = _find_logged(change, changes)
        if logged:
            changes[changes.index(logged)] = replace(logged, sources=(*logged.sources, *change.sources))
        else:
            changes.append(change)
        shares.append((min(change.since, logged.ts - 1 if logged else change.since), change.before))
    return tuple(_chain(changes, shares))


def _find_logged(observed: WeightChange, candidates: Iterable[WeightChange]) -> WeightChange | None:
    """The logged change that snapshots observed: to the same share, within the interval ± clock skew; the nearest, then the latest."""
    matches = [
        (distance_s, -change.ts, change)
        for change in candidates
        if change.logged
        and _shares_equal(change.after, observed.after)
        and not set(observed.sources) & set(change.sources)
        and (distance_s := max(observed.since - change.ts, change.ts - observed.ts, 0)) <= CHANGE_CLOCK_SKEW_S
    ]
    return min(matches, key=lambda match: match[:2])[2] if matches else None


def _chain(changes: Iterable[WeightChange], observations: Iterable[ObservedShare]) -> Iterator[WeightChange]:
    """The changes in order, `before` set to the preceding share if known; changes to an equal share are dropped."""
    entries: list[tuple[int, int, str, float | None, WeightChange | None]] = [
        *((ts, 0, "", share, None) for ts, share in observations),
        *((change.ts, 1, change.key, change.after, change) for change in changes),
    ]
    before: float | None = None
    changed_at: int | None = None
    for ts, _, _, share, change in sorted(entries, key=lambda entry: entry[:3]):
        if change is None:
            # With skewed clocks a snapshot shortly after a change may still have the old share.
            before = before if changed_at is not None and ts - changed_at <= CHANGE_CLOCK_SKEW_S else share
            continue
        if (change.logged or change.origin == "entered") and before is not None:
            change = replace(change, before=before)
        if not _shares_equal(change.before, change.after):
            yield change
        before, changed_at = share, ts


def with_entered_steps(
    changes: Sequence[WeightChange], entered: Iterable[WeightChange], first_seen: ObservedShare | None
) -> tuple[WeightChange, ...]:
    """The `changes` that were read, with the `entered` steps from before them, in order; steps that change nothing are dropped.

    Where weights are read, entered steps are not used: from the first snapshot (`first_seen`) or the first change on. If the first snapshot has
    another share than the last step, the weights changed between the two.
    """
    read_since = [first_seen[0]] if first_seen else []
    read_since += [changes[0].since] if changes else []
    steps = [
        step
        for step in sorted(entered, key=lambda step: (step.ts, step.key))
        if not read_since or step.ts < min(read_since)
    ]
    used = tuple(_chain(steps, ()))
    if not used:
        return tuple(changes)
    last = steps[-1]
    if changes and changes[0].before is None:
        changes = (replace(changes[0], before=last.after), *changes[1:])
    if first_seen and first_seen[1] is not None and (not changes or first_seen[0] < changes[0].ts):
        ts, share = first_seen
        if not _shares_equal(last.after, share):
            used += (WeightChange(ts, last.ts, last.after, share, key=f"first_look:{ts}"),)
    return (*used, *changes)


def parse_share(text: str) -> float:
    """The canary's share (0–1) of a percentage ("10", "12.5 %") or of weights, the baseline's first ("90:10"). Raises ValueError."""
    first, separator, second = text.strip().removesuffix("%").partition(":")
    if separator:
        baseline, canary = int(first), int(second)
        if min(baseline, canary) < 0 or baseline + canary == 0:
            raise ValueError("Weights are at least 0, and not both 0.")
        return canary / (baseline + canary)
    share = float(first) / 100
    if not 0 <= share <= 1:
        raise ValueError("A share is between 0 and 100 %.")
    return share


def _shares_equal(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None and isclose(first, second, abs_tol=1e-9)
