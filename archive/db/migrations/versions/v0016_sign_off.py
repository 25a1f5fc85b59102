"""The ledger of sign-offs, and since when the margins are what they are."""

import sqlalchemy as sa
from alembic import op

from archive.db.append_only import make_append_only

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "sign_off",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    make_append_only(op.get_bind(), "sign_off")
    op.create_table(
        "margin_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_margin_history_migration_id", "margin_history", ["migration_id"])
