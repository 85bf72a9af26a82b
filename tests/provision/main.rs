//! The provisioner against real servers: what it makes, what it repairs, what it takes away, and what it
//! never touches.

mod hostile;
mod redis;
mod rounds;
mod server;

use std::collections::BTreeMap;

use anyhow::Context;
use microapp::agent::provision::Provisioner;
use microapp::kit::agents::{DatabaseLogin, Plan, PostgreSQL, Proof, Provision, Report};
use server::{ADMIN, ADMIN_PASSWORD, Server};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// One application and its server.
struct Case {
    server: Server,
    mark: &'static str,
    version: String,
    logins: Vec<DatabaseLogin>,
    password: BTreeMap<String, String>,
}

impl Case {
    /// Services with names of the resource, the database that each uses, and whether it may only read.
    fn new(services: &[(&str, &str, bool)]) -> anyhow::Result<Option<Self>> {
        let Some(server) = Server::start()? else { return Ok(None) };
        let mut case = Self { server, mark: "shop", version: String::new(), logins: vec![], password: BTreeMap::new() };
        case.secret("admin", ADMIN, ADMIN_PASSWORD)?;
        case.services(services)?;
        Ok(Some(case))
    }

    fn services(&mut self, services: &[(&str, &str, bool)]) -> anyhow::Result<()> {
        self.logins.clear();
        for &(service, database, read_only) in services {
            let secret = format!("{service}-v1");
            self.secret(&secret, service, &format!("password-of-{service}"))?;
            self.logins.push(DatabaseLogin {
                service: service.into(),
                username: service.into(),
                secret,
                database: database.into(),
                read_only,
            });
        }
        Ok(())
    }

    fn secret(&mut self, secret: &str, username: &str, password: &str) -> anyhow::Result<()> {
        let folder = self.server.folder.join("logins").join(secret);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("username"), username)?;
        std::fs::write(folder.join("password"), password)?;
        self.password.insert(username.into(), password.into());
        Ok(())
    }

    /// The first round of a provisioner: what was told before the repair, and the proofs at its end.
    async fn round(&self) -> (Option<Report>, Vec<Proof>) {
        let (told, report) = self.round_after(None).await;
        (told, report.proofs)
    }

    async fn round_after(&self, last: Option<&Report>) -> (Option<Report>, Report) {
        let provisioner = self.provisioner(vec![]);
        let report = |proofs: &[Proof]| Report { proofs: proofs.to_vec(), ..Default::default() };
        let mut told = None;
        let last = last.map(|report| report.proofs.clone()).unwrap_or_default();
        let proofs = provisioner
            .round(&provisioner.plan.provisions[0], &last, async |proofs: &[Proof]| told = Some(report(proofs)))
            .await;
        (told, report(&proofs))
    }

    /// A provisioner of this server, and of others.
    fn provisioner(&self, others: Vec<PostgreSQL>) -> Provisioner {
        let provisions = std::iter::once(self.plan()).chain(others).map(Provision::PostgreSQL).collect();
        let plan = Plan { mark: self.mark.into(), interval_seconds: 2, provisions, secrets: None };
        let folder = |name| self.server.folder.join(name);
        let (logins, secrets, whole_secrets) = (folder("logins"), folder("secrets"), folder("whole"));
        Provisioner { plan, digest: "d1".into(), logins, secrets, whole_secrets, mounted: tokio::time::Instant::now() }
    }

    fn plan(&self) -> PostgreSQL {
        let mut databases: Vec<String> = self.logins.iter().map(|login| login.database.clone()).collect();
        databases.sort();
        databases.dedup();
        PostgreSQL {
            component: "database".into(),
            host: "127.0.0.1".into(),
            port: self.server.port,
            admin_secret: "admin".into(),
            databases,
            version: self.version.clone(),
            logins: self.logins.clone(),
        }
    }

    /// One round after which everything must work.
    async fn sound(&self) -> anyhow::Result<()> {
        let (_, proofs) = self.round().await;
        anyhow::ensure!(proofs.len() == self.logins.len() && proofs.iter().all(|proof| proof.proved), "{proofs:#?}");
        Ok(())
    }

    async fn connect(&self, user: &str, database: &str) -> anyhow::Result<Client> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.server.port).user(user).password(&self.password[user]).dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The first column of the last row that the statements answer with.
    async fn sql(&self, user: &str, database: &str, statements: &str) -> anyhow::Result<String> {
        answer(&self.connect(user, database).await?, statements).await
    }

    async fn admin(&self, statements: &str) -> anyhow::Result<String> {
        self.sql(ADMIN, "postgres", statements).await
    }
}

async fn answer(client: &Client, statements: &str) -> anyhow::Result<String> {
    let messages = client.simple_query(statements).await.with_context(|| statements.to_string())?;
    let row = messages
        .iter()
        .rev()
        .find_map(|message| if let SimpleQueryMessage::Row(row) = message { row.get(0) } else { None });
    Ok(row.unwrap_or_default().into())
}

fn reasons(proofs: &[Proof]) -> Vec<(&str, &str)> {
    proofs.iter().map(|proof| (proof.service.as_str(), proof.reason.as_str())).collect()
}

/// The number of the next transaction that writes: while it stays, nothing was written.
const NEXT_WRITE: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())";

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn makes_and_proves_and_then_rests() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("reports", "orders", true)])? else { return Ok(()) };
    let (told, proofs) = case.round().await;
    assert_eq!(
        reasons(&told.context("nothing was told")?.proofs),
        [("orders", "LoginRefused"), ("reports", "LoginRefused")]
    );
    assert!(proofs.iter().all(|proof| proof.proved && proof.component == "database"), "{proofs:#?}");
    assert_eq!((proofs[0].identity.as_str(), proofs[0].secret.as_str()), ("orders", "orders-v1"));
    assert!(
        case.sql(ADMIN, "postgres", "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'orders__owner'").await? == "f"
    );
    assert!(!std::fs::read_to_string(case.server.log())?.contains("password-of-"));

    let before = case.admin(NEXT_WRITE).await?;
    let (told, _) = case.round().await;
    assert!(told.is_none());
    assert_eq!(case.admin(NEXT_WRITE).await?, before);
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn repairs_what_was_changed_by_hand() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("reports", "orders", true)])? else { return Ok(()) };
    case.sound().await?;
    case.sql("orders", "orders", "CREATE TABLE pending (id int)").await?;
    for (change, broken) in [
        ("ALTER ROLE orders PASSWORD 'another'", ("orders", "LoginRefused")),
        ("ALTER ROLE orders NOLOGIN", ("orders", "LoginRefused")),
        ("ALTER ROLE orders IN DATABASE orders RESET role", ("orders", "AccessMissing")),
        ("REVOKE orders__owner FROM orders", ("orders", "AccessMissing")),
        ("REVOKE CONNECT ON DATABASE orders FROM orders__reader", ("reports", "AccessMissing")),
        ("REVOKE orders__reader FROM reports", ("reports", "AccessMissing")),
        ("GRANT orders__owner TO reports", ("reports", "AccessTooWide")),
    ] {
        case.admin(change).await?;
        let (told, _) = case.round().await;
        let told = told.with_context(|| format!("{change}: nothing was told"))?;
        let found: Vec<_> = reasons(&told.proofs).into_iter().filter(|(_, reason)| *reason != "LoggedIn").collect();
        assert_eq!(found, [broken], "{change}");
        case.sound().await.with_context(|| change)?;
    }
    case.sql(ADMIN, "orders", "REVOKE SELECT ON pending FROM orders__reader").await?;
    case.sound().await
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn what_others_made_is_not_touched() -> anyhow::Result<()> {
    let Some(mut case) =
        Case::new(&[("orders", "orders", false), ("billing", "billing", false), ("web", "web", false)])?
    else {
        return Ok(());
    };
    case.admin("CREATE ROLE orders LOGIN PASSWORD 'theirs'").await?;
    case.admin("CREATE DATABASE billing").await?;
    let foreign = "SELECT (SELECT xmin FROM pg_authid WHERE rolname = 'orders') || ' ' || (SELECT xmin FROM \
        pg_database WHERE datname = 'billing')";
    let before = case.admin(foreign).await?;
    let (_, first) = case.round_after(None).await;
    assert_eq!(reasons(&first.proofs), [("orders", "NotManaged"), ("billing", "NotManaged"), ("web", "LoggedIn")]);
    let (told, second) = case.round_after(Some(&first)).await;
    assert!(told.is_none() && second == first, "what stays broken is reported once");
    assert_eq!(case.admin(foreign).await?, before);

    // Nor does another application touch what ours has made, whether it wants the same name or none.
    case.services(&[("web", "web", false)])?;
    case.sound().await?;
    case.mark = "other";
    case.services(&[("mail", "web", false)])?;
    assert_eq!(reasons(&case.round().await.1), [("mail", "NotManaged")]);
    case.sql("web", "web", "CREATE TABLE still_ours (id int)").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn reading_and_writing_switch_both_ways() -> anyhow::Result<()> {
    let both = [("orders", "orders", false), ("reports", "orders", true)];
    let Some(mut case) = Case::new(&both)? else { return Ok(()) };
    case.sound().await?;
    let read = "SELECT count(*) FROM pending";
    let write = "INSERT INTO pending VALUES (1)";
    case.sql(
        "orders",
        "orders",
        "CREATE TABLE pending (id int); CREATE SCHEMA extra; CREATE TABLE extra.more (id int)",
    )
    .await?;
    assert_eq!(case.sql("reports", "orders", read).await?, "0");
    case.sql("reports", "orders", "SELECT * FROM extra.more").await?;
    for forbidden in [write, "CREATE TABLE mine (id int)", "DROP TABLE pending", "SET ROLE orders__owner"] {
        assert!(case.sql("reports", "orders", forbidden).await.is_err(), "{forbidden}");
    }

    case.services(&[("orders", "orders", false), ("reports", "orders", false)])?;
    case.sound().await?;
    let session = case.connect("reports", "orders").await?;
    answer(&session, write).await?;
    answer(&session, "CREATE TABLE mine (id int)").await?;

    case.services(&both)?;
    case.sound().await?;
    assert!(answer(&session, write).await.is_err(), "a session from before keeps no access");
    assert!(case.sql("reports", "orders", write).await.is_err());
    assert_eq!(case.sql("reports", "orders", read).await?, "1");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn removal_takes_access_and_keeps_rows() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    case.sound().await?;
    case.sql("orders", "orders", "CREATE TABLE pending (id int); INSERT INTO pending VALUES (7)").await?;
    let session = case.connect("orders", "orders").await?;
    case.services(&[("web", "web", false)])?;
    case.sound().await?;
    assert!(answer(&session, "SELECT 1").await.is_err());
    assert!(case.sql("orders", "orders", "SELECT 1").await.is_err());
    assert_eq!(
        case.admin("SELECT rolpassword IS NULL AND NOT rolcanlogin FROM pg_authid WHERE rolname = 'orders'").await?,
        "t"
    );
    assert_eq!(
        case.admin(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'orders'"
        )
        .await?,
        "0"
    );
    let before = case.admin(NEXT_WRITE).await?;
    case.sound().await?;
    assert_eq!(case.admin(NEXT_WRITE).await?, before, "taken once, not each round");

    case.services(&[("orders", "orders", false), ("web", "orders", false)])?;
    case.sound().await?;
    assert_eq!(case.sql("orders", "orders", "SELECT id FROM pending").await?, "7");
    assert_eq!(case.sql("web", "orders", "SELECT id FROM pending").await?, "7");
    assert!(
        case.sql("web", "web", "SELECT 1").await.is_err(),
        "a login that has moved has no access to its former database"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn two_services_share_a_database() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "common", false), ("payments", "common", false), ("web", "web", false)])?
    else {
        return Ok(());
    };
    case.sound().await?;
    case.sql("orders", "common", "CREATE TABLE pending (id int); INSERT INTO pending VALUES (1)").await?;
    case.sql("payments", "common", "INSERT INTO pending VALUES (2); ALTER TABLE pending ADD paid bool").await?;
    assert_eq!(case.sql("orders", "common", "SELECT count(paid IS NULL) FROM pending").await?, "2");
    assert!(case.sql("web", "common", "SELECT 1").await.is_err());
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn awkward_names() -> anyhow::Result<()> {
    let (select, dashes, quotes) = ("select", "a-b-c", "Straße \"1\" 'x'");
    let Some(mut case) = Case::new(&[
        ("user", select, false),
        ("order-items", dashes, false),
        ("orders_owner", "orders", false),
        (quotes, "user", true),
    ])?
    else {
        return Ok(());
    };
    case.sound().await?;
    case.sql("order-items", dashes, "CREATE TABLE \"table\" (id int)").await?;
    // Each statement once more, now to change and to take away.
    case.services(&[("order-items", dashes, true), (quotes, quotes, false)])?;
    case.sound().await?;
    assert!(case.sql("order-items", dashes, "DROP TABLE \"table\"").await.is_err());
    assert!(case.sql("user", select, "SELECT 1").await.is_err());
    // The administrator and the system's databases are not ours, and their names are not free.
    case.services(&[(ADMIN, "orders", false), ("web", "template1", false)])?;
    case.secret("postgres-v1", ADMIN, "wrong")?;
    case.password.insert(ADMIN.into(), ADMIN_PASSWORD.into());
    assert_eq!(reasons(&case.round().await.1), [(ADMIN, "NotManaged"), ("web", "NotManaged")]);
    case.admin("SELECT 1").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn one_obstacle_never_stops_the_others() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    std::fs::remove_dir_all(case.server.folder.join("logins/orders-v1"))?;
    assert_eq!(reasons(&case.round().await.1), [("orders", "SecretMissing"), ("web", "LoggedIn")]);
    // Without the administrator nothing can be repaired, but what works is still seen to work.
    std::fs::remove_dir_all(case.server.folder.join("logins/admin"))?;
    assert_eq!(reasons(&case.round().await.1), [("orders", "SecretMissing"), ("web", "LoggedIn")]);
    case.server.stop()?;
    let (_, proofs) = case.round().await;
    assert_eq!(
        reasons(&proofs),
        [("orders", "SecretMissing"), ("web", "AdministratorMissing")],
        "each missing Secret is told of its own"
    );
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_server_that_is_down_is_said_of_all() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("web", "web", true)])? else { return Ok(()) };
    case.sound().await?;
    case.server.stop()?;
    let (_, proofs) = case.round().await;
    assert_eq!(reasons(&proofs), [("orders", "ServerUnreachable"), ("web", "ServerUnreachable")]);
    assert_eq!(case.round().await.1, proofs, "the same sentence each round, or the report would be written each round");
    Ok(())
}
