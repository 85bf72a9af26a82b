use std::process::ExitCode;

use clap::{Parser, Subcommand};
use microapp::cli::{check, manifests};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Crd,
    Manifests(manifests::Manifests),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Crd => microapp::cli::crd(),
        Command::Manifests(args) => manifests::run(&args),
    }
}
