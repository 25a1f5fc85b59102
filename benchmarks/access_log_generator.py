"""Generates access logs as a load balancer writes them: 36 fields, routes of a photo service, some slow, some failed, one route regressed on ECS."""

import argparse
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from isal import igzip

BASELINE = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ec2/73e2d6bc24d8a067"
CANARY = "arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/photo-ecs-blue/0a1b2c3d4e5f6071"
START = datetime(2026, 9, 21, tzinfo=UTC)
INTERVAL_S = 300  # the time that a file of one node covers

# (method, path, percentage, median seconds); {n} a number, {hex} 16 hex digits, {uuid} a UUID
ROUTES = (
    ("GET", "/", 6, 0.030),
    ("GET", "/photos/{n}", 24, 0.045),
    ("GET", "/photos/{n}/comments", 9, 0.060),
    ("POST", "/photos/{n}/comments", 2, 0.090),
    ("GET", "/img/{hex}.jpg", 30, 0.012),
    ("GET", "/users/{n}/albums?page={n}", 8, 0.080),
    ("GET", "/api/v1/items/{uuid}", 7, 0.050),
    ("GET", "/search?q={hex}", 4, 0.150),
    ("GET", "/static/app.css", 6, 0.002),
    ("POST", "/upload", 2, 0.700),
    ("GET", "/feed/2026-09-21/{n}", 1, 0.110),
    ("GET", "/healthz", 1, 0.001),
)
REGRESSED_ROUTE = "/photos/{n}/comments"  # 1.5 times as slow on ECS, with ten times the errors

_BROWSERS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS {a}_{b} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{a}.{b} Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1{a}.0.{c}.{b} Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_{b}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{a}.{b} Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android {a}; SM-S9{c}B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1{a}.0.{c}.{b} Mobile Safari/537.36",
    "okhttp/4.{b}.{a}",
)


def generate_lines(count: int, start: datetime, rng: random.Random) -> Iterator[str]:
    """The lines of one file: of `INTERVAL_S` seconds from `start` on."""
    weights = list(accumulate(route[2] for route in ROUTES))
    routes = rng.choices(ROUTES, cum_weights=weights, k=count)
    pick, bits = rng.random, rng.getrandbits
    agents = [agent.format(a=10 + bits(3), b=bits(3), c=1000 + bits(12)) for agent in _BROWSERS for _ in range(200)]
    for i, (method, path, _percentage, median_s) in enumerate(routes):
        is_canary = pick() < 0.5
        duration_s = median_s * rng.lognormvariate(0, 0.6) * (1.5 if is_canary and path == REGRESSED_ROUTE else 1)
        failed = pick() < (0.02 if is_canary and path == REGRESSED_ROUTE else 0.002)
        unanswered = failed and pick() < 0.2
        status = "504" if unanswered else "500" if failed else "200"
        if status == "200" and path.startswith("/static") and pick() < 0.5:
            status = "304"
        at = start + timedelta(seconds=INTERVAL_S * i / count)
        url = "https://photo.example.com:443" + path.format(
            n=bits(27),
            hex=f"{bits(64):016x}",
            uuid=f"{bits(32):08x}-{bits(16):04x}-4{bits(12):03x}-8{bits(12):03x}-{bits(48):012x}",
        )
        target = f"10.0.{10 + is_canary}.{4 + bits(5)}:8080"
        client = f"{1 + bits(7)}.{bits(8)}.{bits(8)}.{bits(8)}:{1024 + bits(15)}"
        protocol, tls = "h2" if pick() < 0.94 else "https", "TLSv1.3" if pick() < 0.9 else "TLSv1.2"
        answered = "-" if unanswered else status
        yield (
            f"{protocol} {at:%Y-%m-%dT%H:%M:%S.%f}Z app/photo/50dc6c495c0c9188 {client} {target} 0.000 {'-1' if unanswered else f'{duration_s:.3f}'}"
            f" {'-1' if unanswered else '0.000'} {status} {answered} {bits(10)} {bits(16)}"
            f' "{method} {url} HTTP/2.0" "{agents[bits(20) % len(agents)]}" TLS_AES_128_GCM_SHA256 {tls} {CANARY if is_canary else BASELINE}'
            f' "Root=1-{bits(32):08x}-{bits(96):024x}" "photo.example.com"'
            ' "arn:aws:acm:ap-northeast-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"'
            f' 100 {at - timedelta(seconds=duration_s):%Y-%m-%dT%H:%M:%S.%f}Z "forward" "-" "-" "{target}" "{answered}" "-" "-"'
            f' TID_{bits(128):032x} "-" "-" "-" 10.0.1.12 "-" "-"\n'
        )


def write_file(folder: Path, number: int, count: int, nodes: int = 2) -> Path:
    """Writes file `number`; each of `nodes` load balancer nodes has one for every interval."""
    start = START + timedelta(seconds=INTERVAL_S * (number // nodes))
    end = start + timedelta(seconds=INTERVAL_S)
    node = f"10.0.1.{10 + number % nodes}"
    name = f"123456789012_elasticloadbalancing_ap-northeast-1_app.photo.50dc6c495c0c9188_{end:%Y%m%dT%H%MZ}_{node}_{number:08x}.log.gz"
    path = folder / name
    with igzip.open(path, "wb", compresslevel=3) as file:
        file.write("".join(generate_lines(count, start, random.Random(number))).encode())
    return path


def generate_files(folder: Path, count: int, files: int) -> list[Path]:
    """Writes `count` lines into `files` gz files of equal length; deterministic."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as processes:
        return list(processes.map(write_file, [folder] * files, range(files), [count // files] * files))


def main() -> None:
    """Writes log files for inspection."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10)
    options = parser.parse_args()
    for path in generate_files(options.folder, options.lines, options.files):
        print(path)


if __name__ == "__main__":
    main()
