"""Evidence: the Merkle log behind the audit record, the consent ledger, legal holds, erasures, archives, sign-offs."""

import sqlalchemy as sa
from alembic import op

from pipeline.db import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ONLY_GROW = {
    "audit_checkpoint": "log = NEW.log AND size = NEW.size",
    "audit_archive": "log = NEW.log AND first_leaf = NEW.first_leaf",
    "activity_review": "id = NEW.id",
    "consent_entry": "id = NEW.id",
    "erasure": "submission_id = NEW.submission_id",
}
"""Tables of which no row changes or goes, and what makes two rows the same one."""

_TILE_GROWS = (
    "NEW.log = OLD.log AND NEW.level = OLD.level AND NEW.tile_index = OLD.tile_index AND length(OLD.hashes) < 8192 "
    "AND length(NEW.hashes) <= 8192 AND {start}(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes AND "
    "(OLD.event_ids IS NULL OR {start}(NEW.event_ids, 1, length(OLD.event_ids)) = OLD.event_ids)"
)
_LOG_GROWS = (
    "NEW.number = OLD.number AND NEW.origin = OLD.origin AND NEW.opened_at = OLD.opened_at AND NEW.size >= OLD.size"
)


def upgrade() -> None:
    _create_tables()
    _create_privacy_tables()
    op.add_column("audit_pending", sa.Column("refused", sa.Text(), nullable=True))
    op.create_index(
        "ix_audit_pending_waiting",
        "audit_pending",
        ["event_id"],
        postgresql_where=sa.text("refused IS NULL"),
        sqlite_where=sa.text("refused IS NULL"),
    )
    op.create_index(
        "ix_audit_event_exhausted_for",
        "audit_event",
        ["submission_id", "seq"],
        postgresql_where=sa.text("action = 'referral:exhausted' AND reason IS NOT NULL"),
        sqlite_where=sa.text("action = 'referral:exhausted' AND reason IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _keep_on_postgresql()
    else:
        _keep_on_sqlite()


def _keep_on_postgresql() -> None:
    op.execute("ALTER TABLE audit_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)")
    for table in ONLY_GROW:
        _refuse_on_postgresql(table, "UPDATE OR DELETE")
    _refuse_on_postgresql("audit_tile", "DELETE")
    _refuse_on_postgresql("audit_log", "DELETE")
    for table, grows in (("audit_tile", _TILE_GROWS.format(start="substring")), ("audit_log", _LOG_GROWS)):
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE ON {table} "
            f"FOR EACH ROW WHEN (NOT ({grows})) EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION refuse_unless_archived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT 1 FROM audit_archive WHERE OLD.occurred_at < before) THEN RETURN OLD; END IF; "
        "RAISE EXCEPTION '% is append-only: DELETE of a record that is not archived refused', TG_TABLE_NAME "
        "USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    op.execute("DROP TRIGGER audit_event_keeps_rows ON audit_event")
    op.execute(
        "CREATE TRIGGER audit_event_keeps_rows BEFORE UPDATE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_keeps_unarchived BEFORE DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION refuse_unless_archived()"
    )


def _refuse_on_postgresql(table: str, changes: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_keeps_rows BEFORE {changes} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _keep_on_sqlite() -> None:
    for table, same in ONLY_GROW.items():
        for change in ("UPDATE", "DELETE"):
            _refuse_on_sqlite(table, f"refuses_{change.lower()}", f"BEFORE {change}", change)
        # REPLACE takes the row in its way out without a DELETE that a trigger would see.
        known = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - our own tables
        _refuse_on_sqlite(table, "refuses_replace", "BEFORE INSERT", "REPLACE", known)
    grows = {"audit_tile": _TILE_GROWS.format(start="substr"), "audit_log": _LOG_GROWS}
    same_row = {
        "audit_tile": "log = NEW.log AND level = NEW.level AND tile_index = NEW.tile_index",
        "audit_log": "number = NEW.number OR origin = NEW.origin",
    }
    for table, growth in grows.items():
        _refuse_on_sqlite(table, "refuses_delete", "BEFORE DELETE", "DELETE")
        _refuse_on_sqlite(table, "only_grows", "BEFORE UPDATE", "UPDATE", f"WHEN NOT ({growth})")
        known = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same_row[table]})"  # noqa: S608 - our own tables
        _refuse_on_sqlite(table, "refuses_replace", "BEFORE INSERT", "REPLACE", known)
    op.execute("DROP TRIGGER audit_event_refuses_delete")
    archived = "WHEN NOT EXISTS (SELECT 1 FROM audit_archive WHERE OLD.occurred_at < before)"
    _refuse_on_sqlite("audit_event", "refuses_delete", "BEFORE DELETE", "DELETE", archived)


def _refuse_on_sqlite(table: str, name: str, moment: str, change: str, condition: str = "") -> None:
    op.execute(
        f"CREATE TRIGGER {table}_{name} {moment} ON {table} {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: {change} refused'); END"
    )


def _create_tables() -> None:
    op.create_table(
        "audit_log",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="Its name in checkpoints (C2SP tlog-checkpoint)."),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Number of leaves."),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("sequenced_at", UtcDateTime(), nullable=True, comment="When leaves were last added."),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("origin", name=op.f("uq_audit_log_origin")),
    )
    op.create_table(
        "audit_tile",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tile_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False, comment="32 bytes each, in order."),
        sa.Column("event_ids", sa.LargeBinary(), nullable=True, comment="16 bytes each, beside the leaf hashes."),
        sa.Column("lowest_event", sa.Uuid(), nullable=True, comment="Of its events, so that one is found by its id."),
        sa.Column("highest_event", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("log", "level", "tile_index", name=op.f("pk_audit_tile")),
    )
    op.create_index(
        "ix_audit_tile_events",
        "audit_tile",
        ["log", "highest_event", "lowest_event", "tile_index"],
        postgresql_where=sa.text("level = 0"),
        sqlite_where=sa.text("level = 0"),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("log", "size", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_anchoring",
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("anchored_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True, comment="Of the last try, if it failed."),
        sa.PrimaryKeyConstraint("anchor", name=op.f("pk_audit_anchoring")),
    )
    op.create_table(
        "audit_archive",
        sa.Column("log", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_leaf", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("end_leaf", sa.BigInteger(), nullable=False, comment="One past the last."),
        sa.Column("before", UtcDateTime(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of the file, hex."),
        sa.Column("archived_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("log", "first_leaf", name=op.f("pk_audit_archive")),
    )
    op.create_table(
        "activity_review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("period_end", UtcDateTime(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False, comment="`nothing_unusual` or `followed_up`."),
        sa.Column(
            "report_digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the report's JSON that was signed off, hex.",
        ),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_review")),
    )


def _create_privacy_tables() -> None:
    op.create_table(
        "consent_entry",
        sa.Column("id", sa.Uuid(), nullable=False, comment="Time-ordered, as lines of one submission are."),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False, comment="`contact` or `share`."),
        sa.Column("recipient", sa.Text(), nullable=False, comment="`organisation`, `providers`, or `provider:<id>`."),
        sa.Column("decision", sa.Text(), nullable=False, comment="`given` or `withdrawn`."),
        sa.Column("text_version", sa.Text(), nullable=True, comment="Of the text agreed to; empty on a withdrawal."),
        sa.Column(
            "text_hash", sa.LargeBinary(), nullable=True, comment="SHA-256 of that text in the person's language."
        ),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column(
            "source", sa.Text(), nullable=False, comment="Where it was said: `source:<id>`, `person`, `staff:<user>`."
        ),
        sa.Column(
            "proof",
            sa.LargeBinary(),
            nullable=True,
            comment=(
                "Commitment, under the submission's key, to the body that said so; unreadable once that is destroyed."
            ),
        ),
        sa.Column(
            "decided_at",
            UtcDateTime(),
            nullable=False,
            comment="When the person decided: the form's receipt, a click.",
        ),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_entry")),
    )
    op.create_index("ix_consent_entry_submission_id_purpose", "consent_entry", ["submission_id", "purpose"])
    op.create_table(
        "legal_hold",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False, comment="Its short name, such as `case-2026-14`."),
        sa.Column("placed_by", sa.Text(), nullable=False),
        sa.Column("placed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", "matter", name=op.f("pk_legal_hold")),
    )
    op.create_table(
        "erasure",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column(
            "cause",
            sa.Text(),
            nullable=False,
            comment="`request`, `order`, `mistake` or `retention`; what is erased again keeps its first.",
        ),
        sa.Column("erased_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_erasure")),
    )
