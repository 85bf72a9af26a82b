//! `microapp graph`: the picture of an application, from a file or as it runs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Error, OK, output, refuse, source, target::Cluster};
use crate::view::{graph, mermaid, svg, text};

/// Draw an application: who is connected to whom, and how each part is
#[derive(Args, Debug)]
pub struct Graph {
    /// Name of an application on a cluster
    #[arg(required_unless_present = "filename", conflicts_with = "filename")]
    name: Option<String>,
    /// File with an application, drawn as it would be deployed; `-` reads standard input
    #[arg(short, long = "filename", value_name = "FILE")]
    filename: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Svg,
    Mermaid,
    Dot,
}

impl Graph {
    pub async fn run(self) -> Result<u8, Error> {
        let graph = match (self.filename, self.name) {
            (Some(file), _) => match source::read(&file)? {
                Ok(app) => graph::graph(&app, false),
                Err(problems) => return Ok(refuse(&file, &problems)),
            },
            (None, name) => graph::graph(&self.cluster.target(name.unwrap_or_default()).await?.get().await?, true),
        };
        let picture = match self.output {
            Format::Text => text::text(&graph, &output::style()),
            Format::Svg => svg::svg(&graph),
            Format::Mermaid => mermaid::mermaid(&graph),
            Format::Dot => mermaid::dot(&graph),
        };
        output::print(&picture)?;
        Ok(OK)
    }
}
