"""The served plotly.js has the version of the installed plotly."""

from pathlib import Path

import plotly

from charts.base.plotlyjs import SCRIPT, plotly_version


def test_it_is_the_version_of_the_installed_plotly() -> None:
    installed = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    assert plotly_version(SCRIPT.read_bytes()) == plotly_version(installed.read_bytes()[:200])
