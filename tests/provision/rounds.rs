//! Servers side by side, and Secrets that are not there yet.

use std::time::Duration;

use microapp::agent::provision::{Found, tend};
use tokio::time::{Instant, timeout};

use super::*;

/// Runs the provisioner until what it has found is as it should be.
async fn until(
    provisioner: &Provisioner,
    found: &Found,
    what: &str,
    fits: impl Fn(&[Option<Vec<Proof>>]) -> bool,
) -> anyhow::Result<Duration> {
    let (begin, mut seen) = (Instant::now(), found.subscribe());
    let fitting = async { seen.wait_for(|all| fits(all)).await.map(|_| ()) };
    let wait = async {
        tokio::select! { () = tend(provisioner, found) => anyhow::bail!("it has ended"), fits = fitting => Ok(fits?) }
    };
    timeout(Duration::from_secs(120), wait).await.with_context(|| format!("{what}: {:#?}", found.borrow()))??;
    Ok(begin.elapsed())
}

fn all(proofs: &Option<Vec<Proof>>, reason: &str) -> bool {
    proofs.as_ref().is_some_and(|proofs| proofs.iter().all(|proof| proof.reason == reason))
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_server_that_hangs_makes_no_other_wait() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false), ("web", "web", false)])? else { return Ok(()) };
    // It takes connections, and says nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0")?;
    // So many logins that to wait for each would take longer than a round may.
    let logins: Vec<DatabaseLogin> = case.logins.iter().cycle().take(48).cloned().collect();
    let hung = PostgreSQL { component: "cache".into(), port: mute.local_addr()?.port(), logins, ..case.plan() };
    let provisioner = case.provisioner(vec![hung]);
    let found = Found::new(vec![None, None]);
    until(&provisioner, &found, "the other one is proved meanwhile", |now| {
        all(&now[0], "LoggedIn") && now[1].is_none()
    })
    .await?;
    let waited = until(&provisioner, &found, "its own end is told", |now| {
        all(&now[0], "LoggedIn") && all(&now[1], "ServerUnreachable")
    })
    .await?;
    let told = found.borrow()[1].clone().context("nothing was told")?;
    assert_eq!((told.len(), told[0].component.as_str()), (48, "cache"));
    assert!(waited < Duration::from_secs(40), "a round has a deadline of its own: {waited:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_lost_connection_begins_the_next_round() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false)])? else { return Ok(()) };
    let mut provisioner = case.provisioner(vec![]);
    provisioner.plan.interval_seconds = 600;
    let found = Found::new(vec![None]);
    let ending = async {
        found.subscribe().wait_for(|now| all(&now[0], "LoggedIn")).await?;
        tokio::time::sleep(Duration::from_secs(4)).await;
        case.server.stop()
    };
    let (lost, ended) =
        tokio::join!(until(&provisioner, &found, "the end is seen", |now| all(&now[0], "ServerUnreachable")), ending);
    ended?;
    assert!(lost? < Duration::from_secs(100), "it is not the interval that was waited for");
    Ok(())
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server: `make test` runs it"]
async fn a_secret_that_may_still_be_mounted_is_not_missing() -> anyhow::Result<()> {
    let Some(case) = Case::new(&[("orders", "orders", false)])? else { return Ok(()) };
    std::fs::remove_dir_all(case.server.folder.join("logins/orders-v1"))?;
    let mut provisioner = case.provisioner(vec![]);
    provisioner.mounted = Instant::now() + Duration::from_secs(60);
    let found = Found::new(vec![None]);
    until(&provisioner, &found, "it is waited for", |now| all(&now[0], "SecretUnread")).await?;
    provisioner.mounted = Instant::now();
    until(&provisioner, &found, "it is missed", |now| all(&now[0], "SecretMissing")).await?;
    assert_eq!(provisioner.missing().await, [""; 0], "the administrator's is there");
    std::fs::remove_dir_all(case.server.folder.join("logins/admin"))?;
    assert_eq!(provisioner.missing().await, ["admin"], "though nothing has to be repaired");
    provisioner.mounted = Instant::now() + Duration::from_secs(60);
    assert_eq!(provisioner.missing().await, [""; 0], "it may still be on its way");
    Ok(())
}
