//! Which of several operators acts: the one that holds a Lease
//! (<https://kubernetes.io/docs/concepts/architecture/leases/>). Nothing is wrong if two act for a moment; it is only
//! wasteful.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, ResourceExt, api::PostParams};

use super::{Error, client::within};

/// How long a Lease counts after its last renewal.
const TTL: Duration = Duration::from_secs(15);
/// How often the holder renews it, and others look at it.
const PERIOD: Duration = Duration::from_secs(5);

/// One candidate.
pub struct Candidate {
    api: Api<Lease>,
    name: &'static str,
    identity: String,
    /// The last version of somebody else's Lease, and when *we* saw it first: clocks of two machines are never
    /// compared.
    seen: Option<(String, Instant)>,
    /// Our own Lease as it was answered last, so that to renew it is one write and no read.
    held: Option<Lease>,
}

impl Candidate {
    pub fn new(client: Client, namespace: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name: "microapp", identity, seen: None, held: None }
    }

    /// Returns when this candidate leads.
    pub async fn elected(&mut self) {
        loop {
            match self.round().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "lease"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Returns when this leader leads no more: somebody else does, or nobody could be asked for two thirds of the term.
    pub async fn deposed(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(PERIOD).await;
            let begun = Instant::now();
            match tokio::time::timeout(PERIOD, self.round()).await {
                Ok(Ok(true)) => renewed = begun,
                // A conflict may be our own last write, whose answer was lost: look before giving up.
                Ok(Ok(false)) => match tokio::time::timeout(PERIOD, self.round()).await {
                    Ok(Ok(true)) => renewed = begun,
                    _ => return,
                },
                Ok(Err(error)) => tracing::warn!(%error, "lease"),
                Err(_) => tracing::warn!("lease: no answer"),
            }
            if renewed.elapsed() > TTL * 2 / 3 {
                return;
            }
        }
    }

    /// Gives the Lease back, so that the next one need not wait.
    pub async fn resign(&self) {
        let Ok(mut lease) = within(self.api.get(self.name)).await else { return };
        if lease.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some(&self.identity) {
            lease.spec.get_or_insert_default().holder_identity = None;
            // Whoever changed it meanwhile holds it now.
            let _ = within(self.api.replace(self.name, &PostParams::default(), &lease)).await;
        }
    }

    /// Takes or renews the Lease if that is allowed. Every write names the version that it was made from, so of two
    /// candidates one wins.
    async fn round(&mut self) -> Result<bool, Error> {
        let mut lease = match self.held.take() {
            Some(held) => held,
            None => match within(self.api.get(self.name)).await {
                Ok(lease) => lease,
                Err(error) if error.is_not_found() => {
                    let metadata = ObjectMeta { name: Some(self.name.into()), ..Default::default() };
                    let lease = Lease { metadata, spec: Some(self.spec(0, None)) };
                    let answer = within(self.api.create(&PostParams::default(), &lease)).await;
                    return self.won(answer);
                }
                Err(error) => return Err(error),
            },
        };
        let old = lease.spec.take().unwrap_or_default();
        let terms = old.lease_transitions.unwrap_or_default();
        lease.spec = match old.holder_identity.as_deref() {
            Some(holder) if holder == self.identity => Some(self.spec(terms, old.acquire_time)),
            Some(holder) if !holder.is_empty() && self.is_fresh(&lease) => return Ok(false),
            _ => Some(self.spec(terms + 1, None)),
        };
        let answer = within(self.api.replace(self.name, &PostParams::default(), &lease)).await;
        self.won(answer)
    }

    fn won(&mut self, answer: Result<Lease, Error>) -> Result<bool, Error> {
        match answer {
            Ok(lease) => {
                self.held = Some(lease);
                Ok(true)
            }
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn is_fresh(&mut self, lease: &Lease) -> bool {
        let version = lease.resource_version().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => since.elapsed() < TTL,
            _ => {
                self.seen = Some((version, Instant::now()));
                true
            }
        }
    }

    fn spec(&self, terms: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(TTL.as_secs() as i32),
            acquire_time: acquired.or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(terms),
            ..Default::default()
        }
    }
}
