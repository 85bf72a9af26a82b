//! `microapp wait`: until it is ready, telling what happens.

use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::StreamExt;
use tokio::time::Instant;

use super::{
    Error, FINDINGS, INTERRUPTED, OK, TIMEOUT, program,
    target::{Cluster, Target},
};
use crate::app::MicroserviceApp;
use crate::view::{State, news, verdict};

/// Wait until an application is ready; exits with 0 when it is, 1 when it is stalled, 124 when it takes too long
#[derive(Args, Debug)]
pub struct Wait {
    /// Name of the application
    name: String,
    #[command(flatten)]
    cluster: Cluster,
    #[arg(long = "for", value_enum, default_value_t)]
    goal: Goal,
    /// How long, such as 90s or 5m
    #[arg(long, value_parser = duration, default_value = "5m")]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Goal {
    #[default]
    Ready,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = text
        .parse::<jiff::SignedDuration>()
        .map_err(|_| "write a number with its unit, such as 90s or 5m".to_owned())?;
    Duration::try_from(span).map_err(|_| "it may not be negative".into())
}

impl Wait {
    pub async fn run(self) -> Result<u8, Error> {
        let Goal::Ready = self.goal;
        let target = self.cluster.target(self.name).await?;
        let mut last = None;
        tokio::select! {
            ended = follow(&target, &mut last) => return ended,
            () = tokio::time::sleep(self.timeout) => {}
            _ = tokio::signal::ctrl_c() => {
                eprintln!("Still working in the cluster. Watch with: {} status {} -n {} -w", program(), target.name,
                    target.namespace);
                return Ok(INTERRUPTED);
            }
        }
        let verdict = last.as_ref().map(verdict);
        let cause =
            verdict.map_or_else(|| "the cluster did not answer".to_owned(), |v| format!("{}: {}", v.word, v.message));
        eprintln!("{} is not ready after {}s. {cause}", target.name, self.timeout.as_secs());
        Ok(TIMEOUT)
    }
}

/// Tells each change until waiting is over. `last` is the application as it was seen last.
async fn follow(target: &Target, last: &mut Option<MicroserviceApp>) -> Result<u8, Error> {
    let start = Instant::now();
    // A watch says "not there" only after a while.
    target.get().await?;
    let mut changes = target.changes();
    while let Some(app) = changes.next().await.transpose()? {
        for line in news::news(last.as_ref(), &app) {
            eprintln!("{:>4}s  {line}", start.elapsed().as_secs());
        }
        let verdict = verdict(&app);
        *last = Some(app);
        match verdict.state {
            State::Ready => return Ok(OK),
            _ if verdict.stalled => return Ok(FINDINGS),
            _ => {}
        }
    }
    Ok(FINDINGS)
}
