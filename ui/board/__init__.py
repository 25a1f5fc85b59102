"""The board of several migrations."""
