"""File names and times that both reports share."""

from datetime import UTC, datetime

from domain import Migration


def slug(name: str) -> str:
    """`name` in ASCII letters and digits, joined by hyphens, at most 60 characters."""
    letters = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    return "-".join(letters.split())[:60] or "migration"


def local_minute(migration: Migration, epoch_s: int) -> str:
    """ "2026-11-24 05:00", in the zone of the migration."""
    return f"{datetime.fromtimestamp(epoch_s, migration.zone):%Y-%m-%d %H:%M}"


def creation_time(migration: Migration, at: datetime) -> str:
    """ "2026-11-24 05:00:00 Asia/Tokyo (20:00:00 UTC)"."""
    return f"{at.astimezone(migration.zone):%Y-%m-%d %H:%M:%S} {migration.timezone} ({at.astimezone(UTC):%H:%M:%S} UTC)"
