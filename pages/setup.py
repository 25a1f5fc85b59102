"""Set up: on a first start without a configuration, the same as `cli.py init` as a form beside the demo."""

from messages import setup as text
from ui import layout
from ui.app_context import get_app_context
from ui.language import fragment
from ui.setup.view import setup_section


def render() -> None:
    app = get_app_context()
    layout.demo_banner(app.migration)
    layout.page_title(app.migration, str(text.TITLE))
    fragment(_content)


def _content() -> None:
    layout.panel_title(str(text.PAGE_TITLE))
    setup_section()
