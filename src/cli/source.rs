//! An application out of a file, judged as the API server would.

use std::path::Path;

use super::{Error, input};
use crate::app::{MicroserviceApp, problems::problems, schema::Checker};
use crate::kit::problem::Problem;

/// The one application of a file; its mistakes, if it has some.
///
/// # Errors
/// When there is none, or more than one.
pub fn read(file: &Path) -> Result<Result<MicroserviceApp, Vec<Problem>>, Error> {
    let unreadable = |text: String| Error::Unreadable { file: file.into(), text };
    let documents = input::read(file).map_err(unreadable)?;
    let mut apps = documents.iter().filter(|document| document.value["kind"] == "MicroserviceApp");
    let document = apps.next().ok_or_else(|| Error::NoApplication(file.into()))?;
    if apps.next().is_some() {
        return Err(unreadable("there are several MicroserviceApps in it; give each a file of its own".into()));
    }
    let (sent, mistakes) = Checker::new()?.judge(&document.value);
    if !mistakes.is_empty() {
        return Ok(Err(mistakes));
    }
    let app: MicroserviceApp = serde_json::from_value(sent)?;
    let problems = problems(&app);
    Ok(if problems.is_empty() { Ok(app) } else { Err(problems) })
}
