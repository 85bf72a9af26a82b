//! What people type: one file for each command. Data goes to standard output, talk to standard error.

mod changes;
pub mod check;
pub mod clusterrole;
mod crd;
mod frameworks;
mod graph;
mod hints;
pub mod input;
mod operator;
pub mod output;
pub mod policies;
mod render;
mod source;
mod status;
mod target;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::agent::{self, Agent};
use crate::kit::problem::Problem;

/// Everything is as asked.
pub const OK: u8 = 0;
/// The command did its work, and the answer is no: mistakes in a file, an application that is not ready.
pub const FINDINGS: u8 = 1;
/// The command could not do its work.
pub const UNUSABLE: u8 = 2;
/// Waiting took too long, as `timeout` says it.
pub const TIMEOUT: u8 = 124;
/// Ended by Ctrl-C, as shells say it.
pub const INTERRUPTED: u8 = 130;

/// Makes whole microservice applications of one resource
#[derive(Debug, Parser)]
#[command(name = "microapp", version)]
pub struct Cli {
    /// What is logged: a level, or a list such as 'warn,microapp=debug'
    #[arg(
        long,
        value_name = "FILTER",
        env = "RUST_LOG",
        default_value = "warn,microapp=info",
        global = true,
        hide_env_values = true
    )]
    pub log: String,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    // Without a cluster.
    Check(check::Check),
    Render(render::Render),
    Crd(crd::Crd),
    /// Print the rules of the operator's ClusterRole
    #[command(name = "clusterrole")]
    ClusterRole,
    /// Print what the admission policies of the chart must cover
    Policies,
    // With or without one.
    Graph(graph::Graph),
    // On one.
    Status(status::Status),
    Wait(wait::Wait),
    // All the time.
    Operator(operator::Operator),
    // Inside pods.
    /// Runs beside one server
    #[command(subcommand, hide = true)]
    Agent(Agent),
}

/// Why a command could not do its work. The sentences say what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{file}: {text}", file = output::shown(file))]
    Unreadable { file: PathBuf, text: String },
    #[error("{file}: there is no MicroserviceApp in it", file = output::shown(.0))]
    NoApplication(PathBuf),
    #[error("the application has no part '{0}'; it has: {1}")]
    UnknownPart(String, String),
    #[error("no cluster to talk to: {0}. Name one by --kubeconfig or --context")]
    NoCluster(#[from] kube::config::KubeconfigError),
    #[error("there is no MicroserviceApp '{0}' in namespace '{1}'; `kubectl get microapp -A` lists all")]
    NotFound(String, String),
    #[error(
        "the cluster does not know MicroserviceApps; install the operator first: kubectl apply --server-side -f \
            manifests/install.yaml"
    )]
    NotInstalled,
    #[error("the cluster did not answer: {0}")]
    Cluster(#[from] kube::Error),
    #[error(transparent)]
    Agent(#[from] agent::Error),
    #[error("no cluster to work on: {0}")]
    NotConnected(#[from] crate::cluster::Error),
    #[error("a Lease needs a name of its own for each operator; give it by --identity or POD_NAME")]
    NoIdentity,
    #[error("cannot be written: {0}")]
    Yaml(String),
    #[error("cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads the command line; ends the program with usage or version if that was asked for.
pub fn parse() -> Cli {
    // `kubectl microapp` runs a program of the name `kubectl-microapp`, and its usage should read as it was typed.
    let command = Cli::command().bin_name(program()).display_name(program());
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

/// How this program was called.
pub fn program() -> &'static str {
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_stem().is_some_and(|name| name == "kubectl-microapp") {
        "kubectl microapp"
    } else {
        "microapp"
    }
}

/// Runs a command and says how the program is to end.
///
/// # Errors
/// When it could not do its work.
pub async fn run(command: Command) -> Result<ExitCode, Error> {
    let code = match command {
        Command::Check(check) => return Ok(check::run(&check)),
        Command::Crd(crd) => crd.run(),
        Command::ClusterRole => output::print(&clusterrole::yaml()?).map(|()| OK).map_err(Error::from),
        Command::Policies => output::print(&policies::yaml()?).map(|()| OK).map_err(Error::from),
        Command::Render(render) => render.run(),
        Command::Graph(graph) => graph.run().await,
        Command::Status(status) => status.run().await,
        Command::Wait(wait) => wait.run().await,
        Command::Operator(operator) => operator.run().await,
        Command::Agent(agent) => agent::run(agent, asked_to_end()).await.map(|()| OK).map_err(Error::from),
    };
    code.map(ExitCode::from)
}

/// Answers when the kubelet, or whoever started this program, asks it to end.
async fn asked_to_end() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Tells the mistakes in a file.
fn refuse(file: &Path, problems: &[Problem]) -> u8 {
    let file = output::shown(file);
    for problem in problems {
        eprintln!("{file}: {problem}");
    }
    eprintln!("{file}: {} error{}", problems.len(), if problems.len() == 1 { "" } else { "s" });
    FINDINGS
}
