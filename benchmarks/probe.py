"""Probes of a site against itself: how often do they name a difference that is none? `python -m benchmarks.probe --help`."""

from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table

from domain import Rule, Traffic
from domain.conditions import Condition
from domain.config.probe import Probe
from domain.traffic import Share
from services.probe import plan_probe, run_probe
from sources.probe import ProbeClient
from tests.fakes.probed_site import CANARY_HEADER, ProbedSite

PATHS = ("/html", "/json", "/image", "/away", "/charset")
MIN_SAME = 0.99


def rules(port: int) -> Traffic:
    """All weight on the baseline, and a header rule to the canary."""
    conditions = (Condition("http-header", CANARY_HEADER, ("ecs",)),)
    shares = [Share(f"arn:{fleet}", fleet, fleet, 1) for fleet in ("baseline", "canary")]  # type: ignore[arg-type]
    header_rule = Rule("header rule", "arn:listener", f"HTTP:{port}", "1", "forward", conditions, (shares[1],), None)
    split = Rule("split", "arn:listener", f"HTTP:{port}", "default", "forward", (), (shares[0],), None)
    return Traffic(0, (header_rule, split), (), "split")


def main(
    probes: Annotated[int, typer.Option(help="Probes of each page.")] = 200,
    requests: Annotated[int, typer.Option(help="Requests to each fleet, of one probe.")] = 5,
) -> None:
    """Probes pages with times, ids and tokens on a loopback server, first of equal fleets, then of fleets that differ. Without pauses.

    Exits with 1 if less than 99 % of the probes of equal fleets name no difference, or a difference of fleets that differ is not named.
    """
    table = Table("page", "equal fleets: no difference", "fleets that differ: named")
    same = named = 0
    with ProbedSite() as site:
        traffic = rules(urlsplit(site.url).port or 0)
        for path in PATHS:
            plan = plan_probe(
                Probe(path=path, requests=requests), traffic, "localhost", lambda _: frozenset(("127.0.0.1",))
            )
            counts = []
            for site.canary_differs, state in ((False, "same"), (True, "different")):
                results = (run_probe(plan, ProbeClient(sleep=lambda _: None), now=0) for _ in range(probes))
                counts.append(sum(result.state == state for result in results))
            same, named = same + counts[0], named + counts[1]
            table.add_row(path, *(f"{count} of {probes}" for count in counts))
    total = probes * len(PATHS)
    Console().print(table)
    print(f"no difference in {same / total:.2%} of equal fleets, a difference in {named / total:.2%} of the others")
    raise typer.Exit(int(same < MIN_SAME * total or named < total))


if __name__ == "__main__":
    typer.run(main)
