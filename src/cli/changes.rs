//! What a change of an application does that data cannot follow: allowed, and worth a word before it happens.

use std::collections::BTreeSet;

use crate::app::{DataRetention, MicroserviceApp};
use crate::components::services::Service;
use crate::kit::fields::IntOrText;
use crate::kit::problem::Problem;

/// All of it, in the order of the specification.
pub fn changes(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let mut told = retention(old, new);
    told.extend(names(old, new));
    told.extend(server(old, new));
    told
}

fn retention(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let goes = |app: &MicroserviceApp| app.spec.data_retention.unwrap_or_default() == DataRetention::Delete;
    let text = "from now on data is deleted with the application, what has been kept until now included";
    if goes(new) && !goes(old) { vec![Problem::new("spec.dataRetention", "DataWillGo", text)] } else { vec![] }
}

/// Each database that a service uses: where it is used, its name, and the service.
fn used(services: &[Service]) -> impl Iterator<Item = (String, &str, &str)> {
    services.iter().enumerate().flat_map(|(s, service)| {
        service.uses.iter().enumerate().map(move |(u, used)| {
            let path = format!(
                "spec.services[{s}].uses[{u}]{}",
                if used.database_name.is_some() { ".databaseName" } else { "" }
            );
            (path, used.database_name.as_deref().unwrap_or(&service.name), service.name.as_str())
        })
    })
}

/// Databases go by their names: a service under another name begins with an empty one.
fn names(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let before: Vec<_> = used(&old.spec.services).collect();
    let after: BTreeSet<&str> = used(&new.spec.services).map(|(_, database, _)| database).collect();
    let mut told = vec![];
    for (path, database, service) in used(&new.spec.services) {
        if before.iter().any(|(_, there, _)| *there == database) {
            continue;
        }
        if let Some((_, left, _)) = before.iter().find(|(_, _, user)| *user == service) {
            let text = format!(
                "'{service}' begins with the empty database '{database}'; its data stays in '{left}': write `databaseName: {left}` to keep it"
            );
            told.push(Problem::new(path, "DatabaseChanges", text));
        }
    }
    let renamed: BTreeSet<&str> = new.spec.services.iter().map(|s| s.name.as_str()).collect();
    for (_, database, service) in
        before.iter().filter(|(_, database, service)| !after.contains(database) && !renamed.contains(service))
    {
        let text = format!(
            "nobody uses the database '{database}' of '{service}' any more; it is kept, and `databaseName: {database}` gives it to another service"
        );
        told.push(Problem::new("spec.services", "DatabaseUnused", text));
    }
    told
}

/// What the volume of a server cannot follow.
fn server(old: &MicroserviceApp, new: &MicroserviceApp) -> Vec<Problem> {
    let Some(before) = &old.spec.database else { return vec![] };
    let Some(after) = &new.spec.database else {
        let text = "the database ends; its data and passwords are kept until its anchor is deleted, and `database: {}` starts it again on them";
        return vec![Problem::new("spec", "DatabaseEnds", text)];
    };
    let mut told = vec![];
    let major = |version: &Option<IntOrText>| {
        version.as_ref().map(|v| v.to_string().split('.').next().unwrap_or_default().to_owned())
    };
    if let Some((from, to)) = major(&before.version).zip(major(&after.version)).filter(|(from, to)| from != to) {
        let text = format!(
            "the data is of version {from}, which {to} does not open: nothing starts until `version` is {from} again"
        );
        told.push(Problem::new("spec.database.version", "DataOfAnotherVersion", text));
    }
    let (before, after) = (before.storage.clone().unwrap_or_default(), after.storage.clone().unwrap_or_default());
    if before.class_name != after.class_name {
        let text = "the volume stays in the StorageClass that it was made in";
        told.push(Problem::new("spec.database.storage.className", "VolumeStays", text));
    }
    told
}
