//! When: servers are tended side by side, each with a deadline and a backoff of its own, so that one that hangs never
//! makes the others' proofs old.

use std::time::Duration;

use futures::future::join_all;
use kube::runtime::utils::Backoff;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::error;

use super::{Provisioner, report::Reporter};
use crate::agent::{backoff, server::Readiness, whole};
use crate::kit::agents::{Proof, Provision, Report};

/// The first wait after a round that left something broken; it doubles up to the interval of the plan.
const RETRY: Duration = Duration::from_secs(2);
/// After this many intervals without a round, what was proved is not believed any more.
const BELIEVED_INTERVALS: u32 = 3;
/// A round takes this many at most: with the wait before it, it ends while the one before is still believed.
const ROUND_INTERVALS: u32 = 2;

/// What the last round has found in each server of the plan, in the plan's order. None: the first one has not ended.
pub type Found = watch::Sender<Vec<Option<Vec<Proof>>>>;

pub async fn run(provisioner: &Provisioner, reporter: &mut Reporter, readiness: &Readiness) {
    let found = Found::new(vec![None; provisioner.plan.provisions.len()]);
    tokio::join!(tend(provisioner, &found), tell(provisioner, &found, reporter, readiness));
}

/// Tends every server of the plan, for ever.
pub async fn tend(provisioner: &Provisioner, found: &Found) {
    let one = async |(index, provision)| {
        let publish = |proofs: &[Proof]| {
            found.send_modify(|all| all.iter_mut().skip(index).take(1).for_each(|it| *it = Some(proofs.to_vec())));
        };
        tend_one(provisioner, provision, publish).await;
    };
    join_all(provisioner.plan.provisions.iter().enumerate().map(one)).await;
}

async fn tend_one(provisioner: &Provisioner, provision: &Provision, publish: impl Fn(&[Proof])) {
    let interval = interval(provisioner);
    let mut backoff = backoff(RETRY, interval);
    let mut last = Vec::new();
    loop {
        let deadline = interval * ROUND_INTERVALS;
        let round = provisioner.round(provision, &last, async |proofs: &[Proof]| publish(proofs));
        last = timeout(deadline, round).await.unwrap_or_else(|_| Provisioner::unanswered(provision, deadline));
        publish(&last);
        if !last.iter().all(|proof| proof.proved) {
            sleep(backoff.next().unwrap_or(interval)).await;
            continue;
        }
        backoff.reset();
        let lost = async {
            sleep(RETRY).await;
            provisioner.lost(provision).await;
        };
        // A server that ends says so: the next round begins at once.
        tokio::select! { () = sleep(interval) => {}, () = lost => {} }
    }
}

/// Reports what was found when it changes, and what Secrets contain once in an interval. A report that cannot be
/// written stops no repair: it is said, and tried again.
async fn tell(provisioner: &Provisioner, found: &Found, reporter: &mut Reporter, readiness: &Readiness) {
    let interval = interval(provisioner);
    let mut backoff = backoff(RETRY, interval);
    let mut changes = found.subscribe();
    // Nothing is told before something is known. An error would say that nobody can send any more; we can.
    changes.wait_for(|all| all.is_empty() || all.iter().any(Option::is_some)).await.ok();
    loop {
        let proofs = changes.borrow_and_update().iter().flatten().flatten().cloned().collect();
        let (secrets, missing) = (provisioner.digests().await, provisioner.missing().await);
        let report = Report { plan: provisioner.digest.clone(), proofs, secrets, missing };
        let wait = match reporter.publish(&report).await {
            Ok(()) => {
                backoff.reset();
                readiness.extend(interval * BELIEVED_INTERVALS);
                interval
            }
            Err(error) => {
                error!(error = whole(&error), "cannot write the report");
                backoff.next().unwrap_or(interval)
            }
        };
        tokio::select! { () = sleep(wait) => {}, _ = changes.changed() => {} }
    }
}

fn interval(provisioner: &Provisioner) -> Duration {
    Duration::from_secs(provisioner.plan.interval_seconds).max(RETRY)
}
