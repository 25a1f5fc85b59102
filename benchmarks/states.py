"""Time and memory to read a Terraform state, by its size: `python -m benchmarks.states [MB …]`. Each is read in a process of its own."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sources.aws.client import AwsAccess
from sources.infrastructure.reader import read_infrastructure

SIZES_MB = (1, 10, 50, 99)
RESOURCES_PER_CLUSTER = 200  # of which the others are of types that are not read


def write_state(path: Path, size_mb: int) -> None:
    """A state as Terraform writes it, indented by two spaces, of security groups, databases and a few clusters."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '{\n  "version": 4,\n  "terraform_version": "1.9.8",\n  "serial": 1,\n  "outputs": {},\n  "resources": [\n'
        )
        number = 0
        while file.tell() < size_mb * 1_000_000:
            kind = "aws_ecs_cluster" if number % RESOURCES_PER_CLUSTER == 0 else "aws_db_instance"
            attributes = {
                "name": f"photo-{number}",
                "password": f"secret-{number}",
                "tags": {f"tag{n}": "x" * 40 for n in range(30)},
            }
            item = {"mode": "managed", "type": kind, "name": f"r{number}", "instances": [{"attributes": attributes}]}
            file.write((",\n" if number else "") + json.dumps(item, indent=2))
            number += 1
        file.write('\n  ],\n  "check_results": null\n}\n')


def peak_memory_mb() -> float:
    """Of this process since it began, in MB; of getrusage() it would be that of its parent, if that is larger."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s*(\d+)", status)[0]) * 1024 / 1e6


def measure(path: Path) -> None:
    """Prints seconds, the peak of this process's memory above what it had before, in MB, and the number of hints."""
    before_mb = peak_memory_mb()
    started = time.perf_counter()
    result = read_infrastructure(AwsAccess(), tfstate=[str(path)], environment={})
    seconds = time.perf_counter() - started
    print(f"{seconds:.2f} {peak_memory_mb() - before_mb:.1f} {len(result.hints.clusters)}")


def main(sizes_mb: list[int]) -> None:
    print("| state | time | memory | hints |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size_mb in sizes_mb:
            path = Path(folder, "state")
            write_state(path, size_mb)
            command = [sys.executable, "-m", "benchmarks.states", "--measure", str(path)]
            output = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ)).stdout
            seconds, memory_mb, hints = output.split()
            print(f"| {size_mb} MB | {seconds} s | {memory_mb} MB | {hints} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
    else:
        main([int(text) for text in sys.argv[1:]] or list(SIZES_MB))
