"""Streamlit with the program's clock running ACCELERATED times as fast from ACCELERATED_SINCE (epoch seconds) on: `python -m … run dashboard.py`.

The time between polls is divided by the same factor. Durations within a poll or a refresh, and the ages at which Streamlit drops cached results,
are real time.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import domain
from domain import Clock


def accelerated_clock(since: float, factor: float) -> Clock:
    return lambda: datetime.fromtimestamp(since + (time.time() - since) * factor, UTC)


def main() -> None:
    factor = float(os.environ["ACCELERATED"])
    # Before anything else of the program is imported, because modules import the function.
    domain.utc_now = domain.window.utc_now = accelerated_clock(float(os.environ["ACCELERATED_SINCE"]), factor)
    from streamlit.web import cli

    from collector import polling

    run: Callable[[polling.PollTask, str], float] = polling.PollTask.run
    polling.PollTask.run = lambda task, migration: run(task, migration) / factor  # type: ignore[method-assign]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
