//! `GET /drain`: the kubelet calls it as Envoy's `preStop` hook, because it cannot send the POST that Envoy wants, and waits for the answer.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri};
use axum::routing::get;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::agent::{Error, whole};
use crate::kit::agents::GATEWAY_STATS;

/// How long kube-proxy and load balancers go on sending new connections to a pod that ends.
const PROPAGATION: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(250);
const ANSWER: Duration = Duration::from_secs(2);
const ANSWER_BYTES: usize = 64 * 1024;

/// Answers when Envoy is empty, at the latest after `longest`.
pub fn router(envoy: String, longest: Duration) -> Router {
    let envoy = Envoy { client: Client::builder(TokioExecutor::new()).build_http(), address: envoy };
    Router::new().route("/drain", get(async move || answer(envoy.drain(longest).await)))
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
    async fn drain(&self, longest: Duration) -> Result<(), Error> {
        let start = Instant::now();
        // From the first on, answers tell clients to close their connections; the second warns those of HTTP/2. New connections are still accepted.
        self.ask(Method::POST, "/healthcheck/fail").await?;
        self.ask(Method::POST, "/drain_listeners?graceful&skip_exit").await?;
        sleep(PROPAGATION.min(longest)).await;
        while start.elapsed() < longest {
            match self.connections().await? {
                Some(0) => break,
                _ => sleep(POLL).await,
            }
        }
        info!(seconds = start.elapsed().as_secs(), "drained");
        Ok(())
    }

    /// How many clients are connected; nothing if Envoy does not count them, and then only the deadline ends the wait.
    async fn connections(&self) -> Result<Option<u64>, Error> {
        let name = format!("http.{GATEWAY_STATS}.downstream_cx_active");
        let body = self.ask(Method::GET, &format!("/stats?format=json&filter=^{}$", name.replace('.', "%5C."))).await?;
        let stats: Stats = serde_json::from_slice(&body).map_err(|error| self.problem(error))?;
        Ok(stats.stats.into_iter().find(|stat| stat.name == name).map(|stat| stat.value))
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Vec<u8>, Error> {
        let exchange = async {
            let uri: Uri = format!("http://{}{path}", self.address).parse().map_err(|error| self.problem(error))?;
            let mut request = Request::new(Body::empty());
            (*request.method_mut(), *request.uri_mut()) = (method, uri);
            let response = self.client.request(request).await.map_err(|error| self.problem(whole(&error)))?;
            let status = response.status();
            let body = to_bytes(Body::new(response.into_body()), ANSWER_BYTES).await.map_err(|error| self.problem(error))?;
            if status.is_success() { Ok(body.to_vec()) } else { Err(self.problem(status)) }
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

    use super::*;

    /// What was asked, and how many more polls until the last connection is gone.
    type Seen = Arc<(Mutex<Vec<String>>, AtomicU64)>;

    async fn envoy(polls: u64) -> anyhow::Result<(String, Seen)> {
        let seen: Seen = Arc::new((Mutex::default(), AtomicU64::new(polls)));
        let answer = async |State(seen): State<Seen>, request: Request<Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            let stats = line.contains("/stats");
            seen.0.lock().map(|mut lines| lines.push(line)).ok();
            if !stats {
                return "OK\n".to_string();
            }
            let left = seen.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1))).unwrap_or_default();
            serde_json::json!({"stats": [{"name": "http.gateway.downstream_cx_active", "value": left}]}).to_string()
        };
        let router = Router::new().fallback(answer).with_state(seen.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok((address, seen))
    }

    async fn drained(address: String, longest: u64) -> (StatusCode, Duration) {
        let envoy = Envoy { client: Client::builder(TokioExecutor::new()).build_http(), address };
        let start = Instant::now();
        (answer(envoy.drain(Duration::from_secs(longest)).await).0, start.elapsed())
    }

    #[tokio::test]
    async fn waits_for_the_last_connection() -> anyhow::Result<()> {
        let (address, seen) = envoy(3).await?;
        let (status, time) = drained(address, 60).await;
        assert_eq!(status, StatusCode::OK);
        assert!(time >= PROPAGATION + 3 * POLL && time < PROPAGATION + 12 * POLL, "{time:?}");
        let lines = seen.0.lock().map_err(|error| anyhow::anyhow!("{error}"))?.clone();
        assert_eq!(lines[..2], ["POST /healthcheck/fail", "POST /drain_listeners?graceful&skip_exit"]);
        assert_eq!(lines.len(), 6, "{lines:?}");
        Ok(())
    }

    #[tokio::test]
    async fn the_deadline_ends_it() -> anyhow::Result<()> {
        let (address, _) = envoy(1_000_000).await?;
        let (status, time) = drained(address, 6).await;
        assert_eq!(status, StatusCode::OK);
        assert!(time >= Duration::from_secs(6) && time < Duration::from_secs(8), "{time:?}");
        Ok(())
    }

    #[tokio::test]
    async fn an_envoy_that_is_gone_is_said_at_once() {
        let (status, time) = drained("127.0.0.1:1".into(), 60).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(time < Duration::from_secs(3));
    }
}
