#!/bin/bash
# The users that Careroute's processes connect as, one in each group of 10-database-roles.sql, with name and password
# of the URLs in the secrets. Run by the postgres image at the first start, and by hand after a password was changed or
# when the database is older than this file:
#
#   docker compose exec postgres psql -U careroute -d careroute -f /docker-entrypoint-initdb.d/10-database-roles.sql
#   docker compose exec postgres bash /docker-entrypoint-initdb.d/20-database-users.sh
set -euo pipefail

# Passwords go through standard input: arguments can be read by others on the machine.
statements() {
    local group url user password
    for group in web worker sequencer migrator auditor; do
        url=$(< "${SECRETS:-/run/secrets}/${group}_database_url")
        if [[ ! $url =~ ^postgresql\+psycopg://([a-z][a-z0-9_]*):([A-Za-z0-9_-]+)@ ]]; then
            echo "${group}_database_url: not postgresql+psycopg://user:password@…, with a password of letters and digits" >&2
            return 1
        fi
        user=${BASH_REMATCH[1]} password=${BASH_REMATCH[2]}
        cat <<SQL
DO \$\$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '$user') THEN CREATE ROLE $user LOGIN; END IF;
END \$\$;
ALTER ROLE $user PASSWORD '$password';
GRANT careroute_$group TO $user;
SQL
    done
}

statements=$(statements)
psql --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<< "$statements"
