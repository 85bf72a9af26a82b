//! The memory of what is there: small records, fed by watches and by the answers to our own writes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kube::runtime::watcher::{self, Event};

use super::changes::Changes;
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

/// What a complete list named, application by application.
pub type Named = HashMap<AppKey, BTreeSet<String>>;

/// A watch that fails for so long is dead: the process had better restart.
const DEAD: Duration = Duration::from_secs(300);
/// No answer comes so long after its request.
const BURIED: Duration = Duration::from_secs(60);
/// Failures further apart than this are not of one row. Tries of a failing watch are at most half a minute apart.
const APART: Duration = Duration::from_secs(150);

/// Everything that carries an application's label, application by application.
pub struct Index {
    apps: Mutex<HashMap<AppKey, Known>>,
    watches: Mutex<Vec<Watch>>,
    changes: Changes,
}

/// How one watch fares.
#[derive(Clone, Copy, Default)]
struct Watch {
    /// It has listed all that was there.
    listed: bool,
    /// The first and the last failure of the present row.
    failing: Option<(Instant, Instant)>,
}

#[derive(Default)]
struct Known {
    records: BTreeMap<Id, (u64, Record)>,
    pods: BTreeMap<String, Pod>,
    report: Option<Report>,
    /// Objects that a watch has seen go, for a while: the answer to a write may come after them.
    buried: Vec<(Instant, Id, String)>,
}

impl Known {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.pods.is_empty() && self.report.is_none()
    }
}

impl Index {
    /// An empty index for so many watches of children, and the applications in which something changes.
    pub fn new(watches: usize) -> (Self, Changes) {
        let changes = Changes::default();
        // The last one is of the applications themselves. It begins when this process leads, so nobody waits for it.
        let applications = Watch { listed: true, ..Default::default() };
        let watches = Mutex::new([vec![Watch::default(); watches], vec![applications]].concat());
        (Self { apps: Mutex::default(), watches, changes: changes.clone() }, changes)
    }

    /// Whether every watch has seen all that was there, and is not listing again. Until then absence means nothing.
    pub fn is_synced(&self) -> bool {
        self.watches().iter().all(|watch| watch.listed)
    }

    /// Whether no watch has failed for minutes without a word of success.
    pub fn is_alive(&self, now: Instant) -> bool {
        let dead =
            |(first, last): (Instant, Instant)| last - first >= DEAD && now.saturating_duration_since(last) < APART;
        !self.watches().iter().filter_map(|watch| watch.failing).any(dead)
    }

    pub(super) fn set_listed(&self, watch: usize, listed: bool) {
        self.note(watch, |watch| watch.listed = listed);
    }

    /// Notes what the watch of the applications brought.
    pub fn note_applications<K>(&self, news: &Result<Event<K>, watcher::Error>, now: Instant) {
        let last = self.watches().len().saturating_sub(1);
        self.note_news(last, news.as_ref().map(Some), now);
    }

    /// Notes what a watch brought: whether it works.
    pub(super) fn note_news<K>(&self, watch: usize, news: Result<Option<&Event<K>>, &watcher::Error>, now: Instant) {
        match news {
            // A try that cannot even begin. What breaks later had begun.
            Err(watcher::Error::InitialListFailed(_) | watcher::Error::WatchStartFailed(_)) => self.failed(watch, now),
            // Said before a list is asked for.
            Ok(Some(Event::Init)) => {}
            _ => self.heard(watch),
        }
    }

    /// A watch brought something.
    fn heard(&self, watch: usize) {
        self.note(watch, |watch| watch.failing = None);
    }

    /// A watch failed. A try that succeeds and brings nothing is silent, so failures count as one row only while they
    /// follow each other.
    fn failed(&self, watch: usize, now: Instant) {
        self.note(watch, |watch| {
            let row = watch.failing.filter(|(_, last)| now.saturating_duration_since(*last) < APART);
            watch.failing = Some((row.map_or(now, |(first, _)| first), now));
        });
    }

    fn note(&self, watch: usize, change: impl FnOnce(&mut Watch)) {
        self.watches().get_mut(watch).map(change);
    }

    fn watches(&self) -> MutexGuard<'_, Vec<Watch>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Takes what a watch or an answer says of an object. News older than what is known is dropped, so that neither the
    /// echo of a write nor that of a predecessor undoes an answer; and no answer brings back what has gone meanwhile.
    pub fn put(&self, key: AppKey, id: Id, version: u64, record: Record, from_watch: bool) {
        let (mut apps, now) = (self.lock(), Instant::now());
        let known = apps.entry(key.clone()).or_default();
        known.buried.retain(|(at, ..)| now.saturating_duration_since(*at) < BURIED);
        if let Some((seen, before)) = known.records.get_mut(&id) {
            if version < *seen {
                return;
            }
            *seen = version;
            if *before == record {
                return;
            }
            *before = record;
        } else if from_watch || !known.buried.iter().any(|(_, gone, uid)| *gone == id && *uid == record.uid) {
            known.records.insert(id, (version, record));
        }
        drop(apps);
        if from_watch {
            self.tell(key);
        }
    }

    /// Forgets an object that is gone, unless another one of the same name took its place.
    pub fn remove(&self, key: &AppKey, id: &Id, uid: &str) {
        if let Some(known) = self.lock().get_mut(key) {
            known.buried.push((Instant::now(), id.clone(), uid.to_owned()));
        }
        self.forget(key, id, uid);
        self.sweep(Instant::now());
    }

    /// Forgets applications of which nothing is left, and of which no answer can come any more.
    fn sweep(&self, now: Instant) {
        let is_fresh = |(at, ..): &(Instant, Id, String)| now.saturating_duration_since(*at) < BURIED;
        self.lock().retain(|_, known| !known.is_empty() || known.buried.iter().any(is_fresh));
    }

    /// Forgets what is known of an object that may still be there: whoever looks at it next may bring it back.
    pub fn forget(&self, key: &AppKey, id: &Id, uid: &str) {
        let mut apps = self.lock();
        let Some(known) = apps.get_mut(key) else { return };
        if known.records.get(id).is_some_and(|(_, record)| record.uid == uid) {
            known.records.remove(id);
            drop(apps);
            self.tell(key.clone());
        }
    }

    /// Forgets all objects of a kind but those that a new list named: what went while nobody watched.
    pub(super) fn keep(&self, kind: &str, named: &Named) {
        self.keep_of_each(named, |known, names| {
            let before = known.records.len();
            known.records.retain(|id, _| id.kind != kind || names.contains(&id.name));
            known.records.len() != before
        });
    }

    pub(super) fn keep_pods(&self, named: &Named) {
        self.keep_of_each(named, |known, names| {
            let before = known.pods.len();
            known.pods.retain(|name, _| names.contains(name));
            known.pods.len() != before
        });
    }

    /// A report that is not named is gone, and nothing it said is believed any longer.
    pub(super) fn keep_reports(&self, named: &Named) {
        self.keep_of_each(named, |known, names| names.is_empty() && known.report.take().is_some());
    }

    /// Application by application, so that a new list of thousands never keeps others from looking. What is empty
    /// afterwards is forgotten.
    fn keep_of_each(&self, named: &Named, keep: impl Fn(&mut Known, &BTreeSet<String>) -> bool) {
        let none = BTreeSet::new();
        let keys: Vec<AppKey> = self.lock().keys().cloned().collect();
        for key in keys {
            let mut apps = self.lock();
            let Some(known) = apps.get_mut(&key) else { continue };
            let changed = keep(known, named.get(&key).unwrap_or(&none));
            if known.is_empty() {
                apps.remove(&key);
            }
            drop(apps);
            if changed {
                self.tell(key);
            }
        }
    }

    pub(super) fn put_pod(&self, key: AppKey, name: String, pod: Option<Pod>) {
        self.change(key, |known| match pod {
            Some(pod) => {
                known.pods.get(&name) != Some(&pod) && {
                    known.pods.insert(name, pod);
                    true
                }
            }
            None => known.pods.remove(&name).is_some(),
        });
    }

    pub(super) fn put_report(&self, key: AppKey, report: Option<Report>) {
        self.change(key, |known| {
            known.report != report && {
                known.report = report;
                true
            }
        });
    }

    /// Changes what is known of an application, and tells it if that was a change.
    fn change(&self, key: AppKey, change: impl FnOnce(&mut Known) -> bool) {
        let mut apps = self.lock();
        let known = apps.entry(key.clone()).or_default();
        let changed = change(known);
        if known.is_empty() && known.buried.is_empty() {
            apps.remove(&key);
        }
        drop(apps);
        if changed {
            self.tell(key);
        }
    }

    fn tell(&self, key: AppKey) {
        self.changes.note(key);
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
        let (index, changes) = Index::new(1);
        index.put(key(), id(), 7, record("u", "new"), false);
        index.put(key(), id(), 5, record("u", "old"), true);
        assert_eq!(index.observe(&key()).records[&id()].hash, "new");
        index.put(key(), id(), 7, record("u", "new"), true);
        assert_eq!(changes.waiting(), 0, "nothing changed, so nothing is told");
        index.put(key(), id(), 6, record("before", "x"), true);
        assert_eq!(index.observe(&key()).records[&id()].uid, "u", "the echo of a predecessor is old news");
        index.put(key(), id(), 8, record("after", "x"), true);
        assert_eq!(index.observe(&key()).records[&id()].uid, "after");
        assert_eq!(changes.waiting(), 1);
    }

    #[test]
    fn an_answer_does_not_bring_back_what_has_gone() {
        let (index, _changes) = Index::new(1);
        index.put(key(), id(), 1, record("u", "h"), true);
        index.remove(&key(), &id(), "u");
        index.put(key(), id(), 2, record("u", "late"), false);
        assert!(index.observe(&key()).records.is_empty());
        index.put(key(), id(), 3, record("next", "h"), false);
        assert_eq!(index.observe(&key()).records.len(), 1);
        index.forget(&key(), &id(), "next");
        assert!(index.observe(&key()).records.is_empty());
        index.put(key(), id(), 4, record("next", "h"), false);
        assert_eq!(index.observe(&key()).records.len(), 1, "what was only doubted comes back");
    }

    #[test]
    fn what_a_new_list_does_not_name_is_gone() {
        let (index, changes) = Index::new(1);
        index.put(key(), id(), 1, record("u", "h"), false);
        index.put_report(key(), Some(Report::default()));
        changes.clear();
        index.keep("Deployment", &Named::new());
        index.keep_reports(&Named::from([(key(), BTreeSet::from(["shop-provisioner-report".to_owned()]))]));
        assert_eq!((index.observe(&key()).records.len(), changes.waiting()), (1, 0));
        index.keep("Service", &Named::new());
        assert!(index.observe(&key()).records.is_empty());
        assert_eq!(changes.waiting(), 1);
        assert!(index.observe(&key()).report.is_some());
        index.keep_reports(&Named::new());
        assert!(index.observe(&key()).report.is_none(), "what a report said is not believed when it is gone");
        assert!(index.lock().is_empty(), "nothing is kept of an application of which nothing is left");
    }

    #[test]
    fn absence_means_nothing_while_a_watch_lists_again() {
        let (index, _changes) = Index::new(2);
        index.set_listed(0, true);
        assert!(!index.is_synced());
        index.set_listed(1, true);
        assert!(index.is_synced());
        index.set_listed(0, false);
        assert!(!index.is_synced());
    }

    #[test]
    fn a_watch_that_fails_for_minutes_is_dead_and_one_that_fails_now_and_then_is_not() {
        let (index, _changes) = Index::new(1);
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        (0..=10).for_each(|n| index.failed(0, at(n * 30)));
        assert!(!index.is_alive(at(301)));
        index.heard(0);
        assert!(index.is_alive(at(301)));
        (0..=10).for_each(|n| index.failed(0, at(n * 200)));
        assert!(index.is_alive(at(2001)), "between two failures it was silent, so it watched");
    }

    #[test]
    fn a_late_deletion_does_not_take_the_successor() {
        let (index, _changes) = Index::new(1);
        index.put(key(), id(), 9, record("second", "h"), false);
        index.remove(&key(), &id(), "first");
        assert_eq!(index.observe(&key()).records.len(), 1);
    }

    #[test]
    fn the_watch_of_applications_counts_for_life_and_not_for_a_start() {
        let (index, _) = Index::new(1);
        index.set_listed(0, true);
        assert!(index.is_synced(), "it begins when this process leads");
        let (begun, refused) =
            (Instant::now(), || Err(watcher::Error::WatchStartFailed(kube::Error::LinesCodecMaxLineLengthExceeded)));
        let minutes = |n: u64| begun + Duration::from_secs(60 * n);
        for n in 0..=6 {
            index.note_applications::<()>(&refused(), minutes(n));
        }
        assert!(!index.is_alive(minutes(6)));
        index.note_applications(&Ok(Event::Apply(())), minutes(7));
        assert!(index.is_alive(minutes(7)));
    }

    #[test]
    fn nothing_is_kept_of_what_is_gone() {
        let (index, _) = Index::new(0);
        index.put_pod(key(), "p".into(), Some(Pod::default()));
        index.put_pod(key(), "p".into(), None);
        index.put_report(key(), Some(Report::default()));
        index.put_report(key(), None);
        assert!(index.lock().is_empty());
        index.put(key(), id(), 1, Record { uid: "u".into(), ..Default::default() }, true);
        index.remove(&key(), &id(), "u");
        assert_eq!(index.lock().len(), 1, "a late answer is still expected");
        index.sweep(Instant::now() + BURIED);
        assert!(index.lock().is_empty());
    }
}
