"""Email: each attempt with its content's hash, what providers report, suppression, breakers, reminders."""

import sqlalchemy as sa
from alembic import op

from pipeline.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "email",
        sa.Column(
            "content_hash",
            sa.LargeBinary(),
            nullable=True,
            comment="SHA-256 of the exact bytes last given to a transport.",
        ),
    )
    op.add_column(
        "referral",
        sa.Column(
            "remind_at", UtcDateTime(), nullable=True, comment="Empty once the provider was reminded, or answered."
        ),
    )
    op.create_index(
        "ix_referral_remind_at",
        "referral",
        ["remind_at"],
        postgresql_where=sa.text("remind_at IS NOT NULL"),
        sqlite_where=sa.text("remind_at IS NOT NULL"),
    )
    op.create_table(
        "email_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="A SendOutcome; empty while the call is under way, or lost.",
        ),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["email_id"], ["email.id"], name=op.f("fk_email_attempt_email_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_attempt")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(op.f("ix_email_attempt_email_id"), "email_attempt", ["email_id"])
    op.create_index(op.f("ix_email_attempt_provider_message_id"), "email_attempt", ["provider_message_id"])
    op.create_index("ix_email_attempt_address_index_started_at", "email_attempt", ["address_index", "started_at"])
    op.create_table(
        "mail_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column(
            "event_key", sa.LargeBinary(), nullable=False, comment="SHA-256 of the provider's own id of the event."
        ),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("address_index", sa.LargeBinary(), nullable=True),
        sa.Column("email_id", sa.Uuid(), nullable=True),
        sa.Column("applied_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_event")),
        sa.UniqueConstraint("event_key", name=op.f("uq_mail_event_event_key")),
    )
    op.create_index(op.f("ix_mail_event_email_id"), "mail_event", ["email_id"])
    op.create_table(
        "mail_tally",
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("transport", "event", name=op.f("pk_mail_tally")),
    )
    op.create_table(
        "suppression",
        sa.Column("address_index", sa.LargeBinary(), nullable=False),
        sa.Column("mail_class", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=True, comment="The email that led to it; no reference, it may go."),
        sa.PrimaryKeyConstraint("address_index", "mail_class", "reason", name=op.f("pk_suppression")),
    )
    op.create_table(
        "transport_breaker",
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="closed, or open: then the next drain after `probe_at` tries one email.",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("probe_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("transport", name=op.f("pk_transport_breaker")),
    )
