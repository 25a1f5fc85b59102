"""The plotly.js bundle that the pages load: the basic one, with lines, markers and bars (charts/vendor/README.md)."""

import gzip
import re
from functools import cache
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "vendor" / "plotly-basic.min.js"


@cache
def plotly_js() -> tuple[str, bytes]:
    """Its version, and the script, compressed once with gzip (1.2 MB become 0.4 MB)."""
    script = SCRIPT.read_bytes()
    return plotly_version(script), gzip.compress(script)


def plotly_version(script: bytes) -> str:
    """The version in the first lines of a plotly.js bundle."""
    version = re.search(rb"plotly\.js .*?v(\d+\.\d+\.\d+)", script[:200])
    assert version, "This is no plotly.js."
    return version[1].decode()
