-- The groups of Careroute's database users, and who owns the schema. Run by a superuser, or by the database's owner who
-- may create roles, in Careroute's database; running it again changes nothing. What each group may do is granted by
-- `careroute migrate` (pipeline/privileges.py), as a user of careroute_migrator.
DO $$
DECLARE
    wanted text;
    thing record;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'careroute_auditor', 'careroute_migrator', 'careroute_sequencer', 'careroute_web', 'careroute_worker'
    ] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    -- On PostgreSQL 16 and later, who creates a role without being a superuser may hand things to it only as a member.
    IF NOT pg_has_role('careroute_migrator', 'USAGE') THEN
        EXECUTE format('GRANT careroute_migrator TO %I', current_user);
    END IF;
    -- An owner must be allowed to make schemas at the moment it gets one.
    EXECUTE format('GRANT CREATE ON DATABASE %I TO careroute_migrator', current_database());
    ALTER SCHEMA public OWNER TO careroute_migrator;
    EXECUTE format('REVOKE CREATE ON DATABASE %I FROM careroute_migrator', current_database());
    -- Of an installation from before there were these groups.
    FOR thing IN
        SELECT format('TABLE %s', oid::regclass) AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relowner <> 'careroute_migrator'::regrole
        UNION ALL
        SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND prorettype = 'trigger'::regtype
          AND proowner <> 'careroute_migrator'::regrole
    LOOP
        EXECUTE format('ALTER %s OWNER TO careroute_migrator', thing.name);
    END LOOP;
END $$;
