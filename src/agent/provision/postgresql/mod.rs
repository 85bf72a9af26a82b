//! [PostgreSQL](https://www.postgresql.org/docs/current/user-manag.html): each database belongs to a role that nobody
//! can log in as, and is read through another one; a login is a member of one of the two. So every login that may write
//! acts as the owner, and two services can use each other's tables.

mod catalog;
mod proof;
mod repair;
mod session;

use std::path::Path;
use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use super::{Failure, Login, Obstacle, Server};
use crate::agent::whole;
use crate::kit::agents::{DatabaseLogin, PostgreSQL, Proof};

impl Server for PostgreSQL {
    fn prove<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Vec<Proof>> {
        proof::prove(self, logins).boxed()
    }

    fn repair<'a>(&'a self, mark: &'a str, logins: &'a Path, proofs: &'a [Proof]) -> BoxFuture<'a, Vec<Obstacle>> {
        repair::repair(self, mark, logins, proofs).boxed()
    }

    fn ended<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Result<(), Failure>> {
        session::ended(self, logins).boxed()
    }
}

/// For each exchange with a server.
const DEADLINE: Duration = Duration::from_secs(5);

/// The role that owns a database. Names in plans never hold `__`, so that it can be no service's login.
fn owner(database: &str) -> String {
    format!("{database}__owner")
}

/// The role that may read everything in a database.
fn reader(database: &str) -> String {
    format!("{database}__reader")
}

/// The role that gives a login its access.
fn access_role(login: &DatabaseLogin) -> String {
    if login.read_only { reader(&login.database) } else { owner(&login.database) }
}

/// An answer of the server, or what its absence means for a binding.
async fn within<T>(exchange: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
    match timeout(DEADLINE, exchange).await {
        Ok(answer) => answer.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::ServerUnreachable(format!("the server did not answer within {} s", DEADLINE.as_secs()))),
    }
}

fn failure(error: &tokio_postgres::Error) -> Failure {
    let Some(refusal) = error.as_db_error() else {
        return Failure::ServerUnreachable(whole(error));
    };
    let said = refusal.message().to_string();
    match refusal.code() {
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Failure::LoginRefused(said),
        // Classes of SQLSTATE: no connection, no resources, shutting down or starting up.
        code if ["08", "53", "57"].iter().any(|class| code.code().starts_with(class)) => {
            Failure::ServerUnreachable(said)
        }
        _ => Failure::AccessMissing(said),
    }
}
