//! From what a server has to what it must have. Everything that we make is marked in the same transaction; what exists
//! without our mark is never touched.

use std::collections::BTreeMap;
use std::path::Path;

use postgres_protocol::escape::{escape_identifier as name, escape_literal as text};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;
use tracing::{info, warn};

use super::catalog::{Catalog, Database, Inside, Role};
use super::session::{self, Settings};
use super::{Failure, Login, access_role, owner, reader, within};
use crate::agent::provision::Obstacle;
use crate::kit::agents::{DatabaseLogin, PostgreSQL, Proof};

/// Makes what is missing. One binding's obstacle never stops the others; a server that does not let us in is an
/// obstacle for all.
pub async fn repair(server: &PostgreSQL, mark: &str, logins: &Path, proofs: &[Proof]) -> Vec<Obstacle> {
    let obstacle = |login: &DatabaseLogin, failure: &Failure| Obstacle {
        service: login.service.clone(),
        component: server.component.clone(),
        failure: failure.clone(),
    };
    let (repair, catalog) = match enter(server, mark, logins).await {
        Ok(entered) => entered,
        Err(failure) => return server.logins.iter().map(|login| obstacle(login, &failure)).collect(),
    };
    let mut obstacles = repair.close(&catalog).await;
    let mut unusable = BTreeMap::new();
    for database in &server.databases {
        if let Err(failure) = repair.database(database, &catalog).await {
            unusable.insert(database, failure);
        }
    }
    for login in &server.logins {
        let refused = proofs.iter().any(|it| {
            it.service == login.service
                && it.component == server.component
                && it.reason == crate::kit::reason::LOGIN_REFUSED
        });
        let ended = match unusable.get(&login.database) {
            Some(failure) => Err(failure.clone()),
            None => repair.login(login, logins, refused, catalog.roles.get(&login.username)).await,
        };
        obstacles.extend(ended.err().map(|failure| obstacle(login, &failure)));
    }
    obstacles
}

/// Reads what there is.
async fn enter<'a>(server: &'a PostgreSQL, mark: &str, logins: &Path) -> Result<(Repair<'a>, Catalog), Failure> {
    let login = Login::read(logins, &server.admin_secret).await?;
    let admin = session::as_administrator(server, &login).await?;
    let repair = Repair { server, mark: format!("microapp:{mark}"), login, admin };
    let catalog = Catalog::read(&repair.admin, &repair.mark, &wanted(server), &server.databases).await?;
    Ok((repair, catalog))
}

/// The roles that the plan asks for.
fn wanted(server: &PostgreSQL) -> Vec<String> {
    let logins = server.logins.iter().map(|login| login.username.clone());
    server.databases.iter().flat_map(|database| [owner(database), reader(database)]).chain(logins).collect()
}

struct Repair<'a> {
    server: &'a PostgreSQL,
    mark: String,
    login: Login,
    admin: Client,
}

impl Repair<'_> {
    /// First of all ends what should not be: logins that nobody wants, and everybody's way into the server's own
    /// databases. What cannot be ended is an obstacle of its own, and in nobody's way.
    async fn close(&self, catalog: &Catalog) -> Vec<Obstacle> {
        let obstacle =
            |what: &str, failure| Obstacle { service: what.into(), component: self.server.component.clone(), failure };
        let mut obstacles = Vec::new();
        for database in &catalog.open {
            let closing = [format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", name(database))];
            obstacles
                .extend(self.execute(&self.admin, &closing).await.err().map(|failure| obstacle(database, failure)));
        }
        let wanted = wanted(self.server);
        for (name, role) in catalog.roles.iter().filter(|(name, role)| role.ours && !wanted.contains(name)) {
            obstacles
                .extend(self.change(name, &closing(name, role)).await.err().map(|failure| obstacle(name, failure)));
        }
        obstacles
    }

    async fn database(&self, database: &str, catalog: &Catalog) -> Result<(), Failure> {
        let groups = [owner(database), reader(database)];
        let existing = catalog.databases.get(database);
        // Making a database cannot be undone by a transaction that also marks it: until the mark is there, its owner,
        // who is marked, says that it is ours.
        if existing.is_some_and(|it| !it.marked && it.owner != groups[0]) {
            return Err(not_ours("database", database));
        }
        for group in &groups {
            self.group(group, catalog).await?;
        }
        let new = Database {
            marked: false,
            owner: groups[0].clone(),
            open_to_all: true,
            readers_enter: false,
            settings: Settings::new(),
        };
        if existing.is_none() {
            // Of the template that nobody can be in: a session in the other one would be in the way.
            let template = format!("CREATE DATABASE {} OWNER {} TEMPLATE template0", name(database), name(&groups[0]));
            self.execute(&self.admin, &[template]).await?;
            info!(component = self.server.component, database, "created");
        }
        self.execute(&self.admin, &closing_to_others(database, existing.unwrap_or(&new), &self.mark)).await?;
        let settings = existing.map(|it| it.settings.clone()).unwrap_or_default();
        let admin = session::inside(self.server, &self.login, database, catalog.version, settings).await?;
        let found = Inside::read(&admin, database, &self.mark).await?;
        self.execute(&admin, &opening_to_readers(database, &found)).await?;
        self.reassign(&admin, database, &found.astray).await;
        Ok(())
    }

    /// A role that owns a database, or reads it.
    async fn group(&self, group: &str, catalog: &Catalog) -> Result<(), Failure> {
        match catalog.roles.get(group) {
            None => self.execute(&self.admin, &[format!("CREATE ROLE {}", name(group)), self.marking(group)]).await,
            Some(role) if !role.ours => Err(not_ours("role", group)),
            Some(_) => Ok(()),
        }
    }

    /// Gives the owner what logins made while they did not act as the owner. It waits for tables that are in use; until
    /// then they can be used as before.
    async fn reassign(&self, admin: &Client, database: &str, logins: &[String]) {
        let component = &self.server.component;
        for login in logins {
            let statement = format!("REASSIGN OWNED BY {} TO {}", name(login), name(&owner(database)));
            match self.execute(admin, &[statement]).await {
                Ok(()) => info!(component, database, login, "what the login made is the owner's now"),
                Err(failure) => {
                    warn!(component, database, login, "what the login made stays its own for now: {failure}")
                }
            }
        }
    }

    async fn login(
        &self,
        login: &DatabaseLogin,
        logins: &Path,
        refused: bool,
        role: Option<&Role>,
    ) -> Result<(), Failure> {
        let mut statements = Vec::new();
        match role {
            Some(role) if !role.ours => return Err(not_ours("role", &login.username)),
            Some(role) if role.can_log_in && !refused => {}
            _ => {
                // A verifier, so that the password stands in no log of the server.
                let verifier = scram_sha_256(Login::read(logins, &login.secret).await?.password.as_bytes());
                let verb = if role.is_none() { "CREATE" } else { "ALTER" };
                statements.push(format!("{verb} ROLE {} LOGIN PASSWORD {}", name(&login.username), text(&verifier)));
            }
        }
        if role.is_none() {
            statements.push(self.marking(&login.username));
        }
        let access = access(login, role);
        let moved = !access.is_empty() && role.is_some();
        statements.extend(access);
        if moved {
            self.change(&login.username, &statements).await
        } else {
            self.execute(&self.admin, &statements).await
        }
    }

    fn marking(&self, role: &str) -> String {
        format!("COMMENT ON ROLE {} IS {}", name(role), text(&self.mark))
    }

    /// Changes what a login may do, and ends its sessions: a session keeps the role that it began with.
    async fn change(&self, login: &str, statements: &[String]) -> Result<(), Failure> {
        if statements.is_empty() {
            return Ok(());
        }
        self.execute(&self.admin, statements).await?;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename::text = $1";
        let ended = within(self.admin.query(end, &[&login])).await?.len();
        info!(component = self.server.component, login, sessions_ended = ended, "changed access");
        Ok(())
    }

    /// All or nothing: statements that are sent together are one transaction.
    async fn execute(&self, admin: &Client, statements: &[String]) -> Result<(), Failure> {
        if statements.is_empty() { Ok(()) } else { within(admin.batch_execute(&statements.join(";\n"))).await }
    }
}

fn not_ours(kind: &str, what: &str) -> Failure {
    Failure::NotManaged(format!(
        "{kind} {what} is in the server already, made by somebody else; rename it there, or use another name here"
    ))
}

/// What takes every access from a login that is not wanted any more. What it made stays.
fn closing(login: &str, role: &Role) -> Vec<String> {
    let ending = role.can_log_in.then(|| format!("ALTER ROLE {} NOLOGIN PASSWORD NULL", name(login)));
    ending.into_iter().chain(leaving(login, role, None)).chain(resetting(login, role, None)).collect()
}

/// What gives a login exactly the access that is wanted.
fn access(login: &DatabaseLogin, role: Option<&Role>) -> Vec<String> {
    let through = access_role(login);
    let acts = (!login.read_only).then_some((login.database.as_str(), through.as_str()));
    let mut statements = Vec::new();
    if let Some(role) = role {
        statements.extend(leaving(&login.username, role, Some(&through)));
        statements.extend(resetting(&login.username, role, acts));
    }
    if role.is_none_or(|role| !role.member_of.contains_key(&through)) {
        statements.push(format!("GRANT {} TO {}", name(&through), name(&login.username)));
    }
    if !login.read_only && role.is_none_or(|role| role.acts_as.get(&login.database) != Some(&through)) {
        statements.push(format!(
            "ALTER ROLE {} IN DATABASE {} SET role TO {}",
            name(&login.username),
            name(&login.database),
            text(&through)
        ));
    }
    statements
}

fn leaving<'a>(login: &'a str, role: &'a Role, kept: Option<&'a str>) -> impl Iterator<Item = String> + 'a {
    let left = role.member_of.iter().filter(move |(group, _)| Some(group.as_str()) != kept);
    let one = move |group: &str, by: &str| {
        let by = if by.is_empty() { String::new() } else { format!(" GRANTED BY {}", name(by)) };
        format!("REVOKE {} FROM {}{by} CASCADE", name(group), name(login))
    };
    left.flat_map(move |(group, by)| by.iter().map(move |by| one(group, by)))
}

fn resetting<'a>(
    login: &'a str,
    role: &'a Role,
    kept: Option<(&'a str, &'a str)>,
) -> impl Iterator<Item = String> + 'a {
    let reset = role.acts_as.iter().filter(move |(database, group)| Some((database.as_str(), group.as_str())) != kept);
    reset.map(move |(database, _)| format!("ALTER ROLE {} IN DATABASE {} RESET role", name(login), name(database)))
}

/// What keeps everybody but owner and readers out of a database.
fn closing_to_others(database: &str, found: &Database, mark: &str) -> Vec<String> {
    let (quoted, owner) = (name(database), owner(database));
    let mut statements = Vec::new();
    if !found.marked {
        statements.push(format!("COMMENT ON DATABASE {quoted} IS {}", text(mark)));
    }
    if found.owner != owner {
        statements.push(format!("ALTER DATABASE {quoted} OWNER TO {}", name(&owner)));
    }
    if found.open_to_all {
        statements.push(format!("REVOKE ALL ON DATABASE {quoted} FROM PUBLIC"));
    }
    if !found.readers_enter {
        statements.push(format!("GRANT CONNECT ON DATABASE {quoted} TO {}", name(&reader(database))));
    }
    statements
}

/// What gives the owner the schema that is always there, and lets readers read what there is and what the owner will
/// make.
fn opening_to_readers(database: &str, found: &Inside) -> Vec<String> {
    let (owner, reader) = (name(&owner(database)), name(&reader(database)));
    let mut statements = Vec::new();
    if found.public_astray {
        statements.push(format!("ALTER SCHEMA public OWNER TO {owner}"));
    }
    if found.public_open {
        statements.push("REVOKE CREATE ON SCHEMA public FROM PUBLIC".into());
    }
    for schema in found.unread.iter().map(|schema| name(schema)) {
        statements.push(format!("GRANT USAGE ON SCHEMA {schema} TO {reader}"));
        statements.push(format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader}"));
        statements.push(format!("GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {reader}"));
    }
    if !found.future_read {
        for right in ["SELECT ON TABLES", "SELECT ON SEQUENCES", "USAGE ON SCHEMAS"] {
            statements.push(format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT {right} TO {reader}"));
        }
    }
    statements
}
