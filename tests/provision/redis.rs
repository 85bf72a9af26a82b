//! The provisioner against a real server that speaks the protocol of Redis.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use microapp::agent::provision::Provisioner;
use microapp::kit::agents::{ADMINISTRATOR, CacheLogin, Plan, Proof, Provision, Redis};
use redis::{Client, ConnectionAddr, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, Value};

use crate::reasons;

/// One application and its server.
struct Case {
    folder: PathBuf,
    port: u16,
    server: Option<Child>,
    logins: Vec<CacheLogin>,
}

impl Case {
    /// Services, and whether each may only read. None where no server is installed; with `CI` or
    /// `MICROAPP_REQUIRE_CLUSTER` set, that fails.
    fn new(services: &[(&str, bool)]) -> anyhow::Result<Option<Self>> {
        let Some(program) = program() else {
            let required = ["CI", "MICROAPP_REQUIRE_CLUSTER"].iter().any(|v| std::env::var_os(v).is_some());
            ensure!(!required, "no Valkey or Redis on this machine (Debian: apt-get install redis-server)");
            eprintln!("skipped: no Valkey or Redis on this machine (Debian: apt-get install redis-server)");
            return Ok(None);
        };
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("microapp-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("data"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut case = Self { folder, port, server: None, logins: vec![] };
        case.secret("admin", ADMINISTRATOR, "password-of-the-administrator")?;
        for &(service, read_only) in services {
            let secret = format!("{service}-v1");
            case.secret(&secret, service, &password(service))?;
            let (service, username) = (service.to_owned(), service.to_owned());
            case.logins.push(CacheLogin { service, username, secret, read_only });
        }
        case.start(program)?;
        Ok(Some(case))
    }

    fn secret(&self, secret: &str, username: &str, password: &str) -> anyhow::Result<()> {
        let folder = self.folder.join("logins").join(secret);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("username"), username)?;
        Ok(std::fs::write(folder.join("password"), password)?)
    }

    /// As the pod begins: first the agent, then the server.
    fn start(&mut self, program: &str) -> anyhow::Result<()> {
        let users = self.folder.join("data/users.acl");
        let agent = Command::new(env!("CARGO_BIN_EXE_microapp"))
            .args(["agent", "users", "--administrator"])
            .arg(self.folder.join("logins/admin/password"))
            .arg("--file")
            .arg(&users)
            .status()?;
        ensure!(agent.success(), "the agent ended with {agent}");
        let server = Command::new(program)
            .args(["--bind", "127.0.0.1", "--save", "", "--port", &self.port.to_string(), "--aclfile"])
            .arg(users)
            .arg("--dir")
            .arg(self.folder.join("data"))
            .stdout(Stdio::null())
            .spawn()
            .context("the server")?;
        self.server = Some(server);
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(20), "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().and_then(|()| server.wait()).ok();
        }
    }

    /// One round of a provisioner that knew nothing.
    async fn round(&self) -> Vec<Proof> {
        self.round_and_told().await.1
    }

    /// What was told before the repair, and the proofs at the end.
    async fn round_and_told(&self) -> (Vec<Proof>, Vec<Proof>) {
        let provisioner = self.provisioner();
        let mut told = vec![];
        let after = provisioner
            .round(&provisioner.plan.provisions[0], &[], async |proofs: &[Proof]| told = proofs.to_vec())
            .await;
        (told, after)
    }

    fn provisioner(&self) -> Provisioner {
        let plan = Redis {
            component: "cache".into(),
            host: "127.0.0.1".into(),
            admin_host: "127.0.0.1".into(),
            port: self.port,
            admin_secret: "admin".into(),
            logins: self.logins.clone(),
        };
        let provisions = vec![Provision::Redis(plan)];
        let plan = Plan { mark: "acme/shop".into(), interval_seconds: 2, provisions, secrets: None };
        let folder = |name| self.folder.join(name);
        let (logins, secrets, whole_secrets) = (folder("logins"), folder("secrets"), folder("whole"));
        let mounted = tokio::time::Instant::now();
        Provisioner { plan, digest: "d1".into(), logins, secrets, whole_secrets, mounted }
    }

    async fn sound(&self) -> anyhow::Result<()> {
        let proofs = self.round().await;
        ensure!(proofs.len() == self.logins.len() && proofs.iter().all(|proof| proof.proved), "{proofs:#?}");
        Ok(())
    }

    async fn session(&self, user: &str, password: &str) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
        let settings = RedisConnectionInfo::default().set_username(user).set_password(password);
        let address = ConnectionAddr::Tcp("127.0.0.1".into(), self.port).into_connection_info()?;
        Client::open(address.set_redis_settings(settings))?.get_multiplexed_async_connection().await
    }

    async fn ask<T: FromRedisValue>(&self, user: &str, password: &str, command: &str) -> redis::RedisResult<T> {
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap_or_default());
        for word in words {
            asked.arg(word);
        }
        asked.query_async(&mut self.session(user, password).await?).await
    }

    async fn admin<T: FromRedisValue>(&self, command: &str) -> redis::RedisResult<T> {
        self.ask(ADMINISTRATOR, "password-of-the-administrator", command).await
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        self.kill();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn program() -> Option<&'static str> {
    let is_there = |program: &&str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    ["valkey-server", "redis-server"].into_iter().find(is_there)
}

fn password(service: &str) -> String {
    format!("password-of-{service}")
}

/// The word by which the server refuses; none for a wrong password, of which the client tells only that.
fn refusal<T: std::fmt::Debug>(answer: redis::RedisResult<T>) -> String {
    answer.map_or_else(|error| error.code().unwrap_or_default().to_owned(), |answer| format!("{answer:?}"))
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn each_service_reaches_the_keys_and_nothing_beyond() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", false), ("stats", true)])? else { return Ok(()) };
    let (orders, stats) = (password("orders"), password("stats"));
    assert_eq!(refusal(case.ask::<Value>("orders", &orders, "GET a").await), "", "before the first round");
    case.sound().await?;
    case.ask::<()>("orders", &orders, "SET cart:1 tea").await?;
    assert_eq!(case.ask::<String>("stats", &stats, "GET cart:1").await?, "tea");
    for allowed in ["EVAL return(1) 0", "INFO server", "SCAN 0", "PUBLISH news x", "SELECT 1", "HELLO 3"] {
        case.ask::<Value>("orders", &orders, allowed).await.with_context(|| allowed.to_owned())?;
    }
    for closed in [
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET maxmemory",
        "ACL SETUSER orders allcommands",
        "ACL LIST",
        "CLIENT LIST",
        "CLIENT KILL ID 1",
        "CLIENT PAUSE 1",
        "CLIENT UNBLOCK 1",
        "FUNCTION LIST",
        "SCRIPT FLUSH",
        "SHUTDOWN",
        "MONITOR",
        "MODULE LIST",
    ] {
        for (service, password) in [("orders", &orders), ("stats", &stats)] {
            let answer = case.ask::<Value>(service, password, closed).await;
            assert_eq!(refusal(answer), "NOPERM", "{service}: {closed}");
        }
    }
    for closed in ["SET cart:1 x", "DEL cart:1", "PUBLISH news x", "EVAL return(1) 0"] {
        assert_eq!(refusal(case.ask::<Value>("stats", &stats, closed).await), "NOPERM", "{closed}");
    }
    let nobody = Client::open(format!("redis://127.0.0.1:{}", case.port))?;
    let mut nobody = nobody.get_multiplexed_async_connection().await?;
    assert_eq!(refusal(redis::cmd("PING").query_async::<Value>(&mut nobody).await), "NOAUTH");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn what_is_changed_by_hand_is_told_and_comes_back() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", false), ("stats", true)])? else { return Ok(()) };
    case.sound().await?;
    for (change, reason) in [
        ("ACL SETUSER orders resetpass >other", "LoginRefused"),
        ("ACL SETUSER orders off", "LoginRefused"),
        ("ACL DELUSER orders", "LoginRefused"),
        ("ACL SETUSER orders -set", "AccessMissing"),
        ("ACL SETUSER orders +config", "AccessTooWide"),
    ] {
        case.admin::<Value>(change).await?;
        let (told, after) = case.round_and_told().await;
        assert_eq!(reasons(&told)[0], ("orders", reason), "{change}");
        assert!(after.iter().all(|proof| proof.proved), "{change}: {after:#?}");
    }
    // What no proof sees comes back, too.
    case.admin::<Value>("ACL SETUSER stats +flushall ~*").await?;
    case.admin::<Value>("ACL SETUSER default on nopass +@all ~*").await?;
    case.sound().await?;
    assert_eq!(refusal(case.ask::<Value>("stats", &password("stats"), "FLUSHALL").await), "NOPERM");
    assert_eq!(refusal(case.ask::<Value>("default", "", "PING").await), "");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn a_service_that_leaves_takes_its_sessions_along() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", false), ("stats", true)])? else { return Ok(()) };
    case.sound().await?;
    let mut open = case.session("stats", &password("stats")).await?;
    redis::cmd("GET").arg("a").query_async::<Value>(&mut open).await?;
    case.logins.retain(|login| login.service == "orders");
    case.sound().await?;
    assert!(redis::cmd("GET").arg("a").query_async::<Value>(&mut open).await.is_err(), "the session goes on");
    let mut users: Vec<String> = case.admin("ACL USERS").await?;
    users.sort();
    assert_eq!(users, [ADMINISTRATOR, "__provisioned", "default", "orders"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn a_server_that_starts_again_knows_everybody_from_the_first_moment() -> anyhow::Result<()> {
    let Some(mut case) = Case::new(&[("orders", false)])? else { return Ok(()) };
    case.sound().await?;
    let saved = std::fs::read_to_string(case.folder.join("data/users.acl"))?;
    assert!(saved.lines().any(|line| line.starts_with("user __provisioned ")), "the probe finds nothing in {saved}");
    assert!(!saved.contains(&password("orders")), "a password stands in the file");
    case.kill();
    // The administrator's password may have been changed by hand; a start repairs that alone.
    let broken = saved.replace(&format!("user {ADMINISTRATOR} on"), &format!("user {ADMINISTRATOR} off"));
    std::fs::write(case.folder.join("data/users.acl"), broken)?;
    case.start(program().context("a server")?)?;
    case.ask::<Value>("orders", &password("orders"), "SET a 1").await?;
    case.admin::<Value>("ACL WHOAMI").await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn a_missing_secret_is_told_of_whom_it_is() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", false), ("stats", true)])? else { return Ok(()) };
    std::fs::remove_dir_all(case.folder.join("logins/stats-v1"))?;
    assert_eq!(reasons(&case.round().await), [("orders", "LoggedIn"), ("stats", "SecretMissing")]);
    std::fs::remove_dir_all(case.folder.join("logins/admin"))?;
    assert_eq!(reasons(&case.round().await), [("orders", "LoggedIn"), ("stats", "SecretMissing")], "nothing to repair");
    case.secret("stats-v1", "stats", &password("stats"))?;
    assert_eq!(reasons(&case.round().await), [("orders", "LoggedIn"), ("stats", "AdministratorMissing")]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs a Valkey or Redis server: `make test` runs it"]
async fn no_key_of_a_service_refutes_another_one() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", false), ("stats", true)])? else { return Ok(()) };
    case.sound().await?;
    for name in ["stats", "orders"] {
        case.ask::<Value>("orders", &password("orders"), &format!("DEL microapp:verified:{name}")).await?;
        case.ask::<Value>("orders", &password("orders"), &format!("LPUSH microapp:verified:{name} x")).await?;
    }
    case.sound().await
}
