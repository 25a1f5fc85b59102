"""The scripts of the charts, which browsers keep forever: their URLs change with their content."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from charts.base.plotlyjs import SCRIPT

_COMPONENTS = Path(__file__).parent / "components"


@dataclass(frozen=True, slots=True)
class Asset:
    url: str
    media_type: str
    content: bytes


def _script(name: str, content: bytes) -> Asset:
    return Asset(f"/assets/{name}-{sha256(content).hexdigest()[:16]}.js", "text/javascript", content)


PLOTLY_JS = _script("plotly", SCRIPT.read_bytes())
OVERLAY_CHART_JS = _script(
    "overlay_chart",
    f'const PLOTLY_URL = "{PLOTLY_JS.url}";\n'.encode()
    + b"\n".join(
        (_COMPONENTS / f"{name}.js").read_bytes()
        for name in ("number_format", "chart_values", "chart_keys", "chart_tools", "overlay_chart")
    ),
)
ASSETS = {asset.url: asset for asset in (PLOTLY_JS, OVERLAY_CHART_JS)}
