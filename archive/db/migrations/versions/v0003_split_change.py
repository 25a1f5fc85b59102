"""Changes of the split by source, and the time for which event sources were fetched.

Changes that were stored as events with a title only are derived again from the snapshots that showed them.
"""

import json
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from alembic import op

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
    _derive_changes(op.get_bind())


def _derive_changes(connection: sa.Connection) -> None:
    query = sa.text("SELECT migration_id, first_seen, last_seen, body FROM snapshot ORDER BY migration_id, id")
    rows = []
    last: tuple[int, int, dict[str, Fraction]] | None = None
    for snapshot in connection.execute(query):
        traffic = json.loads(snapshot.body)
        rule = next((rule for rule in traffic["rules"] if rule["arn"] == traffic["split_arn"]), None)
        shares = _configured_shares(rule)
        if last and last[0] == snapshot.migration_id and rule and shares and shares != last[2]:
            change = {
                "ts": snapshot.first_seen,
                "since": last[1],
                "before": float(last[2]["canary"]) if last[2] else None,
                "after": float(shares["canary"]),
                "rule": rule["listener_arn"] if rule["priority"] == "default" else rule["arn"],
                "operation": "",
                "who": "",
                "how": "unknown",
                "sources": ["load_balancer"],
                "key": f"{snapshot.first_seen}:{traffic['split_arn']}",
                "told": True,
                "about": "",
                "raw": "",
            }
            row = {name: change[name] for name in ("key", "ts")}
            body = json.dumps(change, ensure_ascii=False, separators=(",", ":"))
            rows.append(
                {"migration_id": snapshot.migration_id, "source": "load_balancer", **row, "body": body, "raw": ""}
            )
        last = snapshot.migration_id, snapshot.last_seen, shares
    if rows:
        op.bulk_insert(sa.table("split_change", *map(sa.column, rows[0])), rows)
    connection.execute(sa.text("DELETE FROM event WHERE kind = 'weight'"))


def _configured_shares(rule: dict[str, Any] | None) -> dict[str, Fraction]:
    shares = rule["shares"] if rule else []
    total = sum(share["weight"] for share in shares)
    if not total:
        return {}
    return {
        fleet: Fraction(sum(share["weight"] for share in shares if share["fleet"] == fleet), total)
        for fleet in ("baseline", "canary")
    }
