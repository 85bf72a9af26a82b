#!/bin/bash
# As the official image's entry point: makes the data folder at the first start, from POSTGRES_USER, _PASSWORD, _DB,
# _INITDB_ARGS (each also as ..._FILE), _HOST_AUTH_METHOD and /docker-entrypoint-initdb.d.
set -euo pipefail

# from_file NAME DEFAULT: the value of NAME, or what the file named by NAME_FILE says.
from_file() {
	local value=${!1:-} file=$1_FILE
	if [ -n "${!file:-}" ]; then
		[ -z "$value" ] || fail "both $1 and $file are set: one of them is meant"
		value=$(<"${!file}")
	fi
	printf -v "$1" %s "${value:-$2}"
	unset "$file"
}

fail() { echo "Error: $*" >&2; exit 1; }

become_postgres() {
	mkdir -p "$PGDATA" /var/run/postgresql
	find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres {} +
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
}

make_cluster() { # the server's command line
	local options=()
	[ -n "$POSTGRES_PASSWORD$POSTGRES_HOST_AUTH_METHOD" ] ||
		fail "the database is not initialized and there is no password for its superuser: set POSTGRES_PASSWORD"
	# xargs understands quotes as a shell does, and runs nothing.
	[ -z "$POSTGRES_INITDB_ARGS" ] || mapfile -t options < <(xargs printf '%s\n' <<<"$POSTGRES_INITDB_ARGS")
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${options[@]}"
	printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}" >>"$PGDATA/pg_hba.conf"

	local server
	server=$(printf '%q ' "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}")
	pg_ctl --wait --options "$server" start
	[ "$POSTGRES_DB" = postgres ] || query --dbname postgres --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
	run_init_files
	pg_ctl --wait --mode fast stop
	echo "PostgreSQL init process complete; ready for start up."
}

query() {
	PGPASSWORD=$POSTGRES_PASSWORD psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password "$@"
}

run_init_files() {
	local file
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
			*.sh) . "$file" ;;
			*.sql) query --dbname "$POSTGRES_DB" --file "$file" ;;
			*.sql.gz) gunzip --stdout "$file" | query --dbname "$POSTGRES_DB" ;;
		esac
	done
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
[ "${1:-}" = postgres ] || exec "$@"
[ "$(id -u)" != 0 ] || become_postgres "$@"

# At every start: a volume with an fsGroup comes back open to the group, which the server refuses.
mkdir -p "$PGDATA"
chmod 0700 "$PGDATA" || :
from_file POSTGRES_PASSWORD ''
from_file POSTGRES_USER postgres
from_file POSTGRES_DB "$POSTGRES_USER"
from_file POSTGRES_INITDB_ARGS ''
POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-}
[ -s "$PGDATA/PG_VERSION" ] || make_cluster "$@"
exec "$@"
