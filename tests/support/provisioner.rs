//! Plays the provisioner where pods are only simulated: it answers published plans, and can lie, stall and fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use microapp::kit::agents::{
    Common, PLAN_FILE, Plan, Proof, Provision, REPORT_KEY, REPORT_MANAGER, Report, SecretDigests, User, WatchedSecrets,
};
use microapp::kit::digest;
use serde_json::json;
use tokio::task::JoinHandle;

/// How it behaves.
#[derive(Clone, Debug, PartialEq)]
pub enum Behaviour {
    Honest,
    /// Says nothing.
    Stalled,
    /// Speaks of a plan that is not the one that stands.
    Liar,
    /// Says that this service cannot log in.
    Refusing(String),
    /// Says that the Secret of this service's login is missing.
    Missing(String),
    /// Says that the administrator's Secret is missing, while every login works.
    LockedOut,
    /// Says that the first key of digests is missing.
    Keyless,
}

/// The provisioner of every application in a namespace.
pub struct Actor {
    behaviour: Arc<Mutex<Behaviour>>,
    task: JoinHandle<()>,
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Actor {
    pub fn start(client: Client, namespace: &str) -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour::Honest));
        let (seen, maps) = (behaviour.clone(), Api::<ConfigMap>::namespaced(client.clone(), namespace));
        let secrets = Api::<Secret>::namespaced(client, namespace);
        let task = tokio::spawn(async move {
            loop {
                let behaviour = seen.lock().unwrap().clone();
                round(&maps, &secrets, &behaviour).await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        Self { behaviour, task }
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }
}

async fn round(maps: &Api<ConfigMap>, secrets: &Api<Secret>, behaviour: &Behaviour) {
    let Ok(list) = maps.list(&ListParams::default().labels("microapp.dev/part=provisioner")).await else { return };
    for map in &list {
        let Some(text) = map.data.as_ref().and_then(|d| d.get(PLAN_FILE)) else { continue };
        let name = format!("{}-report", map.name_any());
        let Some(there) = list.iter().find(|m| m.name_any() == name) else { continue };
        let plan: Plan = serde_json::from_str(text).unwrap();
        let Some(mut report) = answer(&plan, text, behaviour) else { continue };
        if let Some(watched) = &plan.secrets {
            let Ok(told) = digests(watched, secrets, behaviour).await else { continue };
            report.secrets = Some(told);
        }
        let report = serde_json::to_string(&report).unwrap();
        if there.data.as_ref().and_then(|d| d.get(REPORT_KEY)) != Some(&report) {
            let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": {
                REPORT_KEY: report } });
            // The next round tries again.
            drop(maps.patch(&name, &PatchParams::apply(REPORT_MANAGER).force(), &Patch::Apply(&body)).await);
        }
    }
}

fn answer(plan: &Plan, text: &str, behaviour: &Behaviour) -> Option<Report> {
    let digest = match behaviour {
        Behaviour::Stalled => return None,
        Behaviour::Liar => "0000000000000000".into(),
        _ => digest::of_bytes(text.as_bytes()),
    };
    let proof = |server: &Common<'_>, login: User| {
        let mut proof = Proof {
            service: login.service.clone(),
            component: server.component.to_owned(),
            secret: login.secret.clone(),
            proved: true,
            identity: login.service.clone(),
            reason: "LoggedIn".into(),
            message: format!("logged in as {}", login.service),
        };
        let broken = match behaviour {
            Behaviour::Refusing(service) if *service == login.service => Some("LoginRefused"),
            // Only the first version of the login was lost.
            Behaviour::Missing(service) if *service == login.service && login.secret.contains("-v1-") => {
                Some("SecretMissing")
            }
            _ => None,
        };
        if let Some(reason) = broken {
            proof = Proof {
                proved: false,
                identity: String::new(),
                reason: reason.into(),
                message: "password authentication failed".into(),
                ..proof
            };
        }
        proof
    };
    let all = || plan.provisions.iter().map(Provision::common);
    let missing = all().map(|server| server.admin_secret.to_owned());
    let missing = if let Behaviour::LockedOut = behaviour { missing.collect() } else { vec![] };
    let mut proofs = vec![];
    for mut server in all() {
        let users = std::mem::take(&mut server.users);
        proofs.extend(users.into_iter().map(|user| proof(&server, user)));
    }
    Some(Report { plan: digest, proofs, missing, ..Default::default() })
}

/// As the real one would see them, mounted.
async fn digests(
    watched: &WatchedSecrets,
    secrets: &Api<Secret>,
    behaviour: &Behaviour,
) -> kube::Result<SecretDigests> {
    let mut told = SecretDigests { key: watched.key.clone(), ..Default::default() };
    if *behaviour == Behaviour::Keyless && watched.key.contains("-v1-") {
        return Ok(SecretDigests { key_missing: true, ..told });
    }
    let Some(key) = secrets.get_opt(&watched.key).await? else {
        return Ok(SecretDigests { key_missing: true, ..told });
    };
    for used in &watched.uses {
        let Some(data) = secrets.get_opt(&used.secret).await?.and_then(|secret| secret.data) else { continue };
        let content =
            data.into_iter().filter(|(name, _)| used.key.as_ref().is_none_or(|key| key == name)).collect::<Vec<_>>();
        if !content.is_empty() {
            told.digests.insert(used.to_string(), digest::of(&(&key.data, content)));
        }
    }
    Ok(told)
}
