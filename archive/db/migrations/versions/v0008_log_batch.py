"""Which access-log files were counted together, so that an import knows whose counts they are."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for table in ("log_file", "log_count"):
        op.add_column(table, sa.Column("batch", sa.Text, nullable=False, server_default=""))
