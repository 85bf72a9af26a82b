//! A binding is proved by using it: log in as the service, with the service's own Secret, to its own database, and ask
//! what may be done there.

use std::path::Path;

use futures::future::join_all;

use super::{super::proof, Failure, Login, access_role, session, within};
use crate::kit::agents::{DatabaseLogin, PostgreSQL, Proof, User};

/// A server has few connections, and they are for the services.
const AT_ONCE: usize = 4;

/// What the session may do. Only what users make counts: the system's own schemas are open to everybody.
const RIGHTS: &str = "
    WITH tables AS (
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    )
    SELECT session_user::text AS identity,
        current_user::text AS acting,
        (current_setting('server_version_num')::int / 10000)::text AS major,
        EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND NOT has_schema_privilege(oid, 'CREATE')) AS
            public_closed,
        has_database_privilege(current_database(), 'CREATE')
            OR EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND has_schema_privilege(oid, 'CREATE'))
            OR EXISTS (SELECT FROM tables WHERE has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS
                may_write,
        (SELECT bool_and(has_table_privilege(oid, 'SELECT')) FROM tables) IS NOT FALSE AS reads_all";

/// One proof for each login, in the plan's order.
pub async fn prove(server: &PostgreSQL, logins: &Path) -> Vec<Proof> {
    let mut proofs = Vec::with_capacity(server.logins.len());
    for some in server.logins.chunks(AT_ONCE) {
        proofs.extend(join_all(some.iter().map(|login| prove_one(server, login, logins))).await);
    }
    proofs
}

async fn prove_one(server: &PostgreSQL, login: &DatabaseLogin, logins: &Path) -> Proof {
    let user = User { service: login.service.clone(), secret: login.secret.clone() };
    proof(&server.component, user, log_in(server, login, logins).await)
}

/// Who the server says it is, if it has exactly the access that the plan gives it.
async fn log_in(server: &PostgreSQL, login: &DatabaseLogin, logins: &Path) -> Result<String, Failure> {
    let client = session::as_service(server, &Login::read(logins, &login.secret).await?, &login.database).await?;
    let rights = within(client.query_one(RIGHTS, &[])).await?;
    let (identity, acting, major): (String, String, String) =
        (rights.get("identity"), rights.get("acting"), rights.get("major"));
    if !server.version.is_empty() && server.version != major {
        let wanted = &server.version;
        return Err(Failure::WrongVersion(format!(
            "the server is PostgreSQL {major} and not {wanted}: its image and `version` contradict each other"
        )));
    }
    if login.read_only {
        if rights.get("may_write") {
            return Err(Failure::AccessTooWide(format!(
                "{identity} may only read database {}, but can write there",
                login.database
            )));
        }
        if !rights.get::<_, bool>("reads_all") {
            return Err(Failure::AccessMissing(format!(
                "{identity} cannot read all tables of database {}",
                login.database
            )));
        }
    } else if acting != access_role(login) || rights.get("public_closed") {
        return Err(Failure::AccessMissing(format!(
            "{identity} cannot write to database {} as its owner",
            login.database
        )));
    }
    Ok(identity)
}
