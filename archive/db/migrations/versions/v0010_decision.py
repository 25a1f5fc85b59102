"""The recorded decisions."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("phase", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_s", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("body", sa.Text, nullable=False),
    )
