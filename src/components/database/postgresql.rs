//! PostgreSQL, one instance: <https://www.postgresql.org/docs/current/>; the image: <https://hub.docker.com/_/postgres>.

use super::{Database, DatabaseEdge, admin_secret, ask, claim, hook, login_secret, version};
use crate::components::{Component, Engine, Wiring};
use crate::kit::{
    agents,
    binding::{Binding, from_secret, value},
    credentials::{self, PASSWORD, USERNAME},
    images::{self, Version},
    objects::Objects,
    pod::{self, Ask, Shutdown},
    problem::Problem,
    scope::Scope,
    volumes::{self, Data},
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

pub struct PostgreSql;

impl Engine<Database> for PostgreSql {
    fn name(&self) -> &'static str {
        ENGINE
    }

    fn check(&self, scope: &Scope<'_>, spec: &Database) -> Vec<Problem> {
        let wanted = version(scope, spec, images::POSTGRESQL);
        let mut problems = vec![];
        if !images::POSTGRESQL.iter().any(|(major, _)| *major == wanted.major) {
            let known: Vec<_> = images::POSTGRESQL.iter().map(|(major, _)| format!("'{major}'")).collect();
            let message =
                format!("PostgreSQL {} is not a tested major; write one of {}", wanted.major, known.join(", "));
            problems.push(Problem::new("spec.database.version", "UnknownVersion", message));
        }
        problems.extend(ask(scope, spec, data(&wanted), |place| place.obstacle()));
        problems
    }

    fn hints(&self, scope: &Scope<'_>, spec: &Database) -> Vec<Problem> {
        ask(scope, spec, data(&version(scope, spec, images::POSTGRESQL)), |place| place.hints())
    }

    fn reserved(&self) -> &'static [&'static str] {
        RESERVED
    }

    fn build(&self, scope: &Scope<'_>, spec: &Database, wiring: &Wiring, out: &mut Objects) {
        let (name, hook, claim) = (scope.component(Database::ROLE, ""), hook(scope), claim(scope));
        let version = version(scope, spec, images::POSTGRESQL);
        let data = data(&version);
        volumes::anchor(scope, &hook, data, &[&claim], out);
        let admin = admin_secret(scope);
        credentials::login(scope, &hook, data.part, &admin, ADMIN, Some(claim.clone()), out);
        for edge in &wiring.databases {
            let login = login_secret(scope, &edge.service, edge.login);
            credentials::login(scope, &hook, data.part, &login, &edge.service, None, out);
        }
        volumes::claim(scope, &hook, &claim, data, spec.storage.as_ref(), out);
        server(spec, name, &version, &admin).stateful(scope, VOLUME, out);
    }

    fn provision(&self, scope: &Scope<'_>, spec: &Database, wiring: &Wiring) -> Option<agents::Provision> {
        let databases: std::collections::BTreeSet<_> =
            wiring.databases.iter().map(|edge| edge.database.clone()).collect();
        let login = |edge: &DatabaseEdge| {
            let (secret, service) = (login_secret(scope, &edge.service, edge.login), edge.service.clone());
            agents::DatabaseLogin {
                username: service.clone(),
                service,
                secret,
                database: edge.database.clone(),
                read_only: edge.read_only,
            }
        };
        Some(agents::Provision::PostgreSQL(agents::PostgreSQL {
            component: Database::ROLE.into(),
            host: scope.component(Database::ROLE, ""),
            port: PORT as u16,
            admin_secret: admin_secret(scope),
            databases: databases.into_iter().collect(),
            version: version(scope, spec, images::POSTGRESQL).major,
            logins: wiring.databases.iter().map(login).collect(),
        }))
    }
}

fn data(version: &Version) -> Data<'_> {
    Data { part: Database::ROLE, engine: ENGINE, major: &version.major }
}

fn server(spec: &Database, name: String, version: &Version, admin: &str) -> Workload {
    let limit = spec.runtime.resources.as_ref().and_then(|it| it.limits.get("memory")).map(ToString::to_string);
    Workload {
        name,
        part: Database::ROLE.into(),
        container: "postgresql".into(),
        image: spec.runtime.image.clone(),
        default_image: images::postgresql(&version.exact),
        user: USER,
        replicas: 1,
        ports: vec![Port::new("postgresql", PORT)],
        env: vec![
            value("PGDATA", format!("{VOLUME}/{}/docker", version.major)),
            from_secret("POSTGRES_USER", admin, USERNAME),
            from_secret("POSTGRES_PASSWORD", admin, PASSWORD),
            value("POSTGRES_DB", "postgres"),
            value(
                "POSTGRES_INITDB_ARGS",
                "--data-checksums --auth-host=scram-sha-256 --auth-local=scram-sha-256 --encoding=UTF8",
            ),
        ],
        volumes: vec![pod::scratch("run", "16Mi"), pod::memory("shm", limit.as_deref().unwrap_or(SHARED_MEMORY))],
        mounts: vec![pod::mount("run", "/var/run/postgresql", false), pod::mount("shm", "/dev/shm", false)],
        // The one probe, and one that ends nothing: a first start makes the data, and a recovery reads the log, for as long as that takes. Ended in the
        // midst of it, the server would begin again from the same place, for ever.
        readiness: Some(Ask::Exec(&["pg_isready", "--host=127.0.0.1", "--username=postgres", "--quiet"])),
        resources: spec.runtime.resources.clone(),
        default_requests: ("100m", "256Mi"),
        scheduling: spec.runtime.scheduling.clone(),
        shutdown: Shutdown { stop: 120, ..Default::default() },
        // A version that the user asks for is a change of its own.
        annotations: spec.version.iter().map(|asked| ("microapp.dev/version".to_owned(), asked.to_string())).collect(),
        ..Default::default()
    }
}

/// How a service reaches its database. Passwords are letters and digits, so addresses need no escaping.
pub fn binding(scope: &Scope<'_>, edge: &DatabaseEdge) -> Binding {
    let (host, database) = (scope.component(Database::ROLE, ""), &edge.database);
    Binding {
        name: Database::ROLE.into(),
        kind: "postgresql".into(),
        port: PORT,
        resource: Some(database.clone()),
        secret: Some(login_secret(scope, &edge.service, edge.login)),
        urls: vec![
            (
                "URL",
                "postgresql://$(DATABASE_USERNAME):$(DATABASE_PASSWORD)@$(DATABASE_HOSTPORT)/$(DATABASE_NAME)".into(),
            ),
            ("JDBC_URL", "jdbc:postgresql://$(DATABASE_HOSTPORT)/$(DATABASE_NAME)".into()),
            ("R2DBC_URL", "r2dbc:postgresql://$(DATABASE_HOSTPORT)/$(DATABASE_NAME)".into()),
        ],
        host,
        tls: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &Database) -> Workload {
        server(spec, "shop-database".into(), &images::version_of(images::POSTGRESQL, None, None), "admin")
    }

    #[test]
    fn no_probe_ends_a_server_that_recovers() {
        let server = of(&Database::default());
        // `pg_isready` answers 0 only when connections are accepted, and 1 as long as a server recovers.
        assert!(
            server.startup.is_none() && server.liveness.is_none(),
            "a probe that can fail while it recovers ends it"
        );
        assert!(matches!(server.readiness, Some(Ask::Exec(command)) if command[0] == "pg_isready"));
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
