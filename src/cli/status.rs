//! `microapp status`: the tree.

use clap::{Args, ValueEnum};
use futures::StreamExt;
use std::io::IsTerminal;

use super::{Error, FINDINGS, OK, output, program, target::Cluster};
use crate::app::MicroserviceApp;
use crate::view::{State, tree, verdict};

/// Show how an application and its parts are; exits with 0 when it is ready, 1 when it is not
#[derive(Args, Debug)]
pub struct Status {
    /// Name of the application
    name: String,
    #[command(flatten)]
    cluster: Cluster,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Show it again at each change, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Tree,
    /// The resource itself
    Json,
}

impl Status {
    pub async fn run(self) -> Result<u8, Error> {
        let target = self.cluster.target(self.name).await?;
        if !self.watch {
            let app = target.get().await?;
            show(&app, self.output)?;
            return Ok(if verdict(&app).state == State::Ready { OK } else { FINDINGS });
        }
        let mut changes = target.changes();
        while let Some(app) = changes.next().await.transpose()? {
            if std::io::stdout().is_terminal() {
                output::print("\x1b[H\x1b[2J")?;
            }
            show(&app, self.output)?;
        }
        Ok(OK)
    }
}

fn show(app: &MicroserviceApp, format: Format) -> Result<(), Error> {
    let text = match format {
        Format::Tree => {
            tree::tree(&tree::Frame { app, now: jiff::Zoned::now(), program: program(), style: output::style() })
        }
        Format::Json => {
            let mut app = app.clone();
            // It is long, and says nothing of the application.
            app.metadata.managed_fields = None;
            serde_json::to_string_pretty(&app)? + "\n"
        }
    };
    Ok(output::print(&text)?)
}
