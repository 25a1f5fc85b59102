"""The plotly.js bundle that the pages load: the basic one, with lines, markers and bars (charts/vendor/README.md)."""

import re
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "vendor" / "plotly-basic.min.js"


def plotly_version(script: bytes) -> str:
    """The version in the first lines of a plotly.js bundle."""
    version = re.search(rb"plotly\.js .*?v(\d+\.\d+\.\d+)", script[:200])
    assert version, "This is no plotly.js."
    return version[1].decode()
