//! What to do about one object: decided from records alone, without asking the API server.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::app::status::Entry;
use crate::kit::{
    digest,
    objects::{Id, Object},
    observed::{Observed, Record},
    owned::{Prune, Watched},
};

/// More repairs than this within [`REPAIR_WINDOW`] mean that somebody does not agree with us.
const REPAIRS: usize = 5;
const REPAIR_WINDOW: SignedDuration = SignedDuration::from_mins(10);
const REPAIR_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// What could not be written is tried again after so long, twice as long each time, up to the longest.
const FIRST_RETRY: SignedDuration = SignedDuration::from_millis(500);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_secs(30);
/// An obsolete Secret is remembered for so long: lately made ones are counted.
const SECRETS_KEPT: SignedDuration = SignedDuration::from_hours(2);

/// What an application's objects were like when our last apply was answered.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Namespace and name of the application.
    app: String,
    pub wanted: HashMap<Id, Wanted>,
    troubles: HashMap<Id, Trouble>,
}

/// An object that could not be written as it is wanted.
#[derive(Clone, Debug, PartialEq)]
struct Trouble {
    /// Digest of what was sent: another one is tried at once.
    hash: String,
    cause: Cause,
    times: u32,
    not_before: Timestamp,
}

/// Why an object could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody else's object has its name.
    Conflict(String),
    /// The API server understood, and said no.
    Refused(String),
    /// It said nothing, or that it cannot: so many times in a row.
    Failed(String, u32),
}

/// One applied object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Digest of what was rendered, and of the fields that were ours then.
    pub hash: String,
    pub fingerprint: String,
    /// Version of the operator that applied it.
    pub version: String,
    /// When it is applied again although nothing seems to have changed.
    pub due: Timestamp,
    /// When it was made; of Secrets only, which cannot be looked at.
    pub made: Option<Timestamp>,
    repairs: VecDeque<Timestamp>,
}

impl Memory {
    /// What a leader before us left in the status.
    pub fn load(app: String, entries: &[Entry], now: Timestamp) -> Self {
        let wanted = |e: &Entry| {
            let made = e.t.and_then(|seconds| Timestamp::from_second(seconds).ok());
            let (hash, fingerprint, version) = (e.h.clone(), e.f.clone(), e.v.clone());
            Some((
                Id::parse(&e.id)?,
                Wanted { hash, fingerprint, version, due: due(&app, &e.id, now), made, ..Default::default() },
            ))
        };
        Self { wanted: entries.iter().filter_map(wanted).collect(), app, ..Default::default() }
    }

    /// What is to stand in the status, in a stable order. The version of the operator that writes it is not repeated.
    pub fn entries(&self, operator: &str) -> Vec<Entry> {
        let entry = |(id, w): (&Id, &Wanted)| Entry {
            id: id.to_string(),
            v: if w.version == operator { String::new() } else { w.version.clone() },
            h: w.hash.clone(),
            f: w.fingerprint.clone(),
            t: w.made.map(Timestamp::as_second),
        };
        let mut entries: Vec<Entry> = self.wanted.iter().map(entry).collect();
        entries.sort();
        entries
    }

    /// Forgets what is neither wanted nor there. Secrets, which may not be looked at, count as there for a while after
    /// they were made, and one with the digits of each data for ever: digits are not taken twice.
    pub fn tidy(&mut self, objects: &[Object], observed: &Observed) {
        let wanted: HashSet<Id> = objects.iter().map(Object::id).collect();
        let young = |made: Option<Timestamp>| made.is_some_and(|at| observed.now.duration_since(at) < SECRETS_KEPT);
        let digits = |name: &str| name.rsplit('-').next().unwrap_or_default().to_owned();
        let mut newest: HashMap<String, (Option<Timestamp>, String)> = HashMap::new();
        for (id, it) in self.wanted.iter().filter(|(id, _)| id.kind == "Secret") {
            let one = newest.entry(digits(&id.name)).or_default();
            *one = one.clone().max((it.made, id.name.clone()));
        }
        let last =
            |id: &Id| id.kind == "Secret" && newest.get(&digits(&id.name)).is_some_and(|(_, name)| *name == id.name);
        self.wanted
            .retain(|id, it| wanted.contains(id) || observed.records.contains_key(id) || young(it.made) || last(id));
        self.troubles.retain(|id, _| wanted.contains(id));
    }

    /// Notes that an object could not be written, and answers how many times in a row that was.
    pub fn fail(&mut self, object: &Object, cause: Cause, now: Timestamp) -> u32 {
        let hash = object.hash();
        let before = self.troubles.get(&object.id()).filter(|before| before.hash == hash);
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let pause = FIRST_RETRY.saturating_mul(1 << (times - 1).min(10)).min(LONGEST_RETRY);
        let cause = if let Cause::Failed(message, _) = cause { Cause::Failed(message, times) } else { cause };
        let not_before = now.saturating_add(pause).unwrap_or(now);
        self.troubles.insert(object.id(), Trouble { hash, cause, times, not_before });
        times
    }

    /// An object is as it is wanted.
    pub fn recovered(&mut self, id: &Id) {
        self.troubles.remove(id);
    }

    /// The Secrets that were made, and when.
    pub fn secrets(&self) -> BTreeMap<String, Timestamp> {
        let made = |(id, wanted): (&Id, &Wanted)| {
            (id.kind == "Secret").then(|| (id.name.clone(), wanted.made.unwrap_or_default()))
        };
        self.wanted.iter().filter_map(made).collect()
    }

    /// The next time at which one of the objects is due that may be touched. The others are not looked at then, so
    /// their time may be long past.
    pub fn next_due(&self, objects: &[Object]) -> Option<Timestamp> {
        let open = objects.iter().filter(|object| !object.is_held()).filter_map(|object| self.wanted.get(&object.id()));
        open.filter(|w| !w.fingerprint.is_empty()).map(|w| w.due).min()
    }

    /// Notes an answered apply.
    pub fn note(&mut self, id: Id, hash: String, fingerprint: String, version: &str, repaired: bool, now: Timestamp) {
        let made = (id.kind == "Secret").then_some(now);
        let mut repairs = self.wanted.remove(&id).map(|w| w.repairs).unwrap_or_default();
        if repaired {
            repairs.push_back(now);
            repairs.drain(..repairs.len().saturating_sub(REPAIRS));
        }
        self.troubles.remove(&id);
        let due = due(&self.app, &id.to_string(), now);
        self.wanted.insert(id, Wanted { hash, fingerprint, version: version.into(), due, made, repairs });
    }
}

/// A day later, give or take a quarter: spread by application and name, so that no two objects of a cluster are due
/// together.
fn due(app: &str, id: &str, now: Timestamp) -> Timestamp {
    let spread = u64::from_str_radix(&digest::of_bytes(format!("{app}/{id}").as_bytes())[..8], 16).unwrap_or_default()
        % (12 * 3600);
    now.saturating_add(SignedDuration::from_secs(18 * 3600 + spread as i64)).unwrap_or(now)
}

/// What to do about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is as it should be, as far as anybody can tell.
    Skip,
    /// It waits for something.
    Hold,
    /// It waits, and holds data that is not known to be there: it may only have lost its label.
    Look,
    /// It is not known to be there: make it, and touch nothing that is.
    Create,
    /// It is ours: make it so.
    Apply { uid: String, why: Why },
    /// A Secret: make it. `guarded`: only see first whether it is there, for what it opens is.
    Secret { guarded: bool },
    /// Somebody keeps changing it back.
    Contested,
    /// It could not be written a moment ago, and is not tried again yet.
    Later(Cause),
}

/// Why an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The desired state changed, or nobody knows what was applied last.
    Changed,
    /// Somebody changed what is ours.
    Repair,
    /// A day has passed.
    Insurance,
}

/// Decides on one object. `claim_exists` says whether a claim that we wrote to is there.
pub fn step(
    object: &Object,
    record: Option<&Record>,
    memory: &Memory,
    claim_exists: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Step {
    let wanted = unhindered(object, record, memory, claim_exists, now);
    let trouble =
        memory.troubles.get(&object.id()).filter(|trouble| now < trouble.not_before && trouble.hash == object.hash());
    match (wanted, trouble) {
        (Step::Create | Step::Secret { .. } | Step::Apply { why: Why::Changed | Why::Repair, .. }, Some(trouble)) => {
            Step::Later(trouble.cause.clone())
        }
        (Step::Apply { why: Why::Insurance, .. }, Some(_)) => Step::Skip,
        (wanted, _) => wanted,
    }
}

fn unhindered(
    object: &Object,
    record: Option<&Record>,
    memory: &Memory,
    claim_exists: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Step {
    let wanted = memory.wanted.get(&object.id());
    if object.is_held() {
        let kept = object.kind.prune == Prune::Keep && object.kind.watched != Watched::Never;
        return if kept && record.is_none() { Step::Look } else { Step::Hold };
    }
    if object.kind.watched == Watched::Never {
        let guarded = || object.secret.iter().flat_map(|secret| &secret.opens).any(|claim| claim_exists(claim));
        return if wanted.is_some() { Step::Skip } else { Step::Secret { guarded: guarded() } };
    }
    let Some(record) = record else { return Step::Create };
    if record.fingerprint.is_empty() {
        // Our entry is gone, or never was: whose it is shows when somebody looks, as with every name that is taken.
        return Step::Create;
    }
    let hash = object.hash();
    let apply = |why| Step::Apply { uid: record.uid.clone(), why };
    match wanted {
        Some(wanted) if wanted.hash == hash && record.hash == hash && wanted.fingerprint == record.fingerprint => {
            if now >= wanted.due { apply(Why::Insurance) } else { Step::Skip }
        }
        Some(wanted) if wanted.hash == hash => match contested(wanted, now) {
            true => Step::Contested,
            false => apply(Why::Repair),
        },
        _ => apply(Why::Changed),
    }
}

fn contested(wanted: &Wanted, now: Timestamp) -> bool {
    let recent = wanted.repairs.iter().filter(|at| now.duration_since(**at) < REPAIR_WINDOW).count();
    let last = wanted.repairs.back().is_some_and(|at| now.duration_since(*at) < REPAIR_PAUSE);
    recent >= REPAIRS && last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::objects::Gate;
    use crate::kit::owned::Owned;
    use crate::kit::part::PartName;

    fn object() -> Object {
        let kind = Owned::of("Service").unwrap_or(&crate::kit::owned::OWNED[0]);
        Object {
            kind,
            name: "a".into(),
            part: PartName::Agent("provisioner"),
            body: serde_json::json!({"metadata": {}}),
            gate: Gate::Open,
            secret: None,
        }
    }

    fn there(hash: &str, fingerprint: &str) -> Record {
        Record { uid: "u".into(), hash: hash.into(), fingerprint: fingerprint.into(), ..Default::default() }
    }

    fn decide(record: Option<&Record>, memory: &Memory, now: Timestamp) -> Step {
        step(&object(), record, memory, |_| false, now)
    }

    #[test]
    fn what_is_as_it_was_applied_is_left_alone_for_a_day() {
        let now = Timestamp::UNIX_EPOCH;
        let hash = object().hash();
        let mut memory = Memory::default();
        memory.note(object().id(), hash.clone(), "f".into(), "1", false, now);
        assert_eq!(decide(Some(&there(&hash, "f")), &memory, now), Step::Skip);
        let later = |hours| now + SignedDuration::from_hours(hours);
        assert_eq!(decide(Some(&there(&hash, "f")), &memory, later(17)), Step::Skip);
        assert_eq!(
            decide(Some(&there(&hash, "f")), &memory, later(31)),
            Step::Apply { uid: "u".into(), why: Why::Insurance }
        );
        assert_eq!(
            decide(Some(&there(&hash, "other")), &memory, now),
            Step::Apply { uid: "u".into(), why: Why::Repair }
        );
        assert_eq!(
            decide(Some(&there("edited", "f")), &memory, now),
            Step::Apply { uid: "u".into(), why: Why::Repair }
        );
        assert_eq!(decide(None, &memory, now), Step::Create);
    }

    #[test]
    fn without_memory_one_apply_is_sent() {
        let hash = object().hash();
        assert_eq!(
            decide(Some(&there(&hash, "f")), &Memory::default(), Timestamp::UNIX_EPOCH),
            Step::Apply { uid: "u".into(), why: Why::Changed }
        );
        let memory = Memory::load(
            "a/shop".into(),
            &[Entry { id: "Service/a".into(), v: "1".into(), h: hash.clone(), f: "f".into(), t: None }],
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(decide(Some(&there(&hash, "f")), &memory, Timestamp::UNIX_EPOCH), Step::Skip);
    }

    #[test]
    fn a_held_object_is_not_touched_in_any_state() {
        let held = Object { gate: Gate::Hold(vec!["x".into()]), ..object() };
        for record in [None, Some(there("old", "f"))] {
            assert_eq!(step(&held, record.as_ref(), &Memory::default(), |_| false, Timestamp::UNIX_EPOCH), Step::Hold);
        }
    }

    #[test]
    fn what_is_repaired_too_often_is_left_alone_for_a_while() {
        let (mut memory, hash, mut now) = (Memory::default(), object().hash(), Timestamp::UNIX_EPOCH);
        for _ in 0..5 {
            assert!(
                matches!(decide(Some(&there(&hash, "theirs")), &memory, now), Step::Apply { why: Why::Repair, .. })
                    || memory.wanted.is_empty()
            );
            memory.note(object().id(), hash.clone(), "f".into(), "1", true, now);
            now += SignedDuration::from_secs(1);
        }
        assert_eq!(decide(Some(&there(&hash, "theirs")), &memory, now), Step::Contested);
        assert!(matches!(decide(Some(&there(&hash, "theirs")), &memory, now + REPAIR_PAUSE), Step::Apply { .. }));
    }

    #[test]
    fn what_is_there_without_a_field_of_ours_is_not_taken_for_ours() {
        let mut memory = Memory::default();
        assert_eq!(decide(Some(&there("", "")), &memory, Timestamp::UNIX_EPOCH), Step::Create);
        memory.note(object().id(), object().hash(), "f".into(), "1", false, Timestamp::UNIX_EPOCH);
        assert_eq!(decide(Some(&there("", "")), &memory, Timestamp::UNIX_EPOCH), Step::Create);
    }

    #[test]
    fn only_what_may_be_touched_is_ever_due() {
        let (mut memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        memory.note(object().id(), object().hash(), "f".into(), "1", false, now);
        assert!(memory.next_due(&[object()]).is_some_and(|due| due > now));
        let held = Object { gate: Gate::Hold(vec!["x".into()]), ..object() };
        assert_eq!(memory.next_due(&[held]), None, "nobody would renew it, and the moment would pass and stay");
        assert_eq!(memory.next_due(&[]), None, "what is only kept is never due");
        assert_ne!(
            due("a/shop", "Service/a", now),
            due("b/shop", "Service/a", now),
            "a thousand gateways are not due in one second"
        );
    }

    #[test]
    fn what_failed_is_told_and_not_sent_again_before_its_time_and_a_changed_object_at_once() {
        let (mut memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        let refused = || Cause::Refused("no".into());
        assert_eq!(memory.fail(&object(), refused(), now), 1);
        assert_eq!(decide(None, &memory, now), Step::Later(refused()));
        assert_eq!(decide(None, &memory, now + FIRST_RETRY), Step::Create);
        (2..20).for_each(|times| assert_eq!(memory.fail(&object(), refused(), now), times));
        assert_eq!(decide(None, &memory, now + LONGEST_RETRY - SignedDuration::from_millis(1)), Step::Later(refused()));
        assert_eq!(decide(None, &memory, now + LONGEST_RETRY), Step::Create);
        let other = Object { body: serde_json::json!({"metadata": {"labels": {}}}), ..object() };
        assert_eq!(step(&other, None, &memory, |_| false, now), Step::Create);
        memory.note(object().id(), object().hash(), "f".into(), "1", false, now);
        assert_eq!(memory.fail(&object(), refused(), now), 1, "a success ends the row");
    }

    #[test]
    fn a_failed_insurance_is_in_nobodys_way() {
        let (mut memory, hash, now) = (Memory::default(), object().hash(), Timestamp::UNIX_EPOCH);
        memory.note(object().id(), hash.clone(), "f".into(), "1", false, now);
        let later = now + SignedDuration::from_hours(31);
        memory.fail(&object(), Cause::Failed("late".into(), 0), later);
        assert_eq!(decide(Some(&there(&hash, "f")), &memory, later), Step::Skip);
    }

    #[test]
    fn secrets_that_nobody_wants_are_forgotten_after_a_while_and_repairs_counted_up_to_a_bound() {
        let [secret, last] =
            ["login-v1-0a0b0c0d", "login-v2-0a0b0c0d"].map(|name| Id { kind: "Secret", name: name.into() });
        let mut memory = Memory::default();
        memory.note(secret.clone(), "h".into(), String::new(), "1", false, Timestamp::UNIX_EPOCH);
        memory.note(
            last.clone(),
            "h".into(),
            String::new(),
            "1",
            false,
            Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1),
        );
        let at =
            |hours| Observed { now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours), ..Default::default() };
        memory.tidy(&[], &at(1));
        assert!(memory.wanted.contains_key(&secret));
        memory.tidy(&[], &at(3));
        assert!(!memory.wanted.contains_key(&secret));
        assert!(memory.wanted.contains_key(&last), "the digits of data that was thrown away are not taken again");
        (0..100).for_each(|_| memory.note(object().id(), String::new(), "f".into(), "1", true, Timestamp::UNIX_EPOCH));
        assert_eq!(memory.wanted[&object().id()].repairs.len(), REPAIRS);
        assert!(memory.entries("1").iter().all(|entry| entry.v.is_empty()));
        assert!(memory.entries("2").iter().all(|entry| entry.v == "1"));
    }
}
