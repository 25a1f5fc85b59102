"""Random and hostile URLs of every page, one after the other, against the server of the demo."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.parse import quote

from benchmarks.limits.figure import Figure
from benchmarks.limits.server_memory import cpu_s, peak_memory_mb, wait_until_idle
from benchmarks.live import log_progress
from benchmarks.viewers import view_page
from tests.factories.dashboard_server import DashboardServer, run_dashboard

MAX_S, MAX_MORE_MB = 3.0, 100.0
PAGES = ("", "parity", "endpoints", "batches", "retrospective")
CHOICES = {
    "window": ("30m", "24h", "phase", "60d", "5y"),
    "source": ("demo", "cloudwatch"),
    "percentile": ("p50", "p99", "p42"),
    "refresh": ("off", "5s"),
    "kiosk": ("1",),
    "slow": ("100ms", "7s"),
    "events": ("none", "weight,alert"),
    "phase": ("1", "²", "1790000000"),
    "criterion": ("latency_p95", "error_rate"),
    "method": ("GET", "BREW"),
    "host": ("photo.example.com",),
    "status": ("2xx", "5xx", "9xx"),
    "route": ("/", "/photos/:id", "/none"),
    "page": ("2", "-1", "999999"),
    "map": ("p95", "errors"),
    "job": ("thumbnails", "none"),
}
HOSTILE = (
    "",
    "nan",
    "1e999",
    "9" * 5000,
    "<script>alert(1)</script>",
    "a\0b",
    "\ufffe",
    "x" * 20_000,
    "../../etc/passwd",
)


@dataclass(frozen=True, slots=True)
class _Visit:
    """`cpu_s`: of the server meanwhile, its polls included; `more_mb`: by how much it raised the server's peak."""

    url: str
    duration_s: float
    cpu_s: float
    more_mb: float
    problem: str


def measure(urls: int, limit_s: float) -> list[Figure]:
    """The slowest of `urls` URLs, the one that took most memory, and those that gave no page; ends after `limit_s`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dashboard(Path(folder), {"MIGRATION_DEMO": "1"}) as server,
    ):
        log_progress("filling the archive of the demo")
        wait_until_idle(server)
        for page in PAGES:  # imports
            asyncio.run(view_page(server.url, page))
        log_progress(f"visiting {urls} URLs")
        visits = list(_visits(server, urls, time.monotonic() + limit_s))
    slowest = max(visits, key=lambda visit: visit.duration_s)
    largest = max(visits, key=lambda visit: visit.more_mb)
    failed = [visit for visit in visits if visit.problem]
    for visit in (slowest, largest, *failed[:10]):
        log_progress(f"{visit.duration_s:.1f} s, {visit.more_mb:.0f} MB {visit.problem} {visit.url[:200]}")
    p50 = median(visit.duration_s for visit in visits)
    most_cpu_s = max(visit.cpu_s for visit in visits)
    subject = f"{len(visits):,} random URLs"
    return [
        Figure("random URLs visited", f"{urls:,}", f"{len(visits):,}", len(visits) == urls),
        Figure(
            f"{subject}: the slowest",
            f"≤ {MAX_S:g} s",
            f"{slowest.duration_s:.2f} s ({slowest.cpu_s:.1f} s of CPU; p50 {p50:.2f}; most CPU {most_cpu_s:.1f})",
            slowest.duration_s <= MAX_S,
        ),
        Figure(
            f"{subject}: most memory for one",
            f"≤ {MAX_MORE_MB:.0f} MB",
            f"{largest.more_mb:.0f} MB",
            largest.more_mb <= MAX_MORE_MB,
        ),
        Figure(f"{subject}: without a page", "0", f"{len(failed)}", not failed),
    ]


def random_queries(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Pages with query strings, without end."""
    while True:
        names = rng.sample(list(CHOICES), rng.randint(0, 5)) + rng.choice(([], ["from", "to"], ["from", "to"], ["to"]))
        pairs = [(name, _value(rng, name)) for name in names]
        pairs += rng.sample(pairs, min(len(pairs), rng.randint(0, 1)))  # a repeated key
        yield rng.choice(PAGES), "&".join(f"{name}={quote(value)}" for name, value in pairs)


def _value(rng: random.Random, name: str) -> str:
    if rng.random() < 0.2:
        return rng.choice(HOSTILE)
    if name in CHOICES:
        return rng.choice(CHOICES[name])
    if rng.random() < 0.2:
        return rng.choice(("2000-01-01T00:00Z", "2010-01-02T00:00Z", "2099-12-30T00:00Z", "9999-12-31T23:59Z"))
    return f"{datetime.now(UTC) - timedelta(minutes=rng.expovariate(1 / 3000)):%Y-%m-%dT%H:%MZ}"


def _visits(server: DashboardServer, urls: int, until: float) -> Iterator[_Visit]:
    queries, before_mb = random_queries(random.Random(1)), peak_memory_mb(server)
    for _ in range(urls):
        if time.monotonic() > until:
            return
        page, query = next(queries)
        start, cpu_before_s = time.monotonic(), cpu_s(server)
        try:
            view = asyncio.run(view_page(server.url, page, query, timeout_s=60))
            problem = "; ".join(view.exceptions) or ("" if view.has_title else "no title")
        except (TimeoutError, OSError) as error:
            problem = repr(error)
        duration_s, peak_mb = time.monotonic() - start, peak_memory_mb(server)
        yield _Visit(f"/{page}?{query}", duration_s, cpu_s(server) - cpu_before_s, peak_mb - before_mb, problem)
        before_mb = peak_mb
