"""The groups that database users belong to, on PostgreSQL. What each may do is in `pipeline.privileges`."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Roles belong to the cluster, whose other databases may be migrated at the same time: whoever comes second waits for
# the first at the unique index, and finds the role made. A user who may not make roles leaves that to somebody who may.
_CREATE = """
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'careroute_auditor', 'careroute_migrator', 'careroute_sequencer', 'careroute_web', 'careroute_worker'
    ] LOOP
        CONTINUE WHEN EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing, and % may not create it', wanted, current_user;
        END;
    END LOOP;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_CREATE)
