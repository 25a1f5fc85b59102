"""How we say it: every text that a user reads, and how numbers and times are written. Pure; the language comes from messages.i18n."""
