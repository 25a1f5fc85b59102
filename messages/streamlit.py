"""Texts of Streamlit's own controls, which it has in English alone; ui/components/page_language.js replaces them."""

from messages.i18n import ENGLISH, _, current_language


def streamlit_texts() -> dict[str, str]:
    """Streamlit's texts, letter by letter, with {what} for what changes, and their translations; nothing for English."""
    if current_language() == ENGLISH:
        return {}
    return {
        "App pages": _("App pages"),
        "Skip to main content": _("Skip to main content"),
        "Main menu": _("Main menu"),
        "Help for {what}": _("Help for {what}"),
        "Open": _("Open"),
        "Clear all": _("Clear all"),
        "Choose an option": _("Choose an option"),
        "Choose options": _("Choose options"),
        "No results": _("No results"),
        "Press Enter to apply": _("Press Enter to apply"),
        "Press Enter to submit form": _("Press Enter to submit form"),
        "Copy to clipboard": _("Copy to clipboard"),
        "Copied": _("Copied"),
        "Copied!": _("Copied!"),
        "Close": _("Close"),
        "Choose date": _("Choose date"),
        "year, {what}": _("year, {what}"),
        "month, {what}": _("month, {what}"),
        "day, {what}": _("day, {what}"),
        "progress": _("progress"),
        "Running...": _("Running..."),
        "Stop": _("Stop"),
        "Connecting": _("Connecting"),
        "Please wait...": _("Please wait..."),
        "Connection error": _("Connection error"),
        "Is Streamlit still running? If you accidentally stopped Streamlit, just restart it in your terminal:": _(
            "Is Streamlit still running? If you accidentally stopped Streamlit, just restart it in your terminal:"
        ),
        "Network issue": _("Network issue"),
        "Page not found": _("Page not found"),
        "You have requested page /{what}": _("You have requested page /{what}"),
    }
