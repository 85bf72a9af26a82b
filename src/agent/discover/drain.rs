//! The kubelet asks for a drain as Envoy's `preStop` hook, because it cannot send the POST that Envoy wants, and waits
//! for the answer. What nobody meant is taken back.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri};
use axum::routing::get;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::agent::{Error, whole};
use crate::kit::agents::{DiscoverPlan, GATEWAY_STATS};

/// How long kube-proxy and load balancers go on sending new connections to a pod that ends.
const PROPAGATION: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(250);
const ANSWER: Duration = Duration::from_secs(2);
const ANSWER_BYTES: usize = 64 * 1024;
/// Between two looks at whether Envoy drains although nobody wants it to.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Drain {
    envoy: Envoy,
    path: String,
    propagation: Duration,
    longest: Duration,
    grace: Duration,
    look: Duration,
    /// When the last drain began; at first, when this program did: it may have been restarted in the midst of one.
    begun: watch::Sender<Instant>,
}

impl Drain {
    pub fn new(plan: &DiscoverPlan) -> Self {
        Self {
            envoy: Envoy {
                client: Client::builder(TokioExecutor::new()).build_http(),
                address: plan.envoy_admin.clone(),
            },
            path: plan.drain_path.clone(),
            propagation: PROPAGATION,
            longest: Duration::from_secs(plan.drain_seconds),
            grace: Duration::from_secs(plan.grace_seconds),
            look: LOOK,
            begun: watch::Sender::new(Instant::now()),
        }
    }

    /// Answers the one path, and only that, when no request is open, at the latest after the longest wait.
    pub fn router(&self) -> Router {
        let drain = self.clone();
        match self.path.as_str() {
            "" => Router::new(),
            path => Router::new().route(path, get(async move || answer(drain.run().await))),
        }
    }

    async fn run(&self) -> Result<(), Error> {
        let start = Instant::now();
        self.begun.send_replace(start);
        // From now on every answer tells its client to reconnect, and the pod counts as not ready. Connections are
        // still accepted.
        self.envoy.ask(Method::POST, "/healthcheck/fail").await?;
        sleep(self.propagation.min(self.longest)).await;
        // An idle connection is no reason to wait.
        while start.elapsed() < self.longest && self.envoy.requests().await? != Some(0) {
            sleep(POLL).await;
        }
        info!(seconds = start.elapsed().as_secs(), "drained");
        Ok(())
    }

    /// A pod that is still there when its grace period is over was not to end. For ever.
    pub async fn undo(&self) {
        loop {
            sleep(self.look).await;
            if self.grace.is_zero() || self.begun.borrow().elapsed() < self.grace {
                continue;
            }
            let undone = match self.envoy.drains().await {
                Ok(true) => self
                    .envoy
                    .ask(Method::POST, "/healthcheck/ok")
                    .await
                    .map(|_| warn!("nobody ended this pod, so its drain is taken back")),
                other => other.map(|_| ()),
            };
            if let Err(error) = undone {
                warn!(%error, "cannot see whether Envoy drains");
            }
        }
    }
}

fn answer(drained: Result<(), Error>) -> (StatusCode, String) {
    match drained {
        Ok(()) => (StatusCode::OK, "drained".into()),
        Err(error) => {
            warn!(%error, "cannot drain");
            (StatusCode::BAD_GATEWAY, error.to_string())
        }
    }
}

#[derive(Clone)]
struct Envoy {
    client: Client<HttpConnector, Body>,
    address: String,
}

#[derive(Deserialize)]
struct Stats {
    stats: Vec<Stat>,
}

#[derive(Deserialize)]
struct Stat {
    name: String,
    value: u64,
}

impl Envoy {
    /// How many requests are open; nothing if Envoy does not count them, and then only the deadline ends the wait.
    async fn requests(&self) -> Result<Option<u64>, Error> {
        let name = format!("http.{GATEWAY_STATS}.downstream_rq_active");
        let body = self.ask(Method::GET, &format!("/stats?format=json&filter=^{}$", name.replace('.', "%5C."))).await?;
        let stats: Stats = serde_json::from_slice(&body).map_err(|error| self.problem(error))?;
        Ok(stats.stats.into_iter().find(|stat| stat.name == name).map(|stat| stat.value))
    }

    async fn drains(&self) -> Result<bool, Error> {
        let (_, body) = self.exchange(Method::GET, "/ready").await?;
        Ok(body.starts_with(b"DRAINING"))
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Vec<u8>, Error> {
        let (status, body) = self.exchange(method, path).await?;
        if status.is_success() { Ok(body) } else { Err(self.problem(status)) }
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<(StatusCode, Vec<u8>), Error> {
        let exchange = async {
            let uri: Uri = format!("http://{}{path}", self.address).parse().map_err(|error| self.problem(error))?;
            let mut request = Request::new(Body::empty());
            (*request.method_mut(), *request.uri_mut()) = (method, uri);
            let response = self.client.request(request).await.map_err(|error| self.problem(whole(&error)))?;
            let status = response.status();
            let body =
                to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await.map_err(|error| self.problem(error))?;
            Ok((status, body.to_vec()))
        };
        timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err(self.problem("no answer in time")))
    }

    fn problem(&self, problem: impl ToString) -> Error {
        Error::Envoy { address: self.address.clone(), problem: problem.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use axum::extract::State;
    use tower::ServiceExt;

    use super::*;

    const PATH: &str = "/drain/0123456789abcdef";

    /// What was asked, and how many more polls until the last request is answered.
    type Seen = Arc<(Mutex<Vec<String>>, AtomicU64)>;

    /// An Envoy that drains between the one POST and the other.
    async fn envoy(polls: u64) -> anyhow::Result<(String, Seen)> {
        let seen: Seen = Arc::new((Mutex::default(), AtomicU64::new(polls)));
        let answer = async |State(seen): State<Seen>, request: Request<Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            let (stats, ready) = (line.contains("/stats"), line.contains("/ready"));
            let mut lines = seen.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let posts = lines.iter().filter(|line| line.starts_with("POST")).count();
            lines.push(line);
            if stats {
                let left = seen
                    .1
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)))
                    .unwrap_or_default();
                return (
                    StatusCode::OK,
                    serde_json::json!({"stats": [{"name": "http.gateway.downstream_rq_active", "value": left}]})
                        .to_string(),
                );
            }
            if ready && posts % 2 == 1 {
                (StatusCode::SERVICE_UNAVAILABLE, "DRAINING\n".into())
            } else {
                (StatusCode::OK, "OK\n".into())
            }
        };
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok((address, seen))
    }

    fn drain(envoy_admin: String, drain_seconds: u64) -> Drain {
        let plan = DiscoverPlan { envoy_admin, drain_seconds, drain_path: PATH.into(), ..Default::default() };
        Drain { propagation: Duration::from_secs(1), look: Duration::from_millis(100), ..Drain::new(&plan) }
    }

    async fn asked(drain: &Drain, path: &str) -> anyhow::Result<StatusCode> {
        Ok(drain.router().oneshot(Request::get(path).body(Body::empty())?).await?.status())
    }

    async fn drained(drain: &Drain) -> anyhow::Result<(StatusCode, Duration)> {
        let start = Instant::now();
        Ok((asked(drain, PATH).await?, start.elapsed()))
    }

    fn lines(seen: &Seen) -> Vec<String> {
        seen.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    #[tokio::test]
    async fn waits_for_the_last_request() -> anyhow::Result<()> {
        let (address, seen) = envoy(3).await?;
        let (status, time) = drained(&drain(address, 60)).await?;
        assert_eq!(status, StatusCode::OK);
        assert!(time >= Duration::from_secs(1) + 3 * POLL && time < Duration::from_secs(5), "{time:?}");
        let lines = lines(&seen);
        assert_eq!((lines[0].as_str(), lines.len()), ("POST /healthcheck/fail", 5), "{lines:?}");
        Ok(())
    }

    #[tokio::test]
    async fn the_deadline_ends_it() -> anyhow::Result<()> {
        let (address, _) = envoy(1_000_000).await?;
        let (status, time) = drained(&drain(address, 2)).await?;
        assert_eq!(status, StatusCode::OK);
        assert!(time >= Duration::from_secs(2) && time < Duration::from_secs(5), "{time:?}");
        Ok(())
    }

    #[tokio::test]
    async fn an_envoy_that_is_gone_is_said_at_once() -> anyhow::Result<()> {
        let (status, time) = drained(&drain("127.0.0.1:1".into(), 60)).await?;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(time < Duration::from_secs(3));
        Ok(())
    }

    #[tokio::test]
    async fn nobody_drains_who_does_not_know_the_path() -> anyhow::Result<()> {
        let (address, seen) = envoy(0).await?;
        let drain = drain(address, 60);
        for path in [
            "/drain",
            "/drain/",
            "/drain/0123456789abcdee",
            "/drain/0123456789ABCDEF",
            "/drain/0123456789abcdef/x",
            "/",
        ] {
            assert_eq!(asked(&drain, path).await?, StatusCode::NOT_FOUND, "{path}");
        }
        let unasked = Drain { path: String::new(), ..drain };
        assert_eq!(asked(&unasked, "/drain/").await?, StatusCode::NOT_FOUND);
        assert_eq!(lines(&seen), [""; 0]);
        Ok(())
    }

    #[tokio::test]
    async fn a_drain_that_nobody_meant_is_taken_back_once() -> anyhow::Result<()> {
        let (address, seen) = envoy(0).await?;
        let drain = Drain { grace: Duration::from_secs(2), propagation: Duration::ZERO, ..drain(address, 60) };
        let posts = || lines(&seen).into_iter().filter(|line| line.starts_with("POST")).collect::<Vec<_>>();
        assert_eq!(drained(&drain).await?.0, StatusCode::OK);
        timeout(Duration::from_millis(1500), drain.undo()).await.ok();
        assert_eq!(posts(), ["POST /healthcheck/fail"], "within its grace period it may be meant");
        timeout(Duration::from_millis(1500), drain.undo()).await.ok();
        assert_eq!(posts(), ["POST /healthcheck/fail", "POST /healthcheck/ok"]);
        Ok(())
    }
}
