"""The outbox of notifications, and what was announced last."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "announced",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("since_s", sa.BigInteger, nullable=False),
        sa.Column("candidate_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "notification",
        sa.Column("migration_id", sa.Integer, sa.ForeignKey("migration.id"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("problems", sa.Text, nullable=False),
        sa.Column("claim_owner", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("claimed_until", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
    )
    op.create_index("ix_notification_open", "notification", ["migration_id", "channel", "done_at"])
