"""The served plotly.js has the version of the installed plotly."""

import gzip
from pathlib import Path

import plotly

from charts.base.plotlyjs import SCRIPT, plotly_js, plotly_version


def test_it_is_the_version_of_the_installed_plotly() -> None:
    installed = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert plotly_js()[0] == plotly_version(installed.read_bytes()[:200])


def test_the_compressed_script_is_unchanged() -> None:
    assert gzip.decompress(plotly_js()[1]) == SCRIPT.read_bytes()
