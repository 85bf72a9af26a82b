//! How long to wait after failures: twice as long each time, and never all pods at the same moment.

use std::time::Duration;

use kube::runtime::utils;

pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The wait after one more failure: between half and the whole of what is due.
    pub fn failed(&mut self) -> Duration {
        let due = self.next;
        self.next = (due * 2).min(self.longest);
        due.mul_f64(rand::random_range(0.5..=1.0))
    }

    pub fn succeeded(&mut self) {
        self.next = self.first;
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.failed())
    }
}

impl utils::Backoff for Backoff {
    fn reset(&mut self) {
        self.succeeded();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_start_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
        let mut grows = |due: &[u64]| {
            for seconds in due {
                let (wait, due) = (backoff.failed(), Duration::from_secs(*seconds));
                assert!(wait >= due / 2 && wait <= due, "{wait:?} of {due:?}");
            }
            backoff.succeeded();
        };
        grows(&[2, 4, 8, 10, 10]);
        grows(&[2, 4]);
    }
}
