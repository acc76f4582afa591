"""Fair claims: a job knows its source, and the oldest due job of each source is found by one index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "Of the submission; empty for work about none."
    op.add_column("job", sa.Column("source", sa.Text(), nullable=False, server_default=sa.text("''"), comment=comment))
    # Waiting jobs of a backlog at the upgrade are shared out too.
    op.execute(
        "UPDATE job SET source = coalesce((SELECT source FROM submission WHERE submission.id = job.submission_id), '')"
    )
    op.drop_index("ix_job_lane_due_at", "job")
    op.create_index("ix_job_lane_source_due_at", "job", ["lane", "source", "due_at"])
