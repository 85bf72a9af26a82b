//! Makes what must exist inside servers, and proves that every service can use what it is told to use: prove, report what is broken, repair, prove again, report.
//! Beside that it tells when Secrets that people named have changed.
//!
//! It changes and removes only what carries the application's mark, and what it removes is access, never data.

pub mod postgresql;
mod report;
mod secrets;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::server::{self, Readiness};
use super::{Error, cluster, read_plan, whole};
use crate::kit::agents::{LOGINS_FOLDER, PLAN_FILE, PLAN_FOLDER, Plan, Proof, Provision, Report, SECRETS_FOLDER};
use report::Reporter;

/// The first wait after a round that left something broken; it doubles up to the interval of the plan.
const RETRY: Duration = Duration::from_secs(2);
/// After this many intervals without a round, what was proved is not believed any more.
const BELIEVED_INTERVALS: u32 = 3;
const MESSAGE_CHARACTERS: usize = 256;
/// As long as the operator may take to read of a failure before it is mended.
const HEARD: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The plan: what must exist in which server.
    #[arg(long, env = "MICROAPP_PLAN", default_value_os_t = PathBuf::from(PLAN_FOLDER).join(PLAN_FILE))]
    plan: PathBuf,
    /// The folder with one folder for each Secret.
    #[arg(long, env = "MICROAPP_LOGINS", default_value = LOGINS_FOLDER)]
    logins: PathBuf,
    /// The folder with one folder for each Secret that people named.
    #[arg(long, env = "MICROAPP_SECRETS", default_value = SECRETS_FOLDER)]
    secrets: PathBuf,
    /// The ConfigMap that takes the report.
    #[arg(long, env = "MICROAPP_REPORT")]
    report: String,
    /// Where the kubelet is answered. Default: port 9903 of every address.
    #[arg(long, env = "MICROAPP_LISTEN")]
    listen: Option<SocketAddr>,
}

pub async fn run(options: Options) -> Result<(), Error> {
    let (plan, digest) = read_plan::<Plan>(&options.plan)?;
    let readiness = Readiness::new();
    let mut reporter = Reporter::new(cluster()?, options.report);
    let serve = server::serve(options.listen, readiness.clone(), Default::default());
    let rounds = rounds(Provisioner { plan, digest, logins: options.logins, secrets: options.secrets }, &mut reporter, &readiness);
    tokio::select! {
        ended = serve => ended,
        () = rounds => Ok(()),
    }
}

async fn rounds(provisioner: Provisioner, reporter: &mut Reporter, readiness: &Readiness) {
    let interval = Duration::from_secs(provisioner.plan.interval_seconds).max(RETRY);
    let mut backoff = Backoff::new(RETRY, interval);
    let mut last = None;
    loop {
        let tell = async |report: &Report| {
            publish(reporter, report).await;
        };
        let report = provisioner.round(last.as_ref(), tell).await;
        let published = publish(reporter, &report).await;
        if published {
            readiness.extend(interval * BELIEVED_INTERVALS);
        }
        if published && report.proofs.iter().all(|proof| proof.proved) {
            backoff.succeeded();
            sleep(interval).await;
        } else {
            sleep(backoff.failed()).await;
        }
        last = Some(report);
    }
}

/// A report that cannot be written stops no repair: it is said, and tried again with the next round.
async fn publish(reporter: &mut Reporter, report: &Report) -> bool {
    reporter.publish(report).await.inspect_err(|error| error!(error = whole(error), "cannot write the report")).is_ok()
}

/// The one reason that makes a new login.
const SECRET_MISSING: &str = "SecretMissing";

/// Why a binding does not work. Each sentence goes to the user, and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    LoginRefused(String),
    #[error("{0}")]
    ServerUnreachable(String),
    #[error("key {key} of Secret {secret} is missing")]
    SecretMissing { secret: String, key: &'static str },
    #[error("key {key} of Secret {secret} cannot be read: {kind}")]
    SecretUnread { secret: String, key: &'static str, kind: std::io::ErrorKind },
    #[error("{0}")]
    AccessMissing(String),
    #[error("{0}")]
    AccessTooWide(String),
    #[error("{0}")]
    NotOurs(String),
    #[error("{0}")]
    WrongVersion(String),
}

impl Failure {
    /// Of two Secrets that can be missing, the proof's own alone is `SecretMissing`: a new one is made for it, which would not help if the other one is gone.
    fn reason(&self, own: &str) -> &'static str {
        match self {
            Self::LoginRefused(_) => "LoginRefused",
            Self::ServerUnreachable(_) => "ServerUnreachable",
            Self::SecretMissing { secret, .. } if secret == own => SECRET_MISSING,
            Self::SecretMissing { .. } => "AdministratorMissing",
            Self::SecretUnread { .. } => "SecretUnread",
            Self::AccessMissing(_) => "AccessMissing",
            Self::AccessTooWide(_) => "AccessTooWide",
            Self::NotOurs(_) => "NotOurs",
            Self::WrongVersion(_) => "WrongVersion",
        }
    }

    fn explain(&self, proof: &mut Proof) {
        proof.reason = self.reason(&proof.secret).into();
        proof.message = self.to_string().chars().take(MESSAGE_CHARACTERS).collect();
    }
}

/// A username and its password, as the pod of the service gets them.
struct Login {
    username: String,
    password: String,
}

impl Login {
    async fn read(folder: &Path, secret: &str) -> Result<Self, Failure> {
        let field = async |key: &'static str| {
            tokio::fs::read_to_string(folder.join(secret).join(key)).await.map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Failure::SecretMissing { secret: secret.into(), key },
                kind => Failure::SecretUnread { secret: secret.into(), key, kind },
            })
        };
        Ok(Self { username: field("username").await?, password: field("password").await? })
    }
}

/// One plan and where its logins are.
pub struct Provisioner {
    pub plan: Plan,
    pub digest: String,
    pub logins: PathBuf,
    pub secrets: PathBuf,
}

impl Provisioner {
    /// Proves, repairs and proves again. What was not broken at the end of the `last` round is told before it is repaired, so that no failure passes unseen.
    pub async fn round(&self, last: Option<&Report>, tell: impl AsyncFnOnce(&Report)) -> Report {
        let before = self.prove().await;
        let broken: Vec<&Proof> = before.proofs.iter().filter(|proof| !proof.proved).collect();
        if broken.iter().any(|proof| !last.is_some_and(|last| known(last, proof))) {
            for proof in &broken {
                warn!(service = proof.service, component = proof.component, reason = proof.reason, "broken: {}", proof.message);
            }
            tell(&before).await;
            if broken.iter().any(|proof| last.is_some_and(|last| worked(last, proof))) {
                // The operator acts on what stands, not on what stood: a failure that is mended at once would be news to nobody.
                sleep(HEARD).await;
            }
        }
        let obstacles = self.repair(&before.proofs).await;
        if broken.is_empty() {
            return before;
        }
        let mut after = self.prove().await;
        // Why it could not be repaired says more than that it is still broken; but a Secret that is missing must be made first of all.
        for proof in after.proofs.iter_mut().filter(|proof| !proof.proved && proof.reason != SECRET_MISSING) {
            if let Some(obstacle) = obstacles.iter().find(|it| it.service == proof.service && it.component == proof.component) {
                obstacle.failure.explain(proof);
            }
        }
        info!(proved = after.proofs.iter().filter(|proof| proof.proved).count(), of = after.proofs.len(), "proved again");
        after
    }

    async fn prove(&self) -> Report {
        let proofs = stream::iter(&self.plan.provisions).then(async |provision| match provision {
            Provision::PostgreSQL(server) => postgresql::prove(server, &self.logins).await,
        });
        let proofs = proofs.collect::<Vec<_>>().await.concat();
        let secrets = match &self.plan.secrets {
            Some(watched) => Some(secrets::digests(watched, &self.logins, &self.secrets).await),
            None => None,
        };
        Report { plan: self.digest.clone(), proofs, secrets }
    }

    async fn repair(&self, proofs: &[Proof]) -> Vec<Obstacle> {
        let obstacles = stream::iter(&self.plan.provisions).then(async |provision| match provision {
            Provision::PostgreSQL(server) => postgresql::repair(server, &self.plan.mark, &self.logins, proofs).await,
        });
        let obstacles = obstacles.collect::<Vec<_>>().await.concat();
        for obstacle in &obstacles {
            warn!(service = obstacle.service, component = obstacle.component, "cannot repair: {}", obstacle.failure);
        }
        obstacles
    }
}

/// Whether a binding was broken before.
fn known(last: &Report, broken: &Proof) -> bool {
    last.proofs.iter().any(|proof| !proof.proved && proof.service == broken.service && proof.component == broken.component)
}

/// Whether a binding worked before.
fn worked(last: &Report, broken: &Proof) -> bool {
    last.proofs.iter().any(|proof| proof.proved && proof.service == broken.service && proof.component == broken.component)
}

/// Why one binding could not be made or repaired.
#[derive(Clone, Debug)]
pub struct Obstacle {
    pub service: String,
    pub component: String,
    pub failure: Failure,
}
