"""What each source knows of a change of the split, and which time was asked of sources that keep a history.

Changes that were kept as events with nothing but a title are told again, from the snapshots that they were found in.
"""

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from domain import Traffic
from domain.traffic import detect_weight_change, traffic_from_json
from domain.weight_changes import change_to_json

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "split_change",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("ts", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
    )
    op.create_table(
        "heard",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_s", sa.BigInteger, nullable=False),
    )
    _tell_again(op.get_bind())


def _tell_again(connection: sa.Connection) -> None:
    looks = sa.text("SELECT migration_id, first_seen, last_seen, body FROM snapshot ORDER BY migration_id, id")
    found = []
    last: tuple[int, Traffic] | None = None
    for row in connection.execute(looks):
        now = traffic_from_json(row.body)
        change = (
            last
            and last[0] == row.migration_id
            and detect_weight_change(last[1], replace(now, asked_at=row.first_seen))
        )
        if change:
            line = {"migration_id": row.migration_id, "source": change.sources[0], "key": change.key, "ts": change.ts}
            found.append({**line, "body": change_to_json(change), "raw": ""})
        last = row.migration_id, replace(now, asked_at=row.last_seen)
    if found:
        op.bulk_insert(sa.table("split_change", *map(sa.column, found[0])), found)
    connection.execute(sa.text("DELETE FROM event WHERE kind = 'weight'"))
