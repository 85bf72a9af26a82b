//! `microapp render`: the operator's own objects, without a cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Error, OK, output, refuse, source};
use crate::app::{MicroserviceApp, NO_UID, Settings, preview};
use crate::kit::{objects::Object, problem::Problem};

/// Stands for passwords: the real ones are made with their Secrets.
const NO_PASSWORD: &str = "<generated>";

/// Print the objects that an application is made of, without a cluster
#[derive(Args, Debug)]
pub struct Render {
    /// File with the application; `-` reads standard input
    #[arg(short, long = "filename", value_name = "FILE")]
    filename: PathBuf,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Only the objects of one part, such as `database` or `service/orders`
    #[arg(long)]
    part: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

impl Render {
    pub fn run(self) -> Result<u8, Error> {
        let objects = match source::read(&self.filename)?.and_then(objects) {
            Ok(objects) => objects,
            Err(problems) => return Ok(refuse(&self.filename, &problems)),
        };
        let bodies: Vec<Value> = only(objects, self.part)?.into_iter().map(body).collect();
        match self.output {
            Format::Yaml => {
                output::print(&serde_saphyr::to_string_multiple(&bodies).map_err(|e| Error::Yaml(e.to_string()))?)?
            }
            Format::Json => {
                output::print(&format!("{:#}\n", json!({ "apiVersion": "v1", "kind": "List", "items": bodies })))?
            }
        }
        Ok(OK)
    }
}

/// Every object, in the order of applying. Only a cluster gives identifiers, and a namespace if none is named.
fn objects(mut app: MicroserviceApp) -> Result<Vec<Object>, Vec<Problem>> {
    app.metadata.uid = Some(NO_UID.into());
    app.metadata.namespace.get_or_insert_with(|| "default".into());
    preview(&app, &Settings::default(), NO_UID)
}

fn only(objects: Vec<Object>, part: Option<String>) -> Result<Vec<Object>, Error> {
    let Some(part) = part else { return Ok(objects) };
    let mut parts: Vec<String> = objects.iter().map(|object| object.part.to_string()).collect();
    parts.sort();
    parts.dedup();
    match parts.contains(&part) {
        true => Ok(objects.into_iter().filter(|object| object.part.to_string() == part).collect()),
        false => Err(Error::UnknownPart(part, parts.join(", "))),
    }
}

/// The object as it would be sent.
fn body(object: Object) -> Value {
    let mut body = object.with_hash();
    for key in object.secret.iter().flat_map(|secret| secret.form.keys()) {
        body["stringData"][key] = NO_PASSWORD.into();
    }
    body
}
