"""The spine: submissions, jobs, referrals, emails, provider versions, and an audit trail that only grows."""

import sqlalchemy as sa
from alembic import op

from pipeline.db import UtcDateTime

revision = "0001"
down_revision = None

APPEND_ONLY = ("audit_event", "provider_version")
KEYS = {
    "audit_event": ("id = NEW.id", "submission_id IS NEW.submission_id AND seq = NEW.seq"),
    "provider_version": ("id = NEW.id", "provider_id = NEW.provider_id AND version = NEW.version"),
}


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "postgresql":
        _refuse_changes_on_postgresql()
    else:
        _refuse_changes_on_sqlite()


def _refuse_changes_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege'; "
        "END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_keeps_rows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _refuse_changes_on_sqlite() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {change} refused'); END"
            )
        # REPLACE takes the row in its way out without a DELETE that a trigger would see.
        known = " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {same})" for same in KEYS[table])  # noqa: S608 - our own tables
        op.execute(
            f"CREATE TRIGGER {table}_refuses_replace BEFORE INSERT ON {table} WHEN {known} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: REPLACE refused'); END"
        )


def _create_tables() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "job_id",
            sa.BigInteger(),
            nullable=True,
            comment="No reference: jobs are deleted when done.",
        ),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "details",
            sa.Text(),
            nullable=False,
            comment="RFC 8785 JSON of allow-listed, non-health facts.",
        ),
        sa.Column("health_ciphertext", sa.LargeBinary(), nullable=True),
        sa.Column("health_commitment", sa.LargeBinary(), nullable=True),
        sa.Column("canonical_version", sa.Integer(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index(
        "uq_audit_event_submission_id_seq",
        "audit_event",
        ["submission_id", "seq"],
        unique=True,
    )
    op.create_index(
        "uq_audit_event_system_seq",
        "audit_event",
        ["seq"],
        unique=True,
        postgresql_where=sa.text("submission_id IS NULL"),
        sqlite_where=sa.text("submission_id IS NULL"),
    )
    op.create_table(
        "audit_pending",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_pending")),
    )
    op.create_table(
        "audit_series",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_series")),
    )
    op.create_table(
        "dead_job",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("died_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_job")),
    )
    op.create_index(op.f("ix_dead_job_lane"), "dead_job", ["lane"], unique=False)
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "intake_key",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "key_index",
            sa.LargeBinary(),
            nullable=False,
            comment="Keyed hash: a client's key may say anything.",
        ),
        sa.Column("body_index", sa.LargeBinary(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("source", "kind", "key_index", name=op.f("pk_intake_key")),
    )
    op.create_table(
        "job",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("isolated", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("lane", "target_id", name=op.f("uq_job_lane_target_id")),
        postgresql_with={
            "fillfactor": 50,
            "autovacuum_vacuum_scale_factor": 0,
            "autovacuum_vacuum_threshold": 2000,
        },
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_job_isolated",
        "job",
        ["lane", "id"],
        unique=False,
        postgresql_where=sa.text("isolated"),
        sqlite_where=sa.text("isolated"),
    )
    op.create_index("ix_job_lane_due_at", "job", ["lane", "due_at"], unique=False)
    op.create_table(
        "key_fingerprint",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", name=op.f("pk_key_fingerprint")),
    )
    op.create_table(
        "lane_pause",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_lane_pause")),
    )
    op.create_table(
        "provider_load",
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("open_referrals", sa.Integer(), nullable=False),
        sa.Column(
            "day",
            sa.Text(),
            nullable=False,
            comment="The provider's own calendar day, ISO, that `day_referrals` counts.",
        ),
        sa.Column("day_referrals", sa.Integer(), nullable=False),
        sa.Column(
            "last_offered_at",
            UtcDateTime(),
            nullable=True,
            comment="Ties go to the longest wait.",
        ),
        sa.PrimaryKeyConstraint("provider_id", name=op.f("pk_provider_load")),
    )
    op.create_table(
        "provider_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the document's RFC 8785 form.",
        ),
        sa.Column(
            "document",
            sa.Text(),
            nullable=False,
            comment="The provider's document, RFC 8785 JSON. Empty programs: retired.",
        ),
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.Column("imported_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_version")),
        sa.UniqueConstraint(
            "provider_id",
            "version",
            name=op.f("uq_provider_version_provider_id_version"),
        ),
    )
    op.create_table(
        "recent_request",
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column(
            "held_until",
            UtcDateTime(),
            nullable=False,
            comment="A request received after this is a new one.",
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_recent_request")),
    )
    op.create_table(
        "source_tally",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "outcome", name=op.f("pk_source_tally")),
    )
    op.create_table(
        "submission",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "reference",
            sa.Text(),
            nullable=False,
            comment="Short code a person can read over the phone.",
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_changed_at", UtcDateTime(), nullable=False),
        sa.Column(
            "audit_seq",
            sa.Integer(),
            nullable=False,
            comment="Number of the last audit record about this submission.",
        ),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("screening_version", sa.Text(), nullable=False),
        sa.Column(
            "revision_of",
            sa.Uuid(),
            nullable=True,
            comment="Same vendor id as that one, another body.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission")),
        sa.UniqueConstraint("reference", name=op.f("uq_submission_reference")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "assessment",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column(
            "network_digest",
            sa.Text(),
            nullable=False,
            comment="Which set of provider versions was scored against.",
        ),
        sa.Column("assessed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_assessment_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_assessment")),
    )
    op.create_table(
        "data_key",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_data_key_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_data_key")),
    )
    op.create_table(
        "duplicate",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("duplicate_of", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["duplicate_of"], ["submission.id"], name=op.f("fk_duplicate_duplicate_of")),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_duplicate_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_duplicate")),
    )
    op.create_table(
        "email",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "recipient",
            sa.Text(),
            nullable=False,
            comment="`person` or `provider:<id>`.",
        ),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column(
            "subject_id",
            sa.Uuid(),
            nullable=True,
            comment="The referral or one-time code it is about.",
        ),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=True),
        sa.Column("transport", sa.Text(), nullable=True),
        sa.Column("handed_over_at", UtcDateTime(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_email_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email")),
        sa.UniqueConstraint(
            "submission_id",
            "kind",
            "recipient",
            "cause",
            name=op.f("uq_email_submission_id_kind_recipient_cause"),
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "person_index",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_person_index_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_person_index")),
    )
    op.create_index(
        "ix_person_index_email_received_at",
        "person_index",
        ["email", "received_at"],
        unique=False,
    )
    op.create_index(op.f("ix_person_index_person"), "person_index", ["person"], unique=False)
    op.create_table(
        "provider_match",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("provider_version_id", sa.Uuid(), nullable=False),
        sa.Column("program_id", sa.Text(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_provider_match_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", "rank", name=op.f("pk_provider_match")),
    )
    op.create_table(
        "quarantine",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quarantined_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_quarantine_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_quarantine")),
    )
    op.create_table(
        "referral",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("provider_version_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_referral_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral")),
        sa.UniqueConstraint(
            "submission_id",
            "provider_id",
            name=op.f("uq_referral_submission_id_provider_id"),
        ),
    )
    op.create_index(
        "ix_referral_expires_at",
        "referral",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("expires_at IS NOT NULL"),
        sqlite_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_table(
        "review",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("queued_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_review_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_review")),
    )
    op.create_table(
        "sealed_document",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_sealed_document_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", "part", name=op.f("pk_sealed_document")),
    )
    op.create_table(
        "secure_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("referral_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_secure_link_submission_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secure_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_secure_link_token_hash")),
        postgresql_with={"fillfactor": 90},
    )
    op.create_index(
        op.f("ix_secure_link_submission_id"),
        "secure_link",
        ["submission_id"],
        unique=False,
    )
    op.create_table(
        "one_time_code",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["link_id"], ["secure_link.id"], name=op.f("fk_one_time_code_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
    )
    op.create_index(op.f("ix_one_time_code_link_id"), "one_time_code", ["link_id"], unique=False)
    op.create_table(
        "secure_session",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["secure_link.id"], name=op.f("fk_secure_session_link_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_secure_session")),
    )
