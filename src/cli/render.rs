//! `microapp render`: the operator's own objects, without a cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{Error, OK, output, refuse, source};
use crate::app::{App, MicroserviceApp, Settings};
use crate::kit::{objects::Object, observed::Observed, problem::Problem};

/// Stands for identifiers that only a cluster gives.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";
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
        let objects = match source::read(&self.filename)?.and_then(|app| objects(app, &Settings::default())) {
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

/// Every object, in the order of applying. What hangs on an anchor names it by an identifier that only a cluster gives.
fn objects(mut app: MicroserviceApp, settings: &Settings) -> Result<Vec<Object>, Vec<Problem>> {
    app.metadata.uid = Some(NO_UID.into());
    app.metadata.namespace.get_or_insert_with(|| "default".into());
    let observed = Observed::default();
    let desired = App::resolve(&app, settings)?.desired(&observed);
    let owned = |object: Object| if object.unowned().is_some() { object.owned_by(NO_UID) } else { object };
    match desired.obstacles.is_empty() {
        true => Ok(desired.objects.into_iter().map(owned).collect()),
        false => Err(desired.obstacles.into_iter().map(|(_, problem)| problem).collect()),
    }
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
    if let Some(secret) = object.secret {
        body["stringData"][&secret.key] = NO_PASSWORD.into();
    }
    body
}
