"""Removes an empty text of earlier versions from the deployments' states: `waits` took its place. An unchanged state adds no row."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute("""UPDATE deployment_state SET body = replace(body, ',"waits_for":""', '')""")
