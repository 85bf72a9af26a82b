//! How sessions begin. Whoever owns a database sets the defaults of every session in it, and names operators and
//! functions at will. So nothing that is asked depends on them: what a client asks for at its start outranks every
//! default, and names are looked up among the server's own alone.

use std::collections::BTreeMap;
use std::path::Path;

use tokio_postgres::{Client, Config, NoTls};

use super::{DEADLINE, Failure, Login, within};
use crate::agent::whole;
use crate::kit::agents::PostgreSQL;

/// The database that every server has, and that no service may enter.
pub const MAINTENANCE: &str = "postgres";

/// What everybody begins with. `pg_temp` is named, for it would be searched first otherwise.
const NAMES: &[(&str, &str)] = &[("search_path", "pg_catalog,pg_temp")];

/// What the administrator begins with besides: itself, allowed to write, and never stopped or kept waiting by what
/// others have set or locked.
const ADMINISTRATOR: &[(&str, &str)] = &[
    ("role", "none"),
    ("row_security", "off"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("statement_timeout", "60s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("standard_conforming_strings", "on"),
    ("check_function_bodies", "off"),
    ("local_preload_libraries", ""),
    ("default_tablespace", ""),
    ("exit_on_error", "off"),
    ("tcp_user_timeout", "0"),
];

/// What newer servers know besides, by the `server_version_num` that it came with.
const SINCE: &[(i32, &str, &str)] = &[(17_00_00, "transaction_timeout", "0"), (17_00_00, "event_triggers", "off")];

/// Settings of a session, by name: none is said twice.
pub type Settings = BTreeMap<String, String>;

/// A session of a service, acting as the server lets it.
pub async fn as_service(server: &PostgreSQL, login: &Login, database: &str) -> Result<Client, Failure> {
    connect(server, login, database, &settings(NAMES)).await
}

/// A session of the administrator in the maintenance database, whose defaults nobody else sets.
pub async fn as_administrator(server: &PostgreSQL, login: &Login) -> Result<Client, Failure> {
    connect(server, login, MAINTENANCE, &administrator()).await
}

/// A session of the administrator in a database that belongs to services. `there` is what their owner has set, as the
/// administrator would have it.
pub async fn inside(
    server: &PostgreSQL,
    login: &Login,
    database: &str,
    version: i32,
    there: Settings,
) -> Result<Client, Failure> {
    let known = SINCE
        .iter()
        .filter(|(since, ..)| version >= *since)
        .map(|(_, name, value)| (name.to_string(), value.to_string()));
    // What we say ourselves outranks what the server says of its defaults.
    let all = there.into_iter().chain(known).chain(administrator()).collect();
    connect(server, login, database, &all).await
}

/// Waits in a session until the server ends it.
pub async fn ended(server: &PostgreSQL, logins: &Path) -> Result<(), Failure> {
    let login = Login::read(logins, &server.admin_secret).await?;
    let (_client, connection) = within(config(server, &login, MAINTENANCE, &administrator()).connect(NoTls)).await?;
    connection
        .await
        .inspect_err(|error| tracing::debug!(error = whole(error), "the server has ended the session"))
        .ok();
    Ok(())
}

fn administrator() -> Settings {
    settings(NAMES).into_iter().chain(settings(ADMINISTRATOR)).collect()
}

fn settings(all: &[(&str, &str)]) -> Settings {
    all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

async fn connect(server: &PostgreSQL, login: &Login, database: &str, settings: &Settings) -> Result<Client, Failure> {
    let (client, connection) = within(config(server, login, database, settings).connect(NoTls)).await?;
    // It ends with the client; what it fails with, the client's next request says.
    tokio::spawn(async move {
        connection.await.inspect_err(|error| tracing::debug!(error = whole(error), "a session ended"))
    });
    Ok(client)
}

fn config(server: &PostgreSQL, login: &Login, database: &str, settings: &Settings) -> Config {
    let mut config = Config::new();
    config.host(&server.host).port(server.port).dbname(database).user(&login.username).password(&login.password);
    config.application_name("microapp-provisioner").connect_timeout(DEADLINE).options(options(settings));
    config
}

/// As the server reads them at the start of a session: words between spaces, in which a backslash takes its meaning
/// from what follows.
fn options(settings: &Settings) -> String {
    let escaped = |value: &str| value.replace('\\', r"\\").replace(' ', r"\ ");
    let all: Vec<String> = settings.iter().map(|(name, value)| format!("-c {name}={}", escaped(value))).collect();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_word_each() {
        let all = settings(&[("a", "read committed"), ("b", r"x\y"), ("c", "")]);
        assert_eq!(options(&all), r"-c a=read\ committed -c b=x\\y -c c=");
    }
}
