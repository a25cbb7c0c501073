#!/bin/bash
# What the original does on its first start with the variables that compose.yaml gives it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust $POSTGRES_INITDB_ARGS "$PGDATA"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses= -k /run/postgresql" start
    createdb --host=/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB" 2>/dev/null ||
        psql --host=/run/postgresql --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --command="SELECT 1" > /dev/null
    pg_ctl --wait --mode=fast stop
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
