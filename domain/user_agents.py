"""The family of a user agent: "Chrome", "okhttp", "Googlebot". Versions and systems, which would identify a person, are left out."""

import re

NO_AGENT = ""
MAX_FAMILY_CHARS = 40
_BOT = re.compile(r"(?i)[a-z-]*(?:bot|crawler|spider)\b")
# The first that matches: browsers also name those that they are compatible with.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"\bOPR/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|CriOS)/")),
    ("Safari", re.compile(r"\bVersion/\S+ .*Safari/")),
)


def agent_family(agent: str) -> str:
    """The bot or browser, else the first product without its version; NO_AGENT for "-" and for none."""
    if agent in ("", "-"):
        return NO_AGENT
    if bot := _BOT.search(agent):
        return bot[0][:MAX_FAMILY_CHARS]
    browser = next((name for name, pattern in _BROWSERS if pattern.search(agent)), None)
    return browser or re.split(r"[/\s]", agent.strip(), maxsplit=1)[0][:MAX_FAMILY_CHARS]
