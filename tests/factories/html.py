"""HTML as a parser sees it, for tests of what a page contains."""

from html.parser import HTMLParser

EVIL = "<x-evil onclick='alert(1)'>**bold** & [link](javascript:alert(2))</x-evil>"


class ParsedHtml(HTMLParser):
    """The elements of a piece of HTML, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data
