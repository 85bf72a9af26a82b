//! What the kubelet asks an agent: `/livez` and `/readyz`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Error;
use crate::kit::agents::AGENT_PORT;

/// Until when an agent counts as ready. It is not, until it says so.
#[derive(Clone)]
pub struct Readiness(Arc<watch::Sender<Option<Instant>>>);

impl Readiness {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Ready from now on for this long.
    pub fn extend(&self, time: Duration) {
        self.0.send_replace(Instant::now().checked_add(time));
    }

    pub fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }
}

/// Answers until the process ends.
pub async fn serve(listen: Option<SocketAddr>, readiness: Readiness, more: Router) -> Result<(), Error> {
    let router =
        more.route("/livez", get(|| async { "ok" })).route("/readyz", get(async move || answer(readiness.holds())));
    let port = AGENT_PORT as u16;
    // The first that can be had: the one address of both families, or, where the kernel has no IPv6, all of IPv4.
    let anywhere = [SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
    let addresses = listen.map_or(anywhere.to_vec(), |one| vec![one]);
    let listener = TcpListener::bind(&addresses[..]).await.map_err(Error::Listen)?;
    axum::serve(listener, router).await.map_err(Error::Listen)
}

fn answer(ready: bool) -> (StatusCode, &'static str) {
    if ready {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: no complete round is young enough")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readiness_ends_by_itself() {
        let readiness = Readiness::new();
        assert!(!readiness.holds());
        readiness.extend(Duration::from_secs(9));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(readiness.holds());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!readiness.holds());
    }
}
