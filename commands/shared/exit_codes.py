"""A command that a pipeline goes by: a mistake in its options must not look like an answer."""

from collections.abc import Callable
from typing import Any

import typer
import typer.core

from commands.judge import COULD_NOT_ASK


class Gate(typer.core.TyperCommand):
    """A command that a pipeline goes by: what is wrong with its options is never taken for a verdict."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        return _asked(super().make_context, *args, **more)

    def invoke(self, *args: Any, **more: Any) -> Any:
        return _asked(super().invoke, *args, **more)


def _asked(do: Callable[..., Any], *args: Any, **more: Any) -> Any:
    try:
        return do(*args, **more)
    except typer.TyperException as error:
        error.exit_code = COULD_NOT_ASK
        raise
