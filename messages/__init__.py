"""All texts that a user reads, and the formatting of numbers and times. Pure; messages.i18n selects the language."""
