"""Reads the `context` of a judgement.json, so that data.csv can be judged again alike."""

import json
from datetime import datetime
from math import nan

from analysis.parity.confidence_sequences import Scatter
from analysis.parity.context import JudgeContext
from domain import Window


def read_context_json(text: str) -> JudgeContext:
    """The context in the text of a judgement.json. Raises ValueError if there is none."""
    try:
        given = json.loads(text)["context"]
        return JudgeContext(
            tuple(
                (_epoch_s(step["since"]), nan if step["share"] is None else float(step["share"]))
                for step in given["configured"]
            ),
            tuple(Window(_epoch_s(part["from"]), _epoch_s(part["to"])) for part in given["warm_up"]),
            bool(given["counts_503"]),
            {
                metric: Scatter(**{name: float(value) for name, value in known.items()})
                for metric, known in given["scatter"].items()
            },
            (float(given["usual"]["errors"]), float(given["usual"]["requests"])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _epoch_s(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
