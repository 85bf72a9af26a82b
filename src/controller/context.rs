//! What all reconciliations share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::{Client, ResourceExt, api::DynamicObject};

use super::{lanes::Lanes, telemetry::Telemetry};
use crate::app::{MicroserviceApp, Settings, Status};
use crate::cluster::{
    index::{AppKey, Index},
    plan::Memory,
    publish::Events,
};

/// What the operator was started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub settings: Settings,
    /// The one namespace whose applications it keeps; None: all.
    pub namespace: Option<String>,
    /// Where its Lease is; None: it leads without asking.
    pub lease_namespace: Option<String>,
    /// By what others know it: the name of its pod.
    pub identity: String,
    /// Addresses for `/livez` and `/readyz`, and for `/metrics`; None: not served.
    pub health_address: Option<std::net::SocketAddr>,
    pub metrics_address: Option<std::net::SocketAddr>,
}

/// What all reconciliations share.
pub struct Context {
    pub client: Client,
    pub index: Arc<Index>,
    pub events: Events,
    pub settings: Settings,
    pub telemetry: Telemetry,
    pub lanes: Lanes,
    apps: Mutex<HashMap<AppKey, State>>,
}

/// What is remembered of an application between two reconciliations.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub uid: String,
    pub memory: Memory,
    /// Reconciliations in a row that could not do all they wanted.
    pub failures: u32,
    /// Failures in a row to read or delete.
    pub unavailable: u32,
    /// The status that was written last, and the version of the resource that this made.
    pub published: Option<(u64, Status)>,
}

impl Context {
    pub fn new(client: Client, index: Arc<Index>, options: &Options) -> Self {
        let events = Events::start(client.clone(), Some(options.identity.clone()));
        Self {
            client,
            index,
            events,
            settings: options.settings.clone(),
            telemetry: Telemetry::default(),
            lanes: Lanes::default(),
            apps: Mutex::default(),
        }
    }

    /// What is remembered of this application, and not of a dead one of its name. What nobody remembers stands in its
    /// status.
    pub fn recall(&self, key: &AppKey, app: &MicroserviceApp) -> State {
        let uid = app.uid().unwrap_or_default();
        if let Some(state) = self.lock().get(key).filter(|state| state.uid == uid) {
            return state.clone();
        }
        let entries = app.status.iter().flat_map(|s| &s.inventory).flat_map(|i| i.entries.clone()).collect::<Vec<_>>();
        State {
            uid,
            memory: Memory::load(format!("{}/{}", key.namespace, key.name), &entries, jiff::Timestamp::now()),
            ..Default::default()
        }
    }

    pub fn remember(&self, key: AppKey, state: State) {
        self.lock().insert(key, state);
    }

    /// Counts another failure of an application, and answers how many in a row there were.
    pub fn count_failure(&self, key: &AppKey) -> u32 {
        let mut apps = self.lock();
        let state = apps.entry(key.clone()).or_default();
        state.failures = state.failures.saturating_add(1);
        state.failures
    }

    /// A reconciliation did all it wanted.
    pub fn count_success(&self, key: &AppKey) {
        if let Some(state) = self.lock().get_mut(key) {
            state.failures = 0;
        }
    }

    /// Forgets an application that is gone.
    pub fn forget(&self, app: &DynamicObject) {
        let key = AppKey { namespace: app.namespace().unwrap_or_default(), name: app.name_any() };
        let uid = app.uid().unwrap_or_default();
        self.lanes.note(key.clone(), Duration::ZERO);
        let mut apps = self.lock();
        if apps.get(&key).is_some_and(|state| state.uid == uid) {
            apps.remove(&key);
        }
    }

    /// Forgets every application that a new list does not name.
    pub fn forget_all_but(&self, present: &[Arc<DynamicObject>]) {
        let present: HashSet<(Option<&str>, Option<&str>)> =
            present.iter().map(|app| (app.metadata.namespace.as_deref(), app.metadata.name.as_deref())).collect();
        self.lock().retain(|key, _| present.contains(&(Some(&key.namespace), Some(&key.name))));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppKey, State>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
