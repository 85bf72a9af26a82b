//! Applications in which something changed and that nobody has looked at since: a set, so it is never larger than the
//! number of applications, however long nobody reads it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::Stream;
use tokio::{sync::Notify, time::Instant};

use super::index::AppKey;

/// After a change was told, further ones of the same application are told together, this much later: a roll of fifty
/// services is hundreds of changes. The first is told at once.
const TOGETHER: Duration = Duration::from_millis(250);

/// The writing end.
#[derive(Clone, Default)]
pub struct Changes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    apps: Mutex<Apps>,
    news: Notify,
}

#[derive(Default)]
struct Apps {
    /// When each change may be told.
    waiting: HashMap<AppKey, Instant>,
    /// Until when those that were just told are quiet.
    told: HashMap<AppKey, Instant>,
}

impl Changes {
    /// Notes a change. It is told once, however often it is noted until then.
    pub fn note(&self, key: AppKey) {
        let mut apps = self.lock();
        let now = Instant::now();
        let at = apps.told.get(&key).map_or(now, |quiet| now.max(*quiet));
        apps.waiting.entry(key).or_insert(at);
        drop(apps);
        self.0.news.notify_one();
    }

    /// Forgets what was noted before: whoever begins to read looks at every application anyway.
    pub fn clear(&self) {
        self.lock().waiting.clear();
    }

    /// The applications, one by one, each as soon as it may be told. It never ends.
    pub fn told(self) -> impl Stream<Item = AppKey> + Send {
        futures::stream::unfold(self, |changes| async move {
            let key = changes.next().await;
            Some((key, changes))
        })
    }

    async fn next(&self) -> AppKey {
        loop {
            // Asked for before looking, so that no news is lost in between.
            let news = self.0.news.notified();
            match self.take(Instant::now()) {
                Ok(key) => return key,
                Err(Some(at)) => drop(tokio::time::timeout_at(at, news).await),
                Err(None) => news.await,
            }
        }
    }

    /// One that may be told now; else when the next one may be.
    fn take(&self, now: Instant) -> Result<AppKey, Option<Instant>> {
        let mut apps = self.lock();
        let soonest = apps.waiting.iter().min_by_key(|(_, at)| **at).map(|(key, at)| (key.clone(), *at));
        let Some((key, at)) = soonest else { return Err(None) };
        if at > now {
            return Err(Some(at));
        }
        apps.waiting.remove(&key);
        apps.told.retain(|_, quiet| *quiet > now);
        apps.told.insert(key.clone(), now + TOGETHER);
        Ok(key)
    }

    fn lock(&self) -> MutexGuard<'_, Apps> {
        self.0.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many applications wait to be looked at.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey { namespace: "a".into(), name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_told_at_once_and_a_burst_of_them_once_more() {
        let changes = Changes::default();
        let mut told = Box::pin(changes.clone().told());
        changes.note(key("shop"));
        assert_eq!(told.next().now_or_never().flatten(), Some(key("shop")));
        (0..1000).for_each(|_| changes.note(key("shop")));
        assert!(told.next().now_or_never().is_none(), "a burst waits");
        changes.note(key("blog"));
        assert_eq!(told.next().now_or_never().flatten(), Some(key("blog")), "and keeps nobody else waiting");
        let begun = Instant::now();
        assert_eq!(told.next().await, Some(key("shop")));
        assert_eq!(begun.elapsed(), TOGETHER);
        assert!(tokio::time::timeout(Duration::from_secs(60), told.next()).await.is_err(), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_keeps_one_entry_for_each_application_and_begins_with_none() {
        let changes = Changes::default();
        for _ in 0..100_000 {
            changes.note(key("shop"));
            changes.note(key("blog"));
        }
        assert_eq!(changes.waiting(), 2);
        changes.clear();
        let mut told = Box::pin(changes.clone().told());
        assert!(tokio::time::timeout(Duration::from_secs(60), told.next()).await.is_err());
        changes.note(key("shop"));
        assert_eq!(told.next().await, Some(key("shop")));
    }
}
