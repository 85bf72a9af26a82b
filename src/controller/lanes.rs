//! Keeps slow applications from taking all slots: one whose API calls hang or fail slowly, such as behind a webhook
//! that does not answer, would hold a slot for a minute and more, and eight of them would stop everybody else.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cluster::index::AppKey;

/// A reconciliation that takes longer is a slow one.
const SLOW: Duration = Duration::from_secs(5);
/// Slots that slow applications may hold at the same time.
const SLOTS: usize = 3;

/// Which applications are slow, and the slots for them.
pub struct Lanes {
    slow: Mutex<HashSet<AppKey>>,
    slots: Arc<Semaphore>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { slow: Mutex::default(), slots: Arc::new(Semaphore::new(SLOTS)) }
    }
}

/// Held while an application is reconciled.
pub struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    /// A slot; None: the application is slow, and so are as many others that are being reconciled.
    pub fn enter(&self, key: &AppKey) -> Option<Slot> {
        if !self.lock().contains(key) {
            return Some(Slot { _permit: None });
        }
        self.slots.clone().try_acquire_owned().ok().map(|permit| Slot { _permit: Some(permit) })
    }

    /// Notes how long a reconciliation took.
    pub fn note(&self, key: AppKey, took: Duration) {
        let mut slow = self.lock();
        if took >= SLOW {
            slow.insert(key)
        } else {
            slow.remove(&key)
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<AppKey>> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_applications_leave_slots_to_the_others() {
        let lanes = Lanes::default();
        let key = |n: usize| AppKey { namespace: "acme".into(), name: format!("shop-{n}") };
        (0..=SLOTS).for_each(|n| lanes.note(key(n), SLOW));
        let held: Vec<_> = (0..SLOTS).map(|n| lanes.enter(&key(n))).collect();
        assert!(held.iter().all(Option::is_some) && lanes.enter(&key(SLOTS)).is_none());
        assert!(lanes.enter(&key(99)).is_some(), "one that is not slow");
        drop(held);
        assert!(lanes.enter(&key(SLOTS)).is_some());
        lanes.note(key(0), Duration::from_millis(20));
        let all: Vec<_> = (1..=SLOTS).map(|n| lanes.enter(&key(n))).collect();
        assert!(all.iter().all(Option::is_some) && lanes.enter(&key(0)).is_some(), "it recovered");
    }
}
