"""Ten-minute rollups of the existing points, for long windows."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "cell",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True, autoincrement=False),
        sa.Column("ts", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("low", sa.Double, nullable=False),
        sa.Column("high", sa.Double, nullable=False),
        sa.Column("periods", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # The median: the middle one of n sorted values, or the mean of the middle two.
    op.execute("""
        INSERT INTO cell (series_id, ts, period_s, value, low, high, periods)
        SELECT series_id, start_s, period_s,
               CASE WHEN stat IN ('sum', 'sample_count') THEN SUM(value)
                    ELSE AVG(CASE WHEN position IN ((n + 1) / 2, (n + 2) / 2) THEN value END) END,
               MIN(value), MAX(value), n
        FROM (SELECT series_id, ts - ts % 600 AS start_s, period_s, value, stat,
                     ROW_NUMBER() OVER (PARTITION BY series_id, ts - ts % 600, period_s ORDER BY value) AS position,
                     COUNT(*) OVER (PARTITION BY series_id, ts - ts % 600, period_s) AS n
              FROM point JOIN series ON series.id = point.series_id) AS ranked
        GROUP BY series_id, start_s, period_s, stat, n
    """)
