"""What was answered and what requests had in common, beside the counts of an hour; null in rows from before."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    for name in ("sizes", "traits"):
        op.add_column("log_count", sa.Column(name, sa.LargeBinary))
