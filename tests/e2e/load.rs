//! Requests through the gateway: one at a time, and a steady stream of them while something happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

/// An answer: status, instance that gave it, body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub instance: String,
    pub body: Value,
}

/// Asks for a path; None: no answer at all.
pub fn get(url: &str) -> Option<Answer> {
    answer(agent().get(url).call())
}

/// Posts JSON.
pub fn post(url: &str, body: &Value) -> Option<Answer> {
    answer(agent().post(url).header("content-type", "application/json").send(body.to_string()))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into()
}

fn answer(from: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Answer> {
    let mut response = from.ok()?;
    let instance = response.headers().get("x-instance").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    Some(Answer {
        status: response.status().as_u16(),
        instance,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
    })
}

/// A steady stream of requests, each on a connection of its own.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Tally>,
}

/// What came of them: answers by status (0: none), and by instance.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub statuses: BTreeMap<u16, u32>,
    pub instances: BTreeMap<String, u32>,
}

impl Tally {
    pub fn failed(&self) -> u32 {
        self.statuses.iter().filter(|(status, _)| **status != 200).map(|(_, count)| count).sum()
    }

    pub fn total(&self) -> u32 {
        self.statuses.values().sum()
    }
}

impl Load {
    /// Some 40 requests a second until it is stopped.
    pub fn start(url: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::task::spawn_blocking(move || {
            let mut tally = Tally::default();
            while !stopped.load(Ordering::Relaxed) {
                let answer = get(&url);
                *tally.statuses.entry(answer.as_ref().map_or(0, |a| a.status)).or_default() += 1;
                if let Some(answer) = answer {
                    *tally.instances.entry(answer.instance).or_default() += 1;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
            tally
        });
        Self { stop, task }
    }

    pub async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the stream ends")
    }
}

/// A bounded burst: which instances answer now.
pub async fn burst(url: &str, count: u32) -> Tally {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut tally = Tally::default();
        for _ in 0..count {
            let answer = get(&url);
            *tally.statuses.entry(answer.as_ref().map_or(0, |a| a.status)).or_default() += 1;
            if let Some(answer) = answer {
                *tally.instances.entry(answer.instance).or_default() += 1;
            }
        }
        tally
    })
    .await
    .expect("the burst ends")
}
