//! PostgreSQL, one instance: <https://www.postgresql.org/docs/current/>; the image:
//! <https://hub.docker.com/_/postgres>.

use std::collections::BTreeSet;

use super::Database;
use crate::components::{Component, Dependency, Engine, Names, Wiring};
use crate::kit::{
    agents,
    binding::{Binding, from_secret, value},
    credentials::{PASSWORD, USERNAME},
    images::{self, Version},
    objects::Objects,
    part::PartName,
    pod::{self, ProbeHandler, Shutdown},
    problem::Problem,
    reason,
    scope::Scope,
    store::{self, Store},
    volumes::DATA,
    workload::{Port, Workload},
};

const PORT: i32 = 5432;
const ENGINE: &str = "PostgreSQL";
/// User of the official image.
const USER: i64 = 999;
const ADMIN: &str = "postgres";
/// Names and beginnings of roles that it refuses, of databases that it has, and its administrator.
const RESERVED: &[&str] = &["pg_*", ADMIN, "template0", "template1", "public", "none"];
/// Where the image from version 18 on keeps data: the folder of the major lies below the volume.
const VOLUME: &str = "/var/lib/postgresql";
/// Shared memory of parallel queries when no memory limit bounds it: a runtime's own 64 MB are too little for them.
const SHARED_MEMORY: &str = "1Gi";

/// How a new data folder is made.
const INITDB: &str = "--data-checksums --auth-host=scram-sha-256 --auth-local=scram-sha-256 --encoding=UTF8";

pub struct PostgreSql;

impl Engine<Database> for PostgreSql {
    fn name(&self) -> &'static str {
        ENGINE
    }

    fn names(&self) -> Names {
        Names { reserved: RESERVED, field: "databaseName", noun: "database", dash: Some('_') }
    }

    fn store<'a>(&self, scope: &'a Scope<'a>, spec: &'a Database) -> Option<Store<'a>> {
        let store = Store::new(scope, PartName::component(Database::ROLE), ENGINE, version(scope, spec).major);
        Some(Store { storage: spec.storage.as_ref(), has_logins: true, ..store })
    }

    fn obstacles(&self, scope: &Scope<'_>, spec: &Database) -> Vec<Problem> {
        let unknown = images::untested(ENGINE, images::POSTGRESQL, &version(scope, spec).major);
        let unknown = unknown.map(|text| Problem::new("spec.database.version", reason::UNKNOWN_VERSION, text));
        unknown.into_iter().chain(self.store(scope, spec).and_then(|store| store.obstacle())).collect()
    }

    /// Passwords are letters and digits, so addresses need no escaping.
    fn binding(&self, scope: &Scope<'_>, _: &Database, dependency: &Dependency) -> Option<Binding> {
        let database = self.names().inside(&dependency.resource());
        let url = "$(DATABASE_USERNAME):$(DATABASE_PASSWORD)@$(DATABASE_HOSTPORT)/$(DATABASE_NAME)";
        Some(Binding {
            name: Database::ROLE.to_string(),
            kind: "postgresql".into(),
            host: scope.component(Database::ROLE, ""),
            port: PORT,
            files: vec![("database", database.clone())],
            resource: Some(database),
            secret: dependency.credential.as_ref().map(|it| it.secret.clone()),
            urls: vec![
                ("URL", format!("postgresql://{url}")),
                ("JDBC_URL", "jdbc:postgresql://$(DATABASE_HOSTPORT)/$(DATABASE_NAME)".into()),
                ("R2DBC_URL", "r2dbc:postgresql://$(DATABASE_HOSTPORT)/$(DATABASE_NAME)".into()),
            ],
            tls: None,
        })
    }

    fn build(&self, scope: &Scope<'_>, spec: &Database, wiring: &Wiring) -> Objects {
        let Some(store) = self.store(scope, spec) else { return Objects::default() };
        let mut objects = store.objects();
        objects.extend(store.admin_secret(ADMIN));
        for (user, credential) in wiring.users(Database::ROLE).filter_map(|it| Some((it, it.credential.as_ref()?))) {
            objects.extend(store.login_secret(credential, &user.login()));
        }
        let server = server(spec, &version(scope, spec), &store.admin().secret);
        objects.extend(server.stateful(scope, &[(DATA, VOLUME)]));
        objects
    }

    fn provision(&self, scope: &Scope<'_>, spec: &Database, wiring: &Wiring) -> Vec<agents::Provision> {
        let Some(store) = self.store(scope, spec) else { return vec![] };
        let database = |user: &Dependency| self.names().inside(&user.resource());
        let databases: BTreeSet<_> = wiring.users(Database::ROLE).map(database).collect();
        let login = |user: &Dependency| agents::DatabaseLogin {
            username: user.login(),
            service: user.login(),
            secret: user.credential.as_ref().map(|it| it.secret.clone()).unwrap_or_default(),
            database: database(user),
            read_only: user.request().is_some_and(|request| request.read_only),
        };
        vec![agents::Provision::PostgreSQL(agents::PostgreSQL {
            component: Database::ROLE.to_string(),
            host: scope.component(Database::ROLE, ""),
            port: PORT as u16,
            admin_secret: store.admin().secret,
            databases: databases.into_iter().collect(),
            version: store.major,
            logins: wiring.users(Database::ROLE).map(login).collect(),
        })]
    }
}

/// What the user asks for; else what the data was written by; else the newest tested.
fn version(scope: &Scope<'_>, spec: &Database) -> Version {
    let recorded = store::recorded(scope, &PartName::component(Database::ROLE), ENGINE);
    images::version_of(images::POSTGRESQL, spec.version.as_ref().map(ToString::to_string), recorded)
}

fn server(spec: &Database, version: &Version, admin: &str) -> Workload {
    let limit = spec.runtime.resources.as_ref().and_then(|it| it.limits.get("memory")).map(ToString::to_string);
    Workload {
        image: spec.runtime.image.clone(),
        default_image: images::postgresql(&version.exact),
        user: USER,
        ports: vec![Port::new("postgresql", PORT)],
        env: vec![
            value("PGDATA", format!("{VOLUME}/{}/docker", version.major)),
            from_secret("POSTGRES_USER", admin, USERNAME),
            from_secret("POSTGRES_PASSWORD", admin, PASSWORD),
            value("POSTGRES_DB", "postgres"),
            value("POSTGRES_INITDB_ARGS", INITDB),
        ],
        volumes: vec![pod::scratch("run", "16Mi"), pod::memory("shm", limit.as_deref().unwrap_or(SHARED_MEMORY))],
        mounts: vec![pod::mount("run", "/var/run/postgresql", false), pod::mount("shm", "/dev/shm", false)],
        // The one probe, and one that restarts nothing: a first start makes the data, and a recovery reads the log, for
        // as long as that takes. Restarted in the midst of it, the server would begin again from the same place.
        readiness: Some(ProbeHandler::Exec(&["pg_isready", "--host=127.0.0.1", "--username=postgres", "--quiet"])),
        resources: spec.runtime.resources.clone(),
        default_requests: ("100m", "256Mi"),
        scheduling: spec.runtime.scheduling.clone(),
        shutdown: Shutdown { stop: 120, ..Default::default() },
        // A version that the user asks for is a change of its own.
        annotations: spec.version.iter().map(|v| ("microapp.dev/version".to_owned(), v.to_string())).collect(),
        ..Workload::new(PartName::component(Database::ROLE), "postgresql")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &Database) -> Workload {
        server(spec, &images::version_of(images::POSTGRESQL, None, None), "admin")
    }

    #[test]
    fn no_probe_ends_a_server_that_recovers() {
        let server = of(&Database::default());
        // `pg_isready` answers 0 only when connections are accepted, and 1 as long as a server recovers.
        assert!(
            server.startup.is_none() && server.liveness.is_none(),
            "a probe that can fail while it recovers ends it"
        );
        assert!(matches!(server.readiness, Some(ProbeHandler::Exec(command)) if command[0] == "pg_isready"));
    }

    #[test]
    fn shared_memory_is_as_large_as_the_limit() {
        let size = |spec: &Database| {
            let shm =
                of(spec).volumes.into_iter().find(|volume| volume.name == "shm").and_then(|volume| volume.empty_dir);
            shm.map(|dir| (dir.medium.unwrap_or_default(), dir.size_limit.unwrap_or_default().0)).unwrap_or_default()
        };
        assert_eq!(size(&Database::default()), ("Memory".into(), SHARED_MEMORY.into()));
        let spec: Database =
            serde_json::from_value(serde_json::json!({ "resources": { "limits": { "memory": "3Gi" } } }))
                .unwrap_or_default();
        assert_eq!(size(&spec), ("Memory".into(), "3Gi".into()));
    }
}
