"""Rows that a dead worker left behind know with whom they are worked on again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Those left behind before have none, and are each worked on alone.
    comment = "Shared by isolated rows that are worked on together."
    op.add_column("job", sa.Column("suspicion", sa.Uuid(), nullable=True, comment=comment))
