"""The plotly.js that draws our figures: its basic bundle, which knows the lines, markers and bars we use (charts/vendor/README.md)."""

import gzip
import re
from functools import cache
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "vendor" / "plotly-basic.min.js"


@cache
def plotly_js() -> tuple[str, bytes]:
    """Its version, and the script compressed with gzip once for all readers (1.2 MB become 0.4 MB)."""
    script = SCRIPT.read_bytes()
    return plotly_version(script), gzip.compress(script)


def plotly_version(script: bytes) -> str:
    """The version that a plotly.js names in its first lines."""
    found = re.search(rb"plotly\.js .*?v(\d+\.\d+\.\d+)", script[:200])
    assert found, "This is no plotly.js."
    return found[1].decode()
