//! What a service may do in its own database, turned against the administrator who repairs it: names, settings, and
//! what runs when others look.

use super::*;

/// Each runs as whoever evaluates it, and makes its owner a superuser if that is one.
const STEAL: &str =
    "BEGIN EXECUTE 'ALTER ROLE orders SUPERUSER'; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END";

/// Operators, by their two sides, that fit what is asked of a catalog better than the server's own.
const OPERATORS: &[(&str, &str, &str)] = &[
    ("!~", "name", "name"),
    ("!~", "name", "text"),
    ("<>", "name", "text"),
    ("=", "oid", "int4"),
    ("=", "oid", "oid"),
    ("=", "name", "text"),
    ("=", "text", "text"),
    ("=", "\"char\"", "text"),
    ("=", "\"char\"", "\"char\""),
    ("<>", "oid", "oid"),
    ("/", "int4", "int4"),
    ("||", "text", "text"),
];
/// Functions that are asked, with their arguments.
const FUNCTIONS: &[(&str, &str)] = &[
    ("has_table_privilege", "oid, oid, text"),
    ("has_table_privilege", "oid, text"),
    ("has_schema_privilege", "oid, oid, text"),
    ("has_schema_privilege", "oid, text"),
    ("has_sequence_privilege", "oid, oid, text"),
    ("has_database_privilege", "name, text"),
    ("shobj_description", "oid, name"),
    ("shobj_description", "oid, text"),
    ("current_database", ""),
    ("current_setting", "text"),
    ("aclexplode", "aclitem[]"),
];
/// Tables that are asked.
const TABLES: &[&str] =
    &["pg_class", "pg_namespace", "pg_roles", "pg_default_acl", "pg_auth_members", "pg_shdepend", "pg_database"];

/// Everything that a service can plant for others to stumble over.
fn planted() -> String {
    let function = |name: &str, arguments: &str| {
        format!("CREATE FUNCTION public.{name}({arguments}) RETURNS bool LANGUAGE plpgsql AS $$ {STEAL} $$;")
    };
    let mut all = function("steal", "") + &function("steal_from", "anyelement");
    for (i, (operator, left, right)) in OPERATORS.iter().enumerate() {
        let body = function(&format!("operator_{i}"), &format!("{left}, {right}"));
        all += &format!(
            "{body} CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = \
                public.operator_{i});"
        );
    }
    for (name, arguments) in FUNCTIONS {
        all += &function(name, arguments);
    }
    for table in TABLES {
        all += &format!("CREATE VIEW public.{table} AS SELECT *, public.steal() AS stolen FROM pg_catalog.{table};");
    }
    all + "CREATE TYPE public.trap AS (t text); CREATE FUNCTION public.sprung(public.trap) RETURNS text LANGUAGE sql \
        AS 'SELECT public.steal()::text';
        CREATE CAST (public.trap AS text) WITH FUNCTION public.sprung(public.trap) AS IMPLICIT;
        CREATE TABLE pending (id int DEFAULT public.steal()::int, CHECK (public.steal_from(id)));
        CREATE FUNCTION public.on_write() RETURNS trigger LANGUAGE plpgsql
            AS 'BEGIN PERFORM public.steal(); RETURN NEW; END';
        CREATE TRIGGER t BEFORE INSERT OR UPDATE ON pending FOR EACH ROW EXECUTE FUNCTION public.on_write();
        ALTER TABLE pending ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON pending USING (public.steal());
        CREATE MATERIALIZED VIEW stale AS SELECT public.steal();"
}

/// A session that the database's settings do not reach.
async fn undisturbed(case: &Case, database: &str, statements: &str) -> anyhow::Result<String> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(case.server.port).user(ADMIN).password(ADMIN_PASSWORD).dbname(database);
    let timeouts =
        "-c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0";
    let options = "-c search_path=pg_catalog -c role=none -c default_transaction_read_only=off -c \
        local_preload_libraries= -c exit_on_error=off";
    config.options(format!("{options} {timeouts}"));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    answer(&client, statements).await
}

const SUPERUSERS: &str = "SELECT string_agg(rolname, ',') FROM pg_catalog.pg_roles WHERE rolsuper";
const BREAK: &str = "REVOKE SELECT ON public.pending FROM orders__reader";
const SCHEMA_OWNER: &str = "SELECT nspowner::pg_catalog.regrole FROM pg_catalog.pg_namespace WHERE nspname = 'public'";
const MENDED: &str = "SELECT has_table_privilege('orders__reader', 'public.pending', 'SELECT')";

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn names_that_a_service_defines_are_never_evaluated() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("reports", "orders", true)])? else { return Ok(()) };
    case.sound().await?;
    case.sql("orders", "orders", &planted()).await?;
    let refused = "CREATE FUNCTION public.on_event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM \
        public.steal(); END'; \
                   CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.on_event()";
    assert!(
        case.sql("orders", "orders", refused).await.is_err(),
        "an event trigger would run with whatever the administrator changes"
    );
    for path in ["\"$user\", public", "public, pg_catalog", "pg_temp, public, pg_catalog"] {
        case.sql("orders", "orders", &format!("ALTER DATABASE orders SET search_path = {path}")).await?;
        undisturbed(&case, "orders", BREAK).await?;
        let (told, proofs) = case.round().await;
        assert_eq!(
            undisturbed(&case, "postgres", SUPERUSERS).await?,
            ADMIN,
            "{path}: the administrator ran what a service wrote"
        );
        let told = told.with_context(|| format!("{path}: nothing was told"))?;
        assert_eq!(reasons(&told.proofs), [("orders", "LoggedIn"), ("reports", "AccessMissing")], "{path}");
        assert_eq!(reasons(&proofs), [("orders", "LoggedIn"), ("reports", "LoggedIn")], "{path}");
    }
    Ok(())
}

/// One operator alone, in the database of one of two services: among many, another one may be evaluated before it.
async fn one_operator(database: &str, operator: &str, left: &str, right: &str) -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    case.sound().await?;
    let function =
        format!("CREATE FUNCTION public.fits({left}, {right}) RETURNS bool LANGUAGE plpgsql AS $$ {STEAL} $$");
    let better =
        format!("CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = public.fits)");
    case.sql(database, database, &format!("{function}; {better}")).await?;
    case.round().await;
    let superuser = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'orders'";
    assert_eq!(undisturbed(&case, "postgres", superuser).await?, "f", "the administrator ran what {database} wrote");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_better_comparison_of_names_is_never_evaluated() -> anyhow::Result<()> {
    one_operator("orders", "!~", "name", "name").await
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_better_comparison_of_identifiers_is_never_evaluated() -> anyhow::Result<()> {
    one_operator("web", "=", "oid", "int4").await
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn settings_of_a_database_do_not_stop_its_repair() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    case.sound().await?;
    case.sql("orders", "orders", "CREATE TABLE pending (id int)").await?;
    for setting in [
        "role = 'orders__owner'",
        "session_authorization = 'orders'",
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'serializable'",
        "statement_timeout = 1",
        "lock_timeout = 1",
        "idle_in_transaction_session_timeout = 1",
        "idle_session_timeout = 1",
        "local_preload_libraries = 'nothing'",
        "search_path = ''",
        "standard_conforming_strings = off",
        "default_tablespace = 'nowhere'",
        "row_security = off",
        "array_nulls = off",
        "exit_on_error = on",
        "\"app.tenant\" = 'a b \\c'",
        "DateStyle = 'SQL, DMY'",
    ] {
        // Some are refused, which is as good.
        undisturbed(
            &case,
            "postgres",
            &format!("SET SESSION AUTHORIZATION orders; SET ROLE orders__owner; ALTER DATABASE orders SET {setting}"),
        )
        .await
        .ok();
        // The owner could mend the one, and only the administrator the other.
        undisturbed(&case, "orders", &format!("{BREAK}; ALTER SCHEMA public OWNER TO {ADMIN}")).await?;
        case.round().await;
        assert_eq!(undisturbed(&case, "orders", MENDED).await?, "t", "{setting}");
        assert_eq!(undisturbed(&case, "orders", SCHEMA_OWNER).await?, "orders__owner", "{setting}");
        undisturbed(&case, "postgres", "ALTER DATABASE orders RESET ALL").await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn what_a_login_made_as_itself_becomes_the_owners() -> anyhow::Result<()> {
    let services = [("orders", "common", false), ("payments", "common", false), ("reports", "common", true)];
    let Some(mut case) = Case::new(&services)? else { return Ok(()) };
    case.sound().await?;
    let owners = "SELECT DISTINCT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE relname LIKE \
        'astray%' AND relkind = 'r' ORDER BY 1";
    case.sql(
        "orders",
        "common",
        "SET ROLE NONE; CREATE TABLE astray (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    .await?;
    assert!(case.sql("payments", "common", "ALTER TABLE astray ADD paid bool").await.is_err());
    case.sound().await?;
    case.sql("payments", "common", "ALTER TABLE astray ADD paid bool; DROP FUNCTION f()").await?;
    let before = case.admin(NEXT_WRITE).await?;
    case.sound().await?;
    assert_eq!(case.admin(NEXT_WRITE).await?, before, "once, not each round");

    // A login that is gone leaves nothing behind that is only its own.
    case.sql("orders", "common", "SET ROLE NONE; CREATE TABLE astray2 (id int)").await?;
    case.services(&[("payments", "common", false), ("reports", "common", true)])?;
    case.sound().await?;
    assert_eq!(case.sql(ADMIN, "common", owners).await?, "common__owner");

    // What a reader was allowed to make stays its own: the owner must not answer for what it says. And nothing is taken
    // beyond the database.
    case.sql("payments", "common", "CREATE SCHEMA guests; GRANT CREATE, USAGE ON SCHEMA guests TO reports").await?;
    case.sql(
        "reports",
        "common",
        "CREATE FUNCTION guests.say() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    )
    .await?;
    case.sql("payments", "common", "SET ROLE NONE; CREATE TABLE astray3 (id int)").await?;
    case.admin("CREATE DATABASE elsewhere OWNER payments").await?;
    case.round().await;
    let said = "SELECT r.rolname FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE proname = 'say'";
    assert_eq!(case.sql(ADMIN, "common", said).await?, "reports");
    let database =
        "SELECT r.rolname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE datname = 'elsewhere'";
    assert_eq!(case.admin(database).await?, "payments");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_login_that_cannot_be_closed_stops_no_repair() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    case.sound().await?;
    // Somebody is changing the role, and does not end.
    let busy = case.connect(ADMIN, "postgres").await?;
    answer(&busy, "BEGIN; ALTER ROLE orders CONNECTION LIMIT 5").await?;
    case.services(&[("web", "web", false), ("mail", "mail", false)])?;
    case.sound().await?;
    assert_eq!(case.admin("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'orders'").await?, "t");
    answer(&busy, "ROLLBACK").await?;
    case.sound().await?;
    assert_eq!(case.admin("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'orders'").await?, "f");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn the_servers_own_databases_are_nobodys_business() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", "orders", false)])? else { return Ok(()) };
    case.sound().await?;
    for database in ["postgres", "template1"] {
        assert!(case.connect("orders", database).await.is_err(), "{database}");
    }
    // Whoever stays in a template keeps databases from being made of it.
    case.admin("GRANT CONNECT ON DATABASE template1 TO orders").await?;
    let _stays = case.connect("orders", "template1").await?;
    case.services(&[("orders", "orders", false), ("web", "web", false)])?;
    case.sound().await
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_server_of_another_version_proves_nothing() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", "orders", false)])? else { return Ok(()) };
    let real = case.admin("SELECT current_setting('server_version_num')::int / 10000").await?;
    case.version = real;
    case.sound().await?;
    case.version = "9".into();
    let (_, proofs) = case.round().await;
    assert_eq!(reasons(&proofs), [("orders", "WrongVersion")]);
    assert!(proofs[0].message.contains("and not 9"), "{}", proofs[0].message);
    Ok(())
}
