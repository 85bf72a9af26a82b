//! Makes what must exist inside servers, and proves that every service can use what it is told to use: prove, report
//! what is broken, repair, prove again, report. Beside that it tells when Secrets that people named have changed.
//!
//! It changes and removes only what carries the application's mark, and what it removes is access, never data.

mod failure;
pub mod postgresql;
mod redis;
mod report;
mod rounds;
mod secrets;

use crate::kit::reason;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::server::{self, Readiness};
use super::{Error, cluster, read_plan};
use crate::kit::agents::{
    LOGINS_FOLDER, PLAN_FILE, PLAN_FOLDER, Plan, Proof, Provision, SECRETS_FOLDER, SecretDigests, WHOLE_SECRETS_FOLDER,
};
pub use failure::Failure;
use failure::proof;
use report::Reporter;
pub use rounds::{Found, tend};
use secrets::Folders;

/// What was not there when the pod began is mounted within two rounds of the kubelet: until then, a Secret that is not
/// seen may well be there.
const MOUNTING: Duration = Duration::from_secs(120);
/// As long as the operator may take to read of a failure before it is repaired.
const HEARD: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The plan: what must exist in which server.
    #[arg(long, env = "MICROAPP_PLAN", default_value_os_t = PathBuf::from(PLAN_FOLDER).join(PLAN_FILE))]
    plan: PathBuf,
    /// The folder with one folder for each Secret.
    #[arg(long, env = "MICROAPP_LOGINS", default_value = LOGINS_FOLDER)]
    logins: PathBuf,
    /// The folder with one folder for each Secret that people named, with the keys that are used of it.
    #[arg(long, env = "MICROAPP_SECRETS", default_value = SECRETS_FOLDER)]
    secrets: PathBuf,
    /// The folder with one folder for each Secret that people named and that is used as a whole.
    #[arg(long, env = "MICROAPP_WHOLE_SECRETS", default_value = WHOLE_SECRETS_FOLDER)]
    whole_secrets: PathBuf,
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
    let Options { logins, secrets, whole_secrets, .. } = options;
    let provisioner = Provisioner { plan, digest, logins, secrets, whole_secrets, mounted: Instant::now() + MOUNTING };
    let rounds = rounds::run(&provisioner, &mut reporter, &readiness);
    tokio::select! {
        ended = serve => ended,
        () = rounds => Ok(()),
    }
}

/// The one reason that makes a new login.
const SECRET_MISSING: &str = reason::SECRET_MISSING.name();
const SECRET_UNREAD: &str = reason::SECRET_UNREAD.name();

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

/// One kind of server: how its bindings are proved and repaired. `logins` is the folder with one folder for each
/// Secret.
pub trait Server: Sync {
    /// One proof for each user, in the plan's order.
    fn prove<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Vec<Proof>>;

    /// Makes what is missing and ends what should not be, of what carries the `mark`; answers what it could not do.
    fn repair<'a>(&'a self, mark: &'a str, logins: &'a Path, proofs: &'a [Proof]) -> BoxFuture<'a, Vec<Obstacle>>;

    /// Ends when the server ends a session that waits for that; an error: there is no such session.
    fn ended<'a>(&'a self, logins: &'a Path) -> BoxFuture<'a, Result<(), Failure>>;
}

/// The one `match` over servers.
fn server_of(provision: &Provision) -> &dyn Server {
    match provision {
        Provision::PostgreSQL(server) => server,
        Provision::Redis(server) => server,
    }
}

/// One plan and where its logins are.
pub struct Provisioner {
    pub plan: Plan,
    pub digest: String,
    pub logins: PathBuf,
    pub secrets: PathBuf,
    pub whole_secrets: PathBuf,
    /// From now on, a Secret that is not mounted is missing.
    pub mounted: Instant,
}

impl Provisioner {
    /// Proves one server's bindings, repairs and proves again. What was not broken at the end of the `last` round is
    /// told before it is repaired, so that no failure passes unseen.
    pub async fn round(&self, provision: &Provision, last: &[Proof], tell: impl AsyncFnOnce(&[Proof])) -> Vec<Proof> {
        let before = self.prove(provision).await;
        let broken: Vec<&Proof> = before.iter().filter(|proof| !proof.proved).collect();
        if broken.iter().any(|proof| !known(last, proof)) {
            for proof in &broken {
                warn!(
                    service = proof.service,
                    component = proof.component,
                    reason = proof.reason,
                    "broken: {}",
                    proof.message
                );
            }
            tell(&before).await;
            if broken.iter().any(|proof| worked(last, proof)) {
                // The operator acts on what stands, not on what stood: a failure that is repaired at once would be news
                // to nobody.
                sleep(HEARD).await;
            }
        }
        let obstacles = self.repair(provision, &before).await;
        if broken.is_empty() {
            return before;
        }
        let mut after = self.prove(provision).await;
        // Why it could not be repaired says more than that it is still broken; but a Secret that is missing must be
        // made first of all.
        for proof in after
            .iter_mut()
            .filter(|proof| !proof.proved && ![SECRET_MISSING, SECRET_UNREAD].contains(&proof.reason.as_str()))
        {
            if let Some(obstacle) =
                obstacles.iter().find(|it| it.service == proof.service && it.component == proof.component)
            {
                obstacle.failure.explain(proof);
            }
        }
        info!(proved = after.iter().filter(|proof| proof.proved).count(), of = after.len(), "proved again");
        after
    }

    /// What is told of a server whose round did not end in time.
    fn unanswered(provision: &Provision, deadline: Duration) -> Vec<Proof> {
        let failure =
            Failure::ServerUnreachable(format!("the server did not answer everything within {} s", deadline.as_secs()));
        let common = provision.common();
        common.users.into_iter().map(|user| proof(common.component, user, Err(failure.clone()))).collect()
    }

    /// Ends when the server ends the session that waits for it. Never, if there is none.
    async fn lost(&self, provision: &Provision) {
        if server_of(provision).ended(&self.logins).await.is_err() {
            std::future::pending().await
        }
    }

    async fn prove(&self, provision: &Provision) -> Vec<Proof> {
        let mut proofs = server_of(provision).prove(&self.logins).await;
        for proof in proofs.iter_mut().filter(|proof| self.mounting() && proof.reason == SECRET_MISSING) {
            proof.reason = SECRET_UNREAD.into();
        }
        proofs
    }

    /// Nothing is said of the Secrets while their key may not be mounted yet.
    async fn digests(&self) -> Option<SecretDigests> {
        let watched = self.plan.secrets.as_ref()?;
        let told =
            secrets::digests(watched, &self.logins, &Folders { keyed: &self.secrets, whole: &self.whole_secrets })
                .await;
        (!told.key_missing || !self.mounting()).then_some(told)
    }

    /// Secrets of administrators that are not there, whether or not they are needed just now.
    pub async fn missing(&self) -> Vec<String> {
        let mut missing = vec![];
        for provision in self.plan.provisions.iter().filter(|_| !self.mounting()) {
            let secret = provision.common().admin_secret;
            if let Err(Failure::SecretMissing { secret, .. }) = Login::read(&self.logins, secret).await {
                missing.push(secret);
            }
        }
        missing
    }

    fn mounting(&self) -> bool {
        Instant::now() < self.mounted
    }

    async fn repair(&self, provision: &Provision, proofs: &[Proof]) -> Vec<Obstacle> {
        let obstacles = server_of(provision).repair(&self.plan.mark, &self.logins, proofs).await;
        for obstacle in &obstacles {
            warn!(service = obstacle.service, component = obstacle.component, "cannot repair: {}", obstacle.failure);
        }
        obstacles
    }
}

/// Whether a binding was broken before.
fn known(last: &[Proof], broken: &Proof) -> bool {
    last.iter().any(|proof| !proof.proved && proof.service == broken.service && proof.component == broken.component)
}

/// Whether a binding worked before.
fn worked(last: &[Proof], broken: &Proof) -> bool {
    last.iter().any(|proof| proof.proved && proof.service == broken.service && proof.component == broken.component)
}

/// Why one binding could not be made or repaired.
#[derive(Clone, Debug)]
pub struct Obstacle {
    pub service: String,
    pub component: String,
    pub failure: Failure,
}
