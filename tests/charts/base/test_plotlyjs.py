"""The plotly.js we serve is of the version that our figures are written for."""

import gzip
from pathlib import Path

import plotly

from charts.base.plotlyjs import SCRIPT, plotly_js, plotly_version


def test_it_is_the_version_that_the_installed_plotly_brings() -> None:
    brought = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert plotly_js()[0] == plotly_version(brought.read_bytes()[:200])


def test_it_is_served_as_it_was_published() -> None:
    assert gzip.decompress(plotly_js()[1]) == SCRIPT.read_bytes()
