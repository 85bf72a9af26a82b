//! What Kubernetes and Prometheus ask the process.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use super::{context::Options, telemetry::Telemetry};
use crate::cluster::index::Index;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/livez`, `/readyz` and `/metrics`, each where it is wanted.
pub async fn start(
    options: &Options,
    telemetry: Telemetry,
    ready: watch::Receiver<bool>,
    index: Arc<Index>,
) -> Result<(), io::Error> {
    let is_alive = move || {
        let alive = index.is_alive(Instant::now());
        async move {
            if alive {
                (StatusCode::OK, "ok\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "a watch has failed for five minutes\n")
            }
        }
    };
    let is_ready = move || {
        let ready = *ready.borrow();
        async move {
            if ready {
                (StatusCode::OK, "ok\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not every object has been seen yet\n")
            }
        }
    };
    serve(options.health_address, Router::new().route("/livez", get(is_alive)).route("/readyz", get(is_ready))).await?;
    let metrics = move || {
        let text = telemetry.text();
        async move { ([(CONTENT_TYPE, OPEN_METRICS)], text) }
    };
    serve(options.metrics_address, Router::new().route("/metrics", get(metrics))).await
}

async fn serve(address: Option<SocketAddr>, router: Router) -> Result<(), io::Error> {
    let Some(address) = address else { return Ok(()) };
    let listener = match TcpListener::bind(address).await {
        Err(error) => TcpListener::bind(without_ipv6(address).ok_or(error)?).await?,
        Ok(listener) => listener,
    };
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// `[::]` answers on IPv6 and IPv4; a machine without IPv6 has only the latter.
fn without_ipv6(address: SocketAddr) -> Option<SocketAddr> {
    let any = address.is_ipv6() && address.ip().is_unspecified();
    any.then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_any_address_has_a_way_without_ipv6() {
        let fallback = |text: &str| without_ipv6(text.parse().ok()?).map(|it| it.to_string());
        assert_eq!(fallback("[::]:8081").as_deref(), Some("0.0.0.0:8081"));
        assert_eq!([fallback("[::1]:8081"), fallback("0.0.0.0:8081"), fallback("10.0.0.1:8081")], [const { None }; 3]);
    }
}
