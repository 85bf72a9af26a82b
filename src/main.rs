//! The one program: the operator, its agents inside pods, and what people type.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use microapp::cli::{self, Cli};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = cli::parse();
    run(cli).unwrap_or_else(|error| {
        eprintln!("microapp: {error}");
        ExitCode::from(cli::UNUSABLE)
    })
}

#[tokio::main]
async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    listen_to(&cli.log)?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a second provider of cryptography was installed")?;
    Ok(cli::run(cli.command).await?)
}

/// Logs go to standard error: lines for people, JSON for collectors.
fn listen_to(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("--log '{filter}' is no filter; write a level such as 'debug', or 'warn,microapp=debug'")
    })?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.with_ansi(cli::output::is_coloured(&std::io::stderr())).init();
    } else {
        logs.json().flatten_event(true).init();
    }
    Ok(())
}
