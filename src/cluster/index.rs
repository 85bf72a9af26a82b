//! The memory of what is there: small records, fed by watches and by the answers to our own writes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::mpsc;

use crate::kit::{
    agents::Report,
    objects::Id,
    observed::{Observed, Pod, Record},
};

/// An application: namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppKey {
    pub namespace: String,
    pub name: String,
}

/// Everything that carries an application's label, application by application.
pub struct Index {
    apps: Mutex<HashMap<AppKey, Known>>,
    /// One flag for each watch: it has listed all that was there.
    listed: Vec<AtomicBool>,
    changes: mpsc::UnboundedSender<AppKey>,
}

#[derive(Default)]
struct Known {
    records: BTreeMap<Id, (u64, Record)>,
    pods: BTreeMap<String, Pod>,
    report: Option<Report>,
}

impl Index {
    /// An empty index for so many watches, and the applications in which something changes.
    pub fn new(watches: usize) -> (Self, mpsc::UnboundedReceiver<AppKey>) {
        let (changes, receiver) = mpsc::unbounded_channel();
        (Self { apps: Mutex::default(), listed: (0..watches).map(|_| AtomicBool::new(false)).collect(), changes }, receiver)
    }

    /// Whether every watch has seen all that was there. Until then absence means nothing.
    pub fn is_synced(&self) -> bool {
        self.listed.iter().all(|flag| flag.load(Ordering::Acquire))
    }

    pub(super) fn set_listed(&self, watch: usize) {
        if let Some(flag) = self.listed.get(watch) {
            flag.store(true, Ordering::Release);
        }
    }

    /// What is known of an application.
    pub fn observe(&self, key: &AppKey) -> Observed {
        let apps = self.lock();
        let now = jiff::Timestamp::now();
        let Some(known) = apps.get(key) else { return Observed { now, ..Default::default() } };
        let records = known.records.iter().map(|(id, (_, record))| (id.clone(), record.clone())).collect();
        Observed { records, pods: known.pods.clone(), report: known.report.clone(), now, ..Default::default() }
    }

    /// The identifier of an object, if it is known.
    pub fn uid(&self, key: &AppKey, id: &Id) -> Option<String> {
        self.lock().get(key)?.records.get(id).map(|(_, record)| record.uid.clone())
    }

    /// Takes what a watch or an answer says of an object. News older than what is known is dropped, so that an echo never undoes an answer.
    pub fn put(&self, key: AppKey, id: Id, version: u64, record: Record, from_watch: bool) {
        let mut apps = self.lock();
        let known = apps.entry(key.clone()).or_default();
        if let Some((seen, before)) = known.records.get_mut(&id) {
            if before.uid == record.uid && version < *seen {
                return;
            }
            *seen = version;
            if *before == record {
                return;
            }
            *before = record;
        } else {
            known.records.insert(id, (version, record));
        }
        drop(apps);
        if from_watch {
            self.tell(key);
        }
    }

    /// Forgets an object, unless another one of the same name took its place.
    pub fn remove(&self, key: &AppKey, id: &Id, uid: &str) {
        let mut apps = self.lock();
        let Some(known) = apps.get_mut(key) else { return };
        if known.records.get(id).is_some_and(|(_, record)| record.uid == uid) {
            known.records.remove(id);
            drop(apps);
            self.tell(key.clone());
        }
    }

    /// Forgets all objects of a kind but those that a new list named: what went while nobody watched.
    pub(super) fn keep(&self, kind: &str, named: &BTreeSet<(AppKey, String)>) {
        let mut apps = self.lock();
        let mut changed = vec![];
        for (key, known) in apps.iter_mut() {
            let before = known.records.len();
            known.records.retain(|id, _| id.kind != kind || named.contains(&(key.clone(), id.name.clone())));
            if known.records.len() != before {
                changed.push(key.clone());
            }
        }
        drop(apps);
        changed.into_iter().for_each(|key| self.tell(key));
    }

    pub(super) fn put_pod(&self, key: AppKey, name: String, pod: Option<Pod>) {
        let mut apps = self.lock();
        let pods = &mut apps.entry(key.clone()).or_default().pods;
        let changed = match pod {
            Some(pod) if pods.get(&name) == Some(&pod) => false,
            Some(pod) => {
                pods.insert(name, pod);
                true
            }
            None => pods.remove(&name).is_some(),
        };
        drop(apps);
        if changed {
            self.tell(key);
        }
    }

    pub(super) fn keep_pods(&self, named: &BTreeSet<(AppKey, String)>) {
        let mut apps = self.lock();
        for (key, known) in apps.iter_mut() {
            known.pods.retain(|name, _| named.contains(&(key.clone(), name.clone())));
        }
    }

    pub(super) fn put_report(&self, key: AppKey, report: Option<Report>) {
        let mut apps = self.lock();
        let slot = &mut apps.entry(key.clone()).or_default().report;
        if *slot != report {
            *slot = report;
            drop(apps);
            self.tell(key);
        }
    }

    fn tell(&self, key: AppKey) {
        // Nobody listens any more only when the process ends.
        let _ = self.changes.send(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AppKey, Known>> {
        // Whoever panicked while holding the lock did so between two whole changes.
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id { kind: "Service", name: "shop-gateway".into() }
    }

    fn key() -> AppKey {
        AppKey { namespace: "a".into(), name: "shop".into() }
    }

    fn record(uid: &str, hash: &str) -> Record {
        Record { uid: uid.into(), hash: hash.into(), ..Default::default() }
    }

    #[test]
    fn an_old_echo_does_not_undo_an_answer() {
        let (index, mut changes) = Index::new(1);
        index.put(key(), id(), 7, record("u", "new"), false);
        index.put(key(), id(), 5, record("u", "old"), true);
        assert_eq!(index.observe(&key()).records[&id()].hash, "new");
        index.put(key(), id(), 7, record("u", "new"), true);
        assert!(changes.try_recv().is_err(), "nothing changed, so nothing is told");
        index.put(key(), id(), 3, record("other", "x"), true);
        assert_eq!(index.observe(&key()).records[&id()].uid, "other", "another object counts from the beginning");
        assert!(changes.try_recv().is_ok());
    }

    #[test]
    fn what_a_new_list_does_not_name_is_gone() {
        let (index, mut changes) = Index::new(1);
        index.put(key(), id(), 1, record("u", "h"), false);
        index.keep("Deployment", &BTreeSet::new());
        assert_eq!(index.observe(&key()).records.len(), 1);
        index.keep("Service", &BTreeSet::new());
        assert!(index.observe(&key()).records.is_empty());
        assert_eq!(changes.try_recv().ok(), Some(key()));
    }

    #[test]
    fn a_late_deletion_does_not_take_the_successor() {
        let (index, _changes) = Index::new(1);
        index.put(key(), id(), 9, record("second", "h"), false);
        index.remove(&key(), &id(), "first");
        assert_eq!(index.observe(&key()).records.len(), 1);
    }
}
