"""A command that a pipeline goes by: a mistake in its options must not look like an answer."""

from collections.abc import Callable
from typing import Any

import typer
import typer.core

from commands.judge import EXIT_UNAVAILABLE


class GateCommand(typer.core.TyperCommand):
    """A command that a pipeline goes by: what is wrong with its options is never taken for a verdict."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return _with_exit_code(super().make_context, *args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        return _with_exit_code(super().invoke, *args, **kwargs)


def _with_exit_code(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return call(*args, **kwargs)
    except typer.TyperException as error:
        error.exit_code = EXIT_UNAVAILABLE
        raise
