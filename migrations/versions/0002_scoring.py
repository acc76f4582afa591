"""Scoring: the network's revision, what an assessment was judged by, and weekly and monthly counts of referrals."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from pipeline.db import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_revision",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_revision")),
    )
    op.execute("INSERT INTO network_revision (id, revision) VALUES (1, 0)")
    _add("provider_version", "revision", sa.Integer(), "0", "The network's revision that brought it.")
    _add("provider_load", "week", sa.Text(), sa.text("''"), "Its own ISO week, 2026-W47, likewise.")
    _add("provider_load", "week_referrals", sa.Integer(), "0")
    _add("provider_load", "month", sa.Text(), sa.text("''"), "Its own calendar month, 2026-11, likewise.")
    _add("provider_load", "month_referrals", sa.Integer(), "0")
    op.add_column("assessment", sa.Column("network_revision", sa.Integer(), nullable=True))
    op.add_column(
        "assessment",
        sa.Column("judged_at", UtcDateTime(), nullable=True, comment="The time that scoring took for now."),
    )


def _add(
    table: str, name: str, kind: sa.types.TypeEngine[Any], default: str | sa.TextClause, comment: str | None = None
) -> None:
    """A column that older rows, and workers of the version before, fill with `default`."""
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default, comment=comment))
