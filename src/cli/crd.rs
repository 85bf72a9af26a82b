//! `microapp crd`: the CRD, for API servers and for people.

use clap::{Args, ValueEnum};

use super::{Error, OK, output};
use crate::app::crd;
use crate::view::manual::{TITLE, manual};

/// Print the CustomResourceDefinition
#[derive(Args, Debug)]
pub struct Crd {
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    /// Every field, for people
    Markdown,
}

impl Crd {
    pub fn run(self) -> Result<u8, Error> {
        let text = match self.output {
            Format::Yaml => crd::yaml().map_err(Error::Yaml)?,
            Format::Markdown => manual(TITLE, &crd::schema()?),
        };
        output::print(&text)?;
        Ok(OK)
    }
}
