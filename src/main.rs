use std::process::ExitCode;

use clap::{Parser, Subcommand};
use microapp::cli::check;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Crd,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Crd => microapp::cli::crd(),
    }
}
