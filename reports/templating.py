"""Jinja2 templates of the reports, and the partials that they share with the pages. All values are escaped."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

import messages


class _JoinLines(Extension):
    """Removes line breaks and indentation from a partial, because whitespace between inline elements is visible."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"\n\s*", "", source) if name and name.startswith("partials/") else source


environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
    extensions=[_JoinLines],
)
for module in walk_packages(messages.__path__, "messages."):
    import_module(module.name)
environment.globals["messages"] = messages


def render(macro: str, /, **values: object) -> Markup:
    """Calls a macro of templates/partials/, named "partial.macro". Raises TypeError for an unknown value."""
    partial, name = macro.split(".")
    return Markup(getattr(environment.get_template(f"partials/{partial}.html.j2").module, name)(**values))
