# The servers in the images: sourced by ./smoke.

environment=()
unpack pause
become 65535 pause /pause & pause=$!
check "pause sleeps" soon gives "pause S" awk '/^Name/ { name = $2 } /^State/ { print name, $2 }' /proc/$pause/status
check "pause ends at SIGTERM" ends_with 0 TERM $pause

unpack envoy
check "envoy is the version of its name" says /1.40.0/ as 65532 envoy /docker-entrypoint.sh --version
check "envoy becomes the user 101 when it is started as root" gives 101 as 0 envoy /docker-entrypoint.sh id -u
become 65532 envoy /docker-entrypoint.sh envoy -c /etc/envoy/envoy.yaml --disable-hot-restart >/dev/null 2>&1 & envoy=$!
check "envoy is live for a user that it does not know" soon says LIVE curl -s http://127.0.0.1:9901/ready
check "envoy ends at SIGTERM" ends_with 0 TERM $envoy

unpack postgres /run/postgresql /var/lib/postgresql
data=$work/postgres/var/lib/postgresql/18/docker
server=(/usr/local/bin/docker-entrypoint.sh postgres -c max_connections=21)
environment=(PGDATA=/var/lib/postgresql/18/docker LANG=en_US.utf8)
check "postgres does not start without a password" says "set POSTGRES_PASSWORD" as 999 postgres "${server[@]}"
environment+=(POSTGRES_PASSWORD_FILE=/tmp/password POSTGRES_DB=the-shop "POSTGRES_INITDB_ARGS=--locale-provider=icu --icu-locale='en-US'")
printf "a'b\$c" >$work/postgres/tmp/password

query() { # PASSWORD SQL, over TCP
	as 999 postgres /usr/bin/env PGPASSWORD="$1" psql -h $address -U postgres -d the-shop -Atc "$2"
}
start() { # UID
	become "$1" postgres "${server[@]}" >$work/postgres.log 2>&1 & postgres=$!
	soon as 999 postgres pg_isready -h 127.0.0.1 -q || cat $work/postgres.log
}
start 999
check "postgres knows its password" says 18. query "a'b\$c" "show server_version"
check "postgres refuses another" says "password authentication failed" query other "select 1"
check "postgres has the options of its command line" gives 21 query "a'b\$c" "show max_connections"
check "postgres made its data with POSTGRES_INITDB_ARGS" gives "i|en-US" query "a'b\$c" \
	"select datlocprovider, datlocale from pg_database where datname = 'the-shop'"
query_made() { query "a'b\$c" "create table kept (row int)"; }
check "postgres makes a table" query_made
check "postgres ends at SIGINT" ends_with 0 INT $postgres
start 0
check "postgres keeps what it has over a restart" gives 0 query "a'b\$c" "select count(*) from kept"
check "postgres becomes the user 999 when it is started as root" test "$(stat -c %u /proc/$postgres)" = 999
chmod 0770 "$data"
check "postgres ends at SIGINT again" ends_with 0 INT $postgres
start 999
check "postgres starts on a volume that is open to its group" gives 700 stat -c %a "$data"

for server in valkey redis; do
	environment=()
	unpack $server /data
	become 999 $server $server-server --save '' --dir /data >$work/$server.log 2>&1 & cache=$!
	check "$server answers" soon says PONG as 999 $server $server-cli ping
	check "$server ends at SIGTERM" ends_with 0 TERM $cache
done

unpack shop-orders
environment=(DATABASE_HOST=$address DATABASE_NAME=the-shop DATABASE_USERNAME=postgres "DATABASE_PASSWORD=a'b\$c")
for n in 1 2; do
	(environment+=(HOSTNAME=orders-$n PORT=808$n); become 10001 shop-orders /shop-orders 2>$work/orders-$n.log) & orders=$!
done
environment=(HOSTNAME=web-1 PORT=8080 ORDERS_URL=http://127.0.0.1:8082)
become 10001 shop-web /shop-web 2>$work/web.log & web=$!
for port in 8081 8082; do check "orders at $port is ready" soon curl -sf http://127.0.0.1:$port/readyz; done
check "both instances made the table, at once" fails grep "not there yet" $work/orders-1.log $work/orders-2.log
check "the first writes an order" says '"instance":"orders-1","order":{"id":1,' curl -s http://127.0.0.1:8081/api/orders -d '{"item": "tea"}'
check "the second reads it" says '"item":"tea"' curl -s http://127.0.0.1:8082/api/orders/1
check "it has no cache, and says so" says '"cache":"none"' curl -s http://127.0.0.1:8082/api/orders/1
check "the page shows it" soon says tea curl -s http://127.0.0.1:8080/
check "orders ends at SIGTERM" ends_with 0 TERM $orders
check "the page is there without orders" says "No orders to show" curl -s http://127.0.0.1:8080/
check "web ends at SIGTERM" ends_with 0 TERM $web
