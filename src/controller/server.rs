//! What Kubernetes and Prometheus ask the process.

use std::{io, net::SocketAddr};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use tokio::{net::TcpListener, sync::watch};

use super::{context::Options, telemetry::Telemetry};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/livez`, `/readyz` and `/metrics`, each where it is wanted.
pub async fn start(options: &Options, telemetry: Telemetry, ready: watch::Receiver<bool>) -> Result<(), io::Error> {
    let is_ready = move || {
        let ready = *ready.borrow();
        async move { if ready { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not every object has been seen yet\n") } }
    };
    serve(options.health_address, Router::new().route("/livez", get(|| async { "ok\n" })).route("/readyz", get(is_ready))).await?;
    let metrics = move || {
        let text = telemetry.text();
        async move { ([(CONTENT_TYPE, OPEN_METRICS)], text) }
    };
    serve(options.metrics_address, Router::new().route("/metrics", get(metrics))).await
}

async fn serve(address: Option<SocketAddr>, router: Router) -> Result<(), io::Error> {
    let Some(address) = address else { return Ok(()) };
    let listener = TcpListener::bind(address).await?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}
