//! [Access of Valkey and Redis](https://valkey.io/topics/acl/): one user for each service, and nobody else. The whole
//! server is the application's, so whoever does not stand in the plan is removed. It is saved in every round: the file
//! is never older than the server, whatever became of it.

use std::path::Path;
use std::time::Duration;

use futures::{FutureExt, future::BoxFuture, future::join_all};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, aio::MultiplexedConnection, cmd,
};

use super::{Failure, Login, Obstacle, Server, proof};
use crate::agent::{users::hashed, whole};
use crate::kit::agents::{ADMINISTRATOR, CacheLogin, PROVISIONED, Proof, Redis, User};

/// For each exchange with a server.
const DEADLINE: Duration = Duration::from_secs(5);
/// All that applications need, and nothing that reaches beyond the keys: settings, other clients, functions of the
/// whole server.
const READ_WRITE: &[&str] = &[
    "~*",
    "&*",
    "+@all",
    "-@admin",
    "-@dangerous",
    "-@scripting",
    "+eval",
    "+evalsha",
    "+eval_ro",
    "+evalsha_ro",
    "+script|load",
    "+script|exists",
    "+info",
];
/// `@connection` alone would let it end the sessions of others.
const READ_ONLY: &[&str] =
    &["%R~*", "resetchannels", "-@all", "+@read", "+@connection", "-@admin", "-@dangerous", "+info", "+acl|whoami"];

impl Server for Redis {
    fn prove<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Vec<Proof>> {
        join_all(self.logins.iter().map(move |login| prove(self, login, logins))).boxed()
    }

    fn repair<'a>(&'a self, _: &'a str, logins: &'a Path, proofs: &'a [Proof]) -> BoxFuture<'a, Vec<Obstacle>> {
        repair(self, logins, proofs).boxed()
    }

    fn ended<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        ended(self, logins).boxed()
    }
}

async fn prove(server: &Redis, login: &CacheLogin, logins: &Path) -> Proof {
    let user = User { service: login.service.clone(), secret: login.secret.clone() };
    proof(&server.component, user, log_in(server, login, logins).await)
}

/// Who the server says it is, if it may set and get, or only get, and change no settings.
async fn log_in(server: &Redis, login: &CacheLogin, logins: &Path) -> Result<String, Failure> {
    let mut session =
        connect(&server.host, server.port, &Login::read(logins, &login.secret).await?, Some(DEADLINE)).await?;
    let identity: String = ask(&mut session, cmd("ACL").arg("WHOAMI")).await?;
    let key = format!("microapp:verified:{identity}");
    let set = ask::<()>(&mut session, cmd("SET").arg(&key).arg(1).arg("PX").arg(5000)).await;
    match (login.read_only, set) {
        (false, Err(failure)) => return Err(failure),
        (true, Ok(())) => return Err(Failure::AccessTooWide(format!("{identity} may only read, but can write"))),
        (true, Err(failure @ Failure::ServerUnreachable(_))) => return Err(failure),
        _ => {}
    }
    if login.read_only {
        // Whoever writes may have put anything there: whether it is there can be asked of all.
        ask::<bool>(&mut session, cmd("EXISTS").arg(&key)).await?;
    } else {
        ask::<Option<String>>(&mut session, cmd("GET").arg(&key)).await?;
    }
    match ask::<redis::Value>(&mut session, cmd("CONFIG").arg("GET").arg("maxmemory")).await {
        Ok(_) => Err(Failure::AccessTooWide(format!("{identity} can read and change the settings of the server"))),
        Err(failure @ Failure::ServerUnreachable(_)) => Err(failure),
        Err(_) => Ok(identity),
    }
}

async fn repair(server: &Redis, logins: &Path, proofs: &[Proof]) -> Vec<Obstacle> {
    match users(server, logins).await {
        Ok(obstacles) => obstacles,
        Err(failure) => {
            proofs.iter().filter(|it| !it.proved).map(|it| obstacle(server, &it.service, &failure)).collect()
        }
    }
}

/// Makes every user as it should be, by one command that leaves open sessions as they are, and removes all others.
async fn users(server: &Redis, logins: &Path) -> Result<Vec<Obstacle>, Failure> {
    let mut session = administrator(server, logins, Some(DEADLINE)).await?;
    let mut obstacles = vec![];
    for login in &server.logins {
        let made = async {
            let password = Login::read(logins, &login.secret).await?.password;
            let rules = if login.read_only { READ_ONLY } else { READ_WRITE };
            let hash = format!("#{}", hashed(&password));
            let rules = ["reset", "on", &hash].into_iter().chain(rules.iter().copied()).collect::<Vec<_>>();
            ask::<()>(&mut session, cmd("ACL").arg("SETUSER").arg(&login.username).arg(rules)).await
        };
        if let Err(failure) = made.await {
            obstacles.push(obstacle(server, &login.service, &failure));
        }
    }
    ask::<()>(&mut session, cmd("ACL").arg("SETUSER").arg(PROVISIONED).arg("reset")).await?;
    ask::<()>(&mut session, cmd("ACL").arg("SETUSER").arg("default").arg("reset")).await?;
    for user in ask::<Vec<String>>(&mut session, cmd("ACL").arg("USERS")).await? {
        let is_planned = server.logins.iter().any(|login| login.username == user);
        if !is_planned && !["default", ADMINISTRATOR, PROVISIONED].contains(&user.as_str()) {
            // Its open sessions end with it.
            ask::<i64>(&mut session, cmd("ACL").arg("DELUSER").arg(&user)).await?;
            tracing::info!(user, "removed a user that no service is");
        }
    }
    ask::<()>(&mut session, cmd("ACL").arg("SAVE")).await?;
    Ok(obstacles)
}

/// Waits for a replica, which never comes, until the session ends. No name that services use is asked for.
async fn ended(server: &Redis, logins: &Path) -> Result<(), Failure> {
    let mut session = administrator(server, logins, None).await?;
    let ended = ask::<redis::Value>(&mut session, cmd("WAIT").arg(1).arg(0)).await;
    ended.inspect_err(|error| tracing::debug!(%error, "the server has ended the session")).ok();
    Ok(())
}

async fn administrator(
    server: &Redis,
    logins: &Path,
    patience: Option<Duration>,
) -> Result<MultiplexedConnection, Failure> {
    connect(&server.admin_host, server.port, &Login::read(logins, &server.admin_secret).await?, patience).await
}

/// `patience`: how long an answer may take; None: for ever.
async fn connect(
    host: &str,
    port: u16,
    login: &Login,
    patience: Option<Duration>,
) -> Result<MultiplexedConnection, Failure> {
    let settings = RedisConnectionInfo::default().set_username(&login.username).set_password(&login.password);
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(DEADLINE)).set_response_timeout(patience);
    let session = async {
        let address = ConnectionAddr::Tcp(host.to_owned(), port).into_connection_info()?;
        let client = Client::open(address.set_redis_settings(settings.set_skip_set_lib_name()))?;
        client.get_multiplexed_async_connection_with_config(&config).await
    };
    session.await.map_err(|error| failure(&error))
}

async fn ask<T: FromRedisValue>(session: &mut MultiplexedConnection, command: &Cmd) -> Result<T, Failure> {
    command.query_async(session).await.map_err(|error| failure(&error))
}

fn obstacle(server: &Redis, service: &str, failure: &Failure) -> Obstacle {
    Obstacle { service: service.into(), component: server.component.clone(), failure: failure.clone() }
}

fn failure(error: &RedisError) -> Failure {
    let said = whole(error);
    match error.code() {
        Some("WRONGPASS" | "NOAUTH") => Failure::LoginRefused(said),
        Some("NOPERM") => Failure::AccessMissing(said),
        _ if error.kind() == ErrorKind::AuthenticationFailed => Failure::LoginRefused(said),
        _ => Failure::ServerUnreachable(said),
    }
}
