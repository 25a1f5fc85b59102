"""How the split came to be what it is: each change of the weights, by whom and how, as one or several sources learnt of it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import isclose
from typing import Literal

from pydantic import TypeAdapter

CHANGE_CLOCK_SKEW_S = 60  # the clocks of two sources that tell of one change may differ by so much

# console, cli, program: a person's hands, or a script's; terraform, cloudformation: what was written down before; deployment: CodeDeploy or ECS.
ChangeTool = Literal["console", "cli", "program", "terraform", "cloudformation", "deployment", "unknown"]


@dataclass(frozen=True, slots=True)
class WeightChange:
    """One change of what a rule tells the load balancer, at `ts` (epoch seconds); it may have held since `since`, where only looks before and after are known.

    `before` and `after` are the canary's share (0–1), None where nobody knows it or the rule is gone. `told`: the change is about weights; it is not where
    conditions or priorities alone were changed. `rule` is the rule's ARN, or the listener's for its default action; `about` is what the rule says now.
    `who` is somebody's name, "" where nobody told it. `sources` are all that know of it. `raw` is what the source said, word for word.
    """

    ts: int
    since: int
    before: float | None
    after: float | None
    rule: str = ""
    operation: str = ""  # "ModifyRule", …; "" where the rules were only looked at
    author: str = ""
    tool: ChangeTool = "unknown"
    sources: tuple[str, ...] = ()
    key: str = ""
    affects_weights: bool = True
    about: str = ""
    raw: str = field(default="", compare=False, repr=False)

    @property
    def logged(self) -> bool:
        """Whether somebody wrote it down as it happened, so that its second and its author are known."""
        return bool(self.operation)

    @property
    def title(self) -> str:
        """As in "10.0% → 25.0%"; "?" for what nobody knows."""
        return " → ".join("?" if share is None else f"{share:.1%}" for share in (self.before, self.after))


ObservedShare = tuple[int, float | None]  # the canary's share that was told at a time


def merge_weight_changes(
    observed: Iterable[WeightChange], rules: Collection[str] = (), initial: ObservedShare | None = None
) -> tuple[WeightChange, ...]:
    """What really happened to the split, in order: one change for all that was observed of it, each with the share before it.

    `rules` are the ARNs that the split is known by; where none is, the rules that were told a share for both sides count. A look tells between which
    two moments a change fell, and both shares; a log tells the second, the author and the new share. What was told without changing anything is left
    out. `first` is what the first look found.
    """
    every = [change for change in observed if change.affects_weights]
    rules = rules or {change.rule for change in every if change.after is not None and 0 < change.after < 1}
    ours = sorted((change for change in every if change.rule in rules), key=lambda one: (one.ts, one.key))
    found = [change for change in ours if change.logged]
    facts: list[ObservedShare] = [initial] if initial else []
    for look in (change for change in ours if not change.logged):
        same = _find_logged(look, found)
        if same:
            found[found.index(same)] = replace(same, sources=(*same.sources, *look.sources))
        else:
            found.append(look)
        facts.append((min(look.since, same.ts - 1 if same else look.since), look.before))
    return tuple(_chain(found, facts))


def _find_logged(observed: WeightChange, candidates: Iterable[WeightChange]) -> WeightChange | None:
    """The logged change that a look found: to the same share, inside its two moments or as near as clocks allow; of several the nearest, then the last."""
    near = [
        (distance_s, -one.ts, one)
        for one in candidates
        if one.logged
        and _shares_equal(one.after, observed.after)
        and not set(observed.sources) & set(one.sources)
        and (distance_s := max(observed.since - one.ts, one.ts - observed.ts, 0)) <= CHANGE_CLOCK_SKEW_S
    ]
    return min(near, key=lambda one: one[:2])[2] if near else None


def _chain(changes: Iterable[WeightChange], observations: Iterable[ObservedShare]) -> Iterator[WeightChange]:
    """The changes in order, each from the share that held before it, as far as anything tells; those after which it is what it was are none."""
    line: list[tuple[int, int, str, float | None, WeightChange | None]] = [
        *((at, 0, "", share, None) for at, share in observations),
        *((change.ts, 1, change.key, change.after, change) for change in changes),
    ]
    before: float | None = None
    changed_at: int | None = None
    for at, _, _, share, change in sorted(line, key=lambda one: one[:3]):
        if change is None:
            # Right after a change a look may still tell the old share, by its own clock.
            before = before if changed_at is not None and at - changed_at <= CHANGE_CLOCK_SKEW_S else share
            continue
        if change.logged and before is not None:
            change = replace(change, before=before)
        if not _shares_equal(change.before, change.after):
            yield change
        before, changed_at = share, at


def _shares_equal(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None and isclose(first, second, abs_tol=1e-9)


_CHANGE = TypeAdapter(WeightChange)


def change_to_json(change: WeightChange) -> str:
    """As the archive keeps it, without what the source said word for word."""
    return _CHANGE.dump_json(replace(change, raw="")).decode()


def change_from_json(text: str) -> WeightChange:
    """What `change_to_json` wrote. Raises ValueError where it did not."""
    return _CHANGE.validate_json(text)
